# SPDX-License-Identifier: Apache-2.0
"""Resolves file names, folders, glob patterns, camera numbers and network addresses to single inputs."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.core import InputError, is_folder, path_exists, source_name, source_path
from mien.media.file_types import identify_file, require_file
from mien.media.images import is_animation
from mien.media.network_stream import is_address, public_address, require_network

Kind = Literal["image", "video", "camera", "stream"]

IMAGE_SUFFIXES = frozenset(
    {
        *(
            ".apng",
            ".avif",
            ".avifs",
            ".bmp",
            ".dib",
            ".gif",
            ".jfif",
            ".jif",
            ".jpe",
            ".jpeg",
            ".jpg",
            ".pbm",
            ".pgm",
            ".png",
        ),
        *(".pnm", ".ppm", ".tif", ".tiff", ".webp"),
    }
)
"""Lower-case suffixes of files that are read as images; an animated GIF or PNG is read as a video."""

VIDEO_SUFFIXES = frozenset(
    {
        *(".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".h264", ".h265", ".hevc"),
        *(".m1v", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts"),
        *(".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv"),
    }
)
"""Lower-case suffixes of files that are read as videos."""


# Files of these kinds are taken for images that cannot be read: the error tells what to do with them.
_UNREADABLE_SUFFIXES = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif", ".jp2", ".j2k", ".jxl", ".psd", ".exr"})

OnFailure = Callable[[str, InputError], None]
"""Callback that takes the name of a file or folder inside a named one, and why it cannot be read."""


OnOther = Callable[[str], None]
"""Callback that takes the name of a file in a named folder that is not read."""


@dataclass(frozen=True)
class MediaInput:
    """One input to analyze.

    Attributes:
        kind: Kind of the input, ``"image"``, ``"video"``, ``"camera"`` or, for a network address, ``"stream"``.
        path: Path of the file; None for a camera and an address.
        camera: Number of the camera, from 0; None for others.
        name: Path as the user gave it or would give it (`mien.core.source_name`), ``"camera 0"`` for a camera, an
            address without its secrets; unique within one call.
        address: Network address as the user gave it; None for others.
    """

    kind: Kind
    path: Path | None
    camera: int | None
    name: str
    address: str | None = None


def find_inputs(
    patterns: Sequence[str | os.PathLike[str]],
    on_failure: OnFailure | None = None,
    on_other: OnOther | None = None,
    *,
    network: bool = False,
) -> list[MediaInput]:
    """Resolve names to images, videos and cameras.

    A folder gives the media files in it and its subfolders, sorted by path; hidden files, hidden folders and unknown
    suffixes are skipped. A file that is named itself is accepted with any suffix: if that is unknown, its content
    decides. A pattern with ``*``, ``?`` or ``[`` (``**`` for subfolders) is expanded unless a file has exactly that
    name. A whole number is a camera unless a file has that name.

    Args:
        patterns: Names in the order of processing.
        on_failure: Called for a folder in a named folder that cannot be listed, and for pipes, devices and dead links
            among the files of a folder or pattern; the others go on. None raises.
        on_other: Called for every visible file of a named folder that is no photo or video by its suffix.
        network: Whether network addresses may be among the names.

    Returns:
        Every input once, in order of first occurrence, at least one.

    Raises:
        InputError: A name does not exist, a folder has no media, a file is no image or video, or there are no names.
        ConfigError: A name is a network address, and ``network`` is false.

    Examples:
        >>> find_inputs(["0"])
        [MediaInput(kind='camera', path=None, camera=0, name='camera 0', address=None)]
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
        for item in _resolve(os.fspath(pattern), on_failure or _raise, on_other or _ignore, network=network):
            found.setdefault(input_identity(item), item)
    return list(found.values())


def camera_number(name: str) -> int | None:
    """Number of the camera that an input stands for; None for the name of a file, and a file of that name comes first.

    Examples:
        >>> camera_number("0"), camera_number("clip.mp4")
        (0, None)
    """
    return int(name) if name.isascii() and name.isdigit() and not path_exists(source_path(name)) else None


def input_identity(item: MediaInput) -> object:
    """A key that is equal for two names of one file, such as a link or one with ``..``, one camera or one address."""
    if item.address is not None:
        return item.address
    return item.camera if item.path is None else os.path.realpath(item.path)


def _raise(_: str, error: InputError) -> None:
    raise error


def _ignore(_: str) -> None:
    pass


def _resolve(name: str, on_failure: OnFailure, on_other: OnOther, *, network: bool) -> Iterator[MediaInput]:
    if "\0" in name:
        raise InputError(f"{name!r}: holds a null character, which no name of a file has; check the name")
    path = source_path(name)
    if name and path_exists(path):
        yield from _folder(path, on_failure, on_other) if is_folder(path) else [_file(path)]
    elif (camera := camera_number(name)) is not None:
        yield MediaInput("camera", None, camera, f"camera {camera}")
    elif is_address(name):
        require_network(name, network=network)
        yield MediaInput("stream", None, None, public_address(name), name)
    elif glob.has_magic(name):
        yield from _matches(name, on_failure, on_other)
    else:
        raise InputError(f"{name or '(empty name)'}: no such file or folder; check the name")


def _folder(folder: Path, on_failure: OnFailure, on_other: OnOther) -> Iterator[MediaInput]:
    failed: list[str] = []

    def refuse(name: str, error: InputError) -> None:
        failed.append(name)
        on_failure(name, error)

    paths = sorted(_walk(folder, refuse))
    for path in paths:
        if _kind_by_suffix(path) is None:
            on_other(source_name(path))
    paths = [path for path in paths if _kind_by_suffix(path) is not None]
    found = [item for path in paths if (item := _listed(path, refuse)) is not None]
    if not found and not failed:
        raise InputError(f"{folder}: no image or video in this folder or below; known suffixes: {_known_suffixes()}")
    # The content is not checked here: a damaged file must not stop the others, and reading it reports the error.
    yield from found


def _walk(folder: Path, on_failure: OnFailure) -> Iterator[Path]:
    """Yield every visible file below a folder; linked folders are not followed, which avoids cycles."""

    def refuse(error: OSError) -> None:
        name = source_name(error.filename)
        problem = InputError(f"{name}: cannot be listed ({error.strerror}); check its permissions")
        if Path(error.filename) == folder:
            raise problem from error
        on_failure(name, problem)

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def _matches(pattern: str, on_failure: OnFailure, on_other: OnOther) -> Iterator[MediaInput]:
    """Yield the media files that match a pattern; if none match, the content of matching folders."""
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207  # Path.glob refuses absolute patterns
    matches = [Path(match) for match in sorted(found)]
    # "*" matches other files as well, which are skipped; "**" lists folders beside their files.
    folders = [path for path in matches if is_folder(path)]
    files = [path for path in matches if path not in set(folders) and _kind_by_suffix(path) is not None]
    if files:
        yield from (item for path in files if (item := _listed(path, on_failure)) is not None)
        return
    if not folders:
        raise InputError(f"{pattern}: no image or video matches this pattern; check it, or quote less of it")
    for folder in folders:
        yield from _folder(folder, on_failure, on_other)


def _listed(path: Path, on_failure: OnFailure) -> MediaInput | None:
    """Input for a file of a folder or a pattern, whose suffix is known; None for what is no regular file."""
    name = source_name(path)
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        on_failure(
            name, InputError(f"{name}: cannot be reached ({error.strerror}); check the name and its permissions")
        )
        return None
    if not is_file:
        on_failure(name, InputError(f"{name}: is not a regular file; copy its content into one first"))
        return None
    return MediaInput(_kind(path) or "image", path, None, name)


def _file(path: Path) -> MediaInput:
    require_file(path)
    return MediaInput(_kind(path) or _kind_by_content(path), path, None, source_name(path))


def _kind(path: Path) -> Kind | None:
    """What a file with a known suffix is by its content, or by its suffix where the content does not tell."""
    by_suffix = _kind_by_suffix(path)
    if is_animation(path):
        return "video"
    if by_suffix is None:
        return None
    try:
        known = identify_file(path)
    except InputError:
        return by_suffix  # reading it reports the error
    return known.content if known is not None and known.content in ("image", "video") else by_suffix


def _kind_by_suffix(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES or suffix in _UNREADABLE_SUFFIXES:
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
