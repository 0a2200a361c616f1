# SPDX-License-Identifier: Apache-2.0
"""Resolves file names, folders, glob patterns and camera numbers to single inputs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.core import InputError
from mien.media.file_types import identify_file, require_file

Kind = Literal["image", "video", "camera"]

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".dib", ".gif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Lower-case suffixes of files that are read as images; an animated GIF gives its first frame."""

VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".asf", ".avi", ".flv", ".h264", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
        *(".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)
"""Lower-case suffixes of files that are read as videos."""


@dataclass(frozen=True)
class MediaInput:
    """One input to analyze.

    Attributes:
        kind: Kind of the input, ``"image"``, ``"video"`` or ``"camera"``.
        path: Path of the file; None for a camera.
        camera: Number of the camera, from 0; None for a file.
        name: Path as the user gave it or would give it, ``"camera 0"`` for a camera; unique within one call.
    """

    kind: Kind
    path: Path | None
    camera: int | None
    name: str


def find_inputs(patterns: Sequence[str | os.PathLike[str]]) -> list[MediaInput]:
    """Resolve names to images, videos and cameras.

    A folder gives the media files in it and its subfolders, sorted by path; hidden files, hidden folders and unknown
    suffixes are skipped. A file that is named itself is accepted with any suffix: if that is unknown, its content
    decides. A pattern with ``*``, ``?`` or ``[`` (``**`` for subfolders) is expanded unless a file has exactly that
    name. A whole number is a camera unless a file has that name.

    Args:
        patterns: Names in the order of processing.

    Returns:
        Every input once, in order of first occurrence, at least one.

    Raises:
        InputError: A name does not exist, a folder has no media, a file is no image or video, or there are no names.

    Examples:
        >>> find_inputs(["0"])
        [MediaInput(kind='camera', path=None, camera=0, name='camera 0')]
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("b.mp4", "a.jpg", "notes.txt", ".hidden.jpg"):
        ...         _ = Path(folder, name).write_bytes(b"content")
        ...     [(item.kind, item.path.name) for item in find_inputs([folder])]
        [('image', 'a.jpg'), ('video', 'b.mp4')]
    """
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    if not patterns:
        raise InputError("no input given; name files, folders, glob patterns or a camera number")
    found: dict[object, MediaInput] = {}
    for pattern in patterns:
        for item in _resolve(os.fspath(pattern)):
            # Two names of one file, such as a link or a name with "..", are one input.
            identity = item.camera if item.path is None else item.path.resolve()
            found.setdefault(identity, item)
    return list(found.values())


def _resolve(name: str) -> Iterator[MediaInput]:
    path = Path(name)
    if name and os.path.lexists(path):
        yield from _folder(path) if path.is_dir() else [_file(path)]
    elif name.isascii() and name.isdigit():
        yield MediaInput("camera", None, int(name), f"camera {int(name)}")
    elif glob.has_magic(name):
        yield from _matches(name)
    else:
        raise InputError(f"{name or '(empty name)'}: no such file or folder; check the name")


def _folder(folder: Path) -> Iterator[MediaInput]:
    paths = [path for path in _walk(folder) if _kind_by_suffix(path) is not None]
    if not paths:
        raise InputError(f"{folder}: no image or video in this folder or below; known suffixes: {_known_suffixes()}")
    # Files are not checked here: a damaged file must not stop the others, and reading it reports the error.
    yield from (_listed(path) for path in sorted(paths))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield every visible file below a folder; linked folders are not followed, which avoids cycles."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed ({error.strerror}); check its permissions") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _matches(pattern: str) -> Iterator[MediaInput]:
    """Yield the media files that match a pattern; if none match, the content of matching folders."""
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207  # Path.glob refuses absolute patterns
    matches = [Path(match) for match in sorted(found)]
    # "*" matches other files as well, which are skipped; "**" lists folders beside their files.
    files = [path for path in matches if path.is_file() and _kind_by_suffix(path) is not None]
    if files:
        yield from (_listed(path) for path in files)
        return
    folders = [path for path in matches if path.is_dir()]
    if not folders:
        raise InputError(f"{pattern}: no image or video matches this pattern; check it, or quote less of it")
    for folder in folders:
        yield from _folder(folder)


def _listed(path: Path) -> MediaInput:
    """Input for a file of a folder or a pattern, whose suffix is known."""
    return MediaInput(_kind_by_suffix(path) or "image", path, None, str(path))


def _file(path: Path) -> MediaInput:
    require_file(path)
    kind = _kind_by_suffix(path) or _kind_by_content(path)
    return MediaInput(kind, path, None, str(path))


def _kind_by_suffix(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    return "video" if suffix in VIDEO_SUFFIXES else None


def _kind_by_content(path: Path) -> Kind:
    known = identify_file(path)
    if known is None:
        raise InputError(f"{path}: neither an image nor a video; known suffixes: {_known_suffixes()}")
    if known.content == "image" and not known.advice:
        return "image"
    if known.content == "video":
        return "video"
    raise InputError(f"{path}: this is {known.name}; {known.advice or 'give an image or a video'}")


def _known_suffixes() -> str:
    return " ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
