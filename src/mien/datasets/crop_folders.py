# SPDX-License-Identifier: Apache-2.0
"""Folders of official face crops, ``<track>/00001.jpg``, and the videos that tracks belong to."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import Bools, Integers
from mien.datasets.text_files import AnnotationError

Ints = npt.NDArray[np.int32]

CROP_FOLDERS = ("cropped_aligned", "cropped")
"""Names of the official folders, in the order in which a reader tries them."""

_VIDEO_SUFFIXES = frozenset({".avi", ".mkv", ".mov", ".mp4", ".webm"})
_CROP = re.compile(r"(\d+)\.jpe?g")


def crop_name(frame: int) -> str:
    """File name of the crop of a frame, counted from 1.

    Examples:
        >>> crop_name(7)
        '00007.jpg'
    """
    return f"{frame:05d}.jpg"


def base_video(track: str) -> str:
    """Name of the video that a track belongs to: ``X`` for the tracks ``X``, ``X_left`` and ``X_right``.

    Examples:
        >>> base_video("12-24-1920x1080_right")
        '12-24-1920x1080'
    """
    return track.removesuffix("_left").removesuffix("_right")


def find_crops(folder: Path, name: str | None) -> Path | None:
    """Find the folder of crops.

    Args:
        folder: Folder of the data set.
        name: Name of the folder of crops; None takes the first of `CROP_FOLDERS` that exists.

    Returns:
        The folder, or None where no name was given and no folder exists.

    Raises:
        AnnotationError: A name was given and the folder does not exist.
    """
    if name is not None:
        if not (folder / name).is_dir():
            raise AnnotationError(folder / name, "no such folder of crops")
        return folder / name
    return next((folder / candidate for candidate in CROP_FOLDERS if (folder / candidate).is_dir()), None)


def find_videos(folder: str | Path) -> dict[str, Path]:
    """Raw videos in the folder or one level below it, by name without suffix; the first of two equal names is taken.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "00001.mp4").touch()
        ...     [(name, path.name) for name, path in find_videos(folder).items()]
        [('00001', '00001.mp4')]
    """
    folder = Path(folder)
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        for path in sorted(place.iterdir()):
            if path.suffix.lower() in _VIDEO_SUFFIXES:
                found.setdefault(path.stem, path)
    return found


def match_crops(
    crops: Path | None, tracks: Sequence[str], track_index: Integers, frame: Integers
) -> tuple[Bools, Ints]:
    """Match rows with the crops in a folder; only names are listed, no file is opened.

    Args:
        crops: Folder that holds one folder per track, or None.
        tracks: T names of tracks.
        track_index: (N,) indices into ``tracks``.
        frame: (N,) frame numbers, counted from 1.

    Returns:
        (N,) bool, whether the row has a crop, and (T,) int32, the number of the last crop of each track or 0.
    """
    has_image = np.zeros(len(frame), dtype=bool)
    last = np.zeros(len(tracks), dtype=np.int32)
    if crops is None:
        return has_image, last
    order = np.argsort(track_index, kind="stable")
    bounds = np.searchsorted(track_index[order], np.arange(len(tracks) + 1))
    for index, track in enumerate(tracks):
        numbers = _crop_numbers(crops / track)
        rows = order[bounds[index] : bounds[index + 1]]
        has_image[rows] = np.isin(frame[rows], numbers)
        last[index] = numbers.max(initial=0)
    return has_image, last


def crop_files(folder: Path) -> list[tuple[int, str]]:
    """Frame number and file name of every crop in the folder of a track, by rising number; empty without a folder.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("00010.jpg", "00002.jpg", "Thumbs.db"):
        ...         Path(folder, name).touch()
        ...     crop_files(Path(folder))
        [(2, '00002.jpg'), (10, '00010.jpg')]
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a Path per file takes ten times as long, over millions of files
    except (FileNotFoundError, NotADirectoryError):
        return []
    matches = (_CROP.fullmatch(name) for name in names)
    return sorted((int(match[1]), match[0]) for match in matches if match)


def _crop_numbers(folder: Path) -> Ints:
    return np.array([number for number, _ in crop_files(folder)], dtype=np.int32)
