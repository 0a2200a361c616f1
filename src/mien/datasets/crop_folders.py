# SPDX-License-Identifier: Apache-2.0
"""Folders of official face crops, ``<track>/00001.jpg``, and the videos that tracks belong to."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import Bools, Integers
from mien.datasets.text_files import AnnotationError, is_stray

Ints = npt.NDArray[np.int32]

CROP_FOLDERS = ("cropped_aligned", "cropped")
"""Names of the official kinds of crops, in the order in which a reader tries them."""

_VIDEO_SUFFIXES = frozenset({".avi", ".mkv", ".mov", ".mp4", ".webm"})
_CROP = re.compile(r"(\d+)\.(?:jpe?g|png|bmp|webp)", re.IGNORECASE)
_LEVELS_BELOW = 2

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Suffixes of images in folders that name a class or a person."""


@dataclass(frozen=True)
class CropFolders:
    """The folders that hold the crops of a data set, ``<folder>/<track>/00001.jpg``.

    The crops of one kind come in several archives: ``cropped_aligned`` and ``cropped_aligned_new_50_vids``.

    Attributes:
        folders: Folders in which a track is looked for, in this order; at least one.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("cropped_aligned/a/00002.jpg", "cropped_aligned_new_50_vids/b/00001.JPG"):
        ...         Path(folder, name).parent.mkdir(parents=True)
        ...         Path(folder, name).touch()
        ...     crops = find_crops(Path(folder), None)
        ...     [place.name for place in crops.folders], crops.tracks(), [file for _, file in crops.files("b")]
        (['cropped_aligned', 'cropped_aligned_new_50_vids'], ['a', 'b'], ['00001.JPG'])
    """

    folders: tuple[Path, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.folders))

    def track_folder(self, track: str) -> Path:
        """The folder with the crops of a track; where it would be if there is none.

        Raises:
            AnnotationError: Two folders hold different crops of the track.
        """
        found = [place / track for place in self.folders if (place / track).is_dir()]
        filled = [place for place in found if crop_files(place)]
        if len(filled) > 1 and any(crop_files(place) != crop_files(filled[0]) for place in filled[1:]):
            raise AnnotationError(filled[1], f"holds other crops of the track than {filled[0]}; keep one of them")
        return (filled or found or [self.folders[0] / track])[0]

    def files(self, track: str) -> list[tuple[int, str]]:
        """Frame number and file name of every crop of a track, by rising number; empty without a crop."""
        return crop_files(self.track_folder(track))

    def tracks(self) -> list[str]:
        """Names of all tracks with a folder, sorted."""
        return sorted({path.name for place in self.folders for path in subfolders(place)})


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


def find_crops(folder: Path, name: str | None) -> CropFolders | None:
    """Find the folders of crops, in any case and with all their archives.

    Args:
        folder: Folder of the data set.
        name: Kind of the crops, one of `CROP_FOLDERS`, or the name of a folder; None takes the first kind of
            `CROP_FOLDERS` that the folder holds.

    Returns:
        The folders of one kind, or None where no name was given and no folder exists.

    Raises:
        AnnotationError: A name was given and no folder exists.
    """
    kinds: dict[str, list[Path]] = {kind: [] for kind in CROP_FOLDERS}
    for place in subfolders(folder):
        kind = _kind(place.name)
        if kind:
            kinds[kind] += _inner(place, kind)
    if name is not None:
        found = kinds.get(name) or ([folder / name] if (folder / name).is_dir() else [])
        if not found:
            raise AnnotationError(folder / name, "no such folder of crops")
        return CropFolders(tuple(found))
    # An empty folder of one kind does not hide the crops of the other.
    filled = [found for found in kinds.values() if any(subfolders(place) for place in found)]
    chosen = next(iter([*filled, *(found for found in kinds.values() if found)]), None)
    return CropFolders(tuple(chosen)) if chosen else None


def crops_at(path: Path) -> CropFolders:
    """The crops in a folder that a user names: of a data set, of one kind of crops, or of tracks.

    ``cropped_aligned`` itself also stands for the further archives beside it.

    Raises:
        AnnotationError: There is no such folder.
    """
    if not path.is_dir():
        raise AnnotationError(path, "no such folder; name the one that holds <track>/00001.jpg")
    inside = find_crops(path, None)
    if inside is not None:
        return inside
    if path.name.casefold() in CROP_FOLDERS:
        beside = find_crops(path.absolute().parent, path.name.casefold())
        if beside is not None:
            return CropFolders((path, *(place for place in beside.folders if place.name != path.name)))
    return CropFolders((path,))


def deeper_crops(folder: Path) -> list[str]:
    """Folders of crops below the place where they belong, relative to the folder; for messages.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "batch1/cropped_aligned").mkdir(parents=True)
        ...     deeper_crops(Path(folder))
        ['batch1/cropped_aligned']
    """
    found, level = [], [path for path in subfolders(folder) if not _kind(path.name)]
    for _ in range(_LEVELS_BELOW):
        below = [path for place in level for path in subfolders(place)]
        found += [path.relative_to(folder).as_posix() for path in below if _kind(path.name)]
        level = [path for path in below if not _kind(path.name)]
    return found


