# SPDX-License-Identifier: Apache-2.0
"""Official face crops, ``<track>/00001.jpg``, and the names of the videos that tracks belong to."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.datasets.text_files import AnnotationError

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]

CROP_FOLDERS = ("cropped_aligned", "cropped")
"""Names of the official folders, the one that a reader takes by itself first."""

_VIDEO_SUFFIXES = frozenset({".avi", ".mkv", ".mov", ".mp4", ".webm"})
_CROP = re.compile(r"(\d+)\.jpe?g")


def crop_name(frame: int) -> str:
    """File name of the crop of a frame, counted from 1: ``00001.jpg``."""
    return f"{frame:05d}.jpg"


def base_video(track: str) -> str:
    """The video of a track, whose sound all its tracks share: ``X`` for ``X``, ``X_left`` and ``X_right``."""
    return track.removesuffix("_left").removesuffix("_right")


def find_crops(folder: Path, name: str | None) -> Path | None:
    """The folder of crops: the one of that name, or the first of `CROP_FOLDERS`, None where neither is there.

    Raises:
        AnnotationError: a name was given and there is no such folder.
    """
    if name is not None:
        if not (folder / name).is_dir():
            raise AnnotationError(folder / name, "no such folder of crops")
        return folder / name
    return next((folder / candidate for candidate in CROP_FOLDERS if (folder / candidate).is_dir()), None)


def find_videos(folder: str | Path) -> dict[str, Path]:
    """Raw videos in the folder or one below it, by name without suffix; of two with one name the first is taken."""
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
    crops: Path | None, tracks: Sequence[str], track_index: npt.NDArray[np.integer], frame: npt.NDArray[np.integer]
) -> tuple[Bools, Ints]:
    """Which rows have a crop, and the number of the last crop of each track. File names are listed, nothing is opened.

    Args:
        crops: folder of tracks, None where there is none.
        tracks: T names.
        track_index: (N,) into ``tracks``.
        frame: (N,) from 1.

    Returns:
        (N,) bool and (T,) int32, 0 for a track without crops.
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
    """Frame number and file name of every crop in the folder of a track, by rising number; none without a folder."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a Path per file takes ten times as long, over millions of files
    except (FileNotFoundError, NotADirectoryError):
        return []
    matches = (_CROP.fullmatch(name) for name in names)
    return sorted((int(match[1]), match[0]) for match in matches if match)


def _crop_numbers(folder: Path) -> Ints:
    return np.array([number for number, _ in crop_files(folder)], dtype=np.int32)
