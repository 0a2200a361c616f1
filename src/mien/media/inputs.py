# SPDX-License-Identifier: Apache-2.0
"""What a user names, resolved to single inputs: files, folders, glob patterns and camera numbers."""

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
"""Suffixes, lower-case, of files that are read as images; an animated GIF gives its first frame."""

VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".asf", ".avi", ".flv", ".h264", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
        *(".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)
"""Suffixes, lower-case, of files that are read as videos."""


@dataclass(frozen=True)
class MediaInput:
    """One thing to analyse.

    Attributes:
        kind: ``"image"``, ``"video"`` or ``"camera"``.
        path: the file; None for a camera.
        camera: number of the camera from 0; None for a file.
        name: the path as the user gave or would give it, ``"camera 0"`` for a camera; unique within one call.
    """

    kind: Kind
    path: Path | None
    camera: int | None
    name: str


def find_inputs(patterns: Sequence[str | os.PathLike[str]]) -> list[MediaInput]:
    """Resolve what a user named to images, videos and cameras.

    A folder gives the media files in it and below, sorted by path; hidden files and folders and unknown suffixes are
    passed over. A file that is named itself is taken whatever its suffix: if that is unknown, its content decides.
    A pattern with ``*``, ``?`` or ``[`` (``**`` for folders below) is expanded unless a file has that very name.
    A whole number is a camera unless a file has that name.

    Args:
        patterns: names in the order they shall be worked on.

    Returns:
        Every input once, at its first place, at least one.

    Raises:
        InputError: a name that nothing answers to, a folder without media, a file that is not media, or no names.
    """
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    if not patterns:
        raise InputError("no input given; name files, folders, glob patterns or a camera number")
    found: dict[object, MediaInput] = {}
    for pattern in patterns:
        for item in _resolve(os.fspath(pattern)):
            # Two names of one file, through a link or "..", are one input.
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
    # Not checked here: one bad file must not stop the others, and reading it will say what is wrong.
    yield from (_listed(path) for path in sorted(paths))


def _walk(folder: Path) -> Iterator[Path]:
    """Every visible file below a folder; linked folders are not entered, so no circle can form."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed ({error.strerror}); check its permissions") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _matches(pattern: str) -> Iterator[MediaInput]:
    """Files that a pattern names are taken whole, folders as if they were named themselves."""
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207  # Path.glob refuses absolute patterns
    matches = [Path(match) for match in sorted(found)]
    # "*" means the media among the files, not that every file must be one; "**" lists folders beside their files.
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
    """A file that a folder or a pattern gave; its suffix is known."""
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