def _kind(name: str) -> str | None:
    """Kind of crops that a folder name stands for: ``Cropped_Aligned_new_50_vids`` is ``cropped_aligned``."""
    key = re.sub(r"[\s-]+", "_", name.casefold())
    return next((kind for kind in CROP_FOLDERS if key == kind or key.startswith(f"{kind}_")), None)


def _inner(place: Path, kind: str) -> list[Path]:
    """The folder itself, or the ones of its kind in it, as some archives unpack."""
    return [path for path in subfolders(place) if _kind(path.name) == kind] or [place]


def images_in(folder: Path) -> list[str]:
    """Names of the images in a folder, sorted, without what systems leave there."""
    names = os.listdir(folder)  # noqa: PTH208 - a Path per file takes ten times as long
    return sorted(name for name in names if name.lower().endswith(IMAGE_SUFFIXES) and not is_stray(name))


def subfolders(folder: Path, *, without_crops: bool = False) -> list[Path]:
    """Folders in a folder, sorted, without what systems leave there; empty where there is no such folder.

    Args:
        folder: Folder to list.
        without_crops: Whether folders of crops, which hold thousands of others, are passed over.
    """
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not is_stray(path.name))
    return [path for path in found if not (without_crops and _kind(path.name))]


def find_folder(folder: Path, *names: str) -> Path | None:
    """The first of several folders that exists, ``"a/b"`` for one below another, in any case.

    A folder that holds nothing but one of its own name, as some archives unpack, is that one.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "Images/Aligned").mkdir(parents=True)
        ...     find_folder(Path(folder), "Image/aligned", "images/aligned").name
        'Aligned'
    """
    for name in names:
        places = [folder]
        for part in name.split("/"):
            places = [path for place in places for path in _all_named(subfolders(place), part)]
        if places:
            inside = subfolders(places[0])
            same = _all_named(inside, places[0].name)
            return same[0] if same and len(inside) == 1 else places[0]
    return None


def find_file(folder: Path, *names: str) -> Path | None:
    """The first of several files in the folder or one level below it, in any case.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "fer2013").mkdir()
        ...     _ = Path(folder, "fer2013/FER2013.csv").write_text("")
        ...     find_file(Path(folder), "fer2013.csv").name
        'FER2013.csv'
    """
    if not folder.is_dir():
        return None
    for place in (folder, *subfolders(folder, without_crops=True)):
        files = [path for path in sorted(place.iterdir()) if path.is_file() and not is_stray(path.name)]
        for name in names:
            found = _all_named(files, name)
            if found:
                return found[0]
    return None


def _all_named(paths: Sequence[Path], name: str) -> list[Path]:
    """The paths of a name in any case, the exact one first."""
    found = [path for path in paths if path.name.casefold() == name.casefold()]
    return sorted(found, key=lambda path: path.name != name)


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
    for place in (folder, *subfolders(folder)):
        for path in sorted(place.iterdir()):
            if path.suffix.lower() in _VIDEO_SUFFIXES and not is_stray(path.name):
                found.setdefault(path.stem, path)
    return found


def match_crops(
    crops: CropFolders | None, tracks: Sequence[str], track_index: Integers, frame: Integers
) -> tuple[Bools, Ints]:
    """Match rows with the crops in folders; only names are listed, no file is opened.

    Args:
        crops: Folders that hold one folder per track, or None.
        tracks: T names of tracks.
        track_index: (N,) indices into ``tracks``.
        frame: (N,) frame numbers, counted from 1.

    Returns:
        (N,) bool, whether the row has a crop, and (T,) int32, the number of the last crop of each track or 0.

    Raises:
        AnnotationError: The crops of a track are counted from 0, or there are two for one frame.
    """
    has_image = np.zeros(len(frame), dtype=bool)
    last = np.zeros(len(tracks), dtype=np.int32)
    if crops is None:
        return has_image, last
    order = np.argsort(track_index, kind="stable")
    bounds = np.searchsorted(track_index[order], np.arange(len(tracks) + 1))
    for index, track in enumerate(tracks):
        numbers = np.array([number for number, _ in crops.files(track)], dtype=np.int32)
        rows = order[bounds[index] : bounds[index + 1]]
        has_image[rows] = np.isin(frame[rows], numbers)
        last[index] = numbers.max(initial=0)
    return has_image, last


def crop_files(folder: Path) -> list[tuple[int, str]]:
    """Frame number and file name of every crop in the folder of a track, by rising number; empty without a folder.

    Raises:
        AnnotationError: The crops are counted from 0, so that each would be the frame after its own; or two files are
            the crop of one frame.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("00010.jpg", "00002.JPG", "Thumbs.db", "._00002.jpg"):
        ...         Path(folder, name).touch()
        ...     crop_files(Path(folder))
        [(2, '00002.JPG'), (10, '00010.jpg')]
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a Path per file takes ten times as long, over millions of files
    except (FileNotFoundError, NotADirectoryError):
        return []
    matches = (_CROP.fullmatch(name) for name in names)
    files = sorted((int(match[1]), match[0]) for match in matches if match)
    if files and files[0][0] == 0:
        raise AnnotationError(folder / files[0][1], "is crop 0; frames are counted from 1, so number the crops from 1")
    for (number, name), (following, other) in itertools.pairwise(files):
        if number == following:
            raise AnnotationError(folder / other, f"is a second crop of frame {number} beside {name}; keep one of them")
    return files
