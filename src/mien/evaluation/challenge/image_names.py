# SPDX-License-Identifier: Apache-2.0
"""Images of a data set found by their paths among the paths of predictions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mien.core import InputError

Parts = tuple[str, ...]


class ImageNames:
    """Finds images in a list of paths, such as the sources of a table or the names in a file of predictions.

    A path stands for an image if both end alike: ``data/validation/FEAR/1.jpg`` for ``FEAR/1.jpg``. A path of another
    folder of the same data set does not. If no path ends like the image, its file name decides, where no other path
    has it. Each path stands for one image.

    Args:
        paths: Paths, with slashes of either kind.
        place: File or folder that they come from, for messages.
        folder: Folder of the images of the data set; None where it is unknown.

    Examples:
        >>> names = ImageNames(["x/FEAR/1.jpg", "x/ANGER/1.jpg", "x/ANGER/2.jpg"], "tables")
        >>> names.find("ANGER/1.jpg"), names.find("2.jpg"), names.find("3.jpg")
        ('x/ANGER/1.jpg', 'x/ANGER/2.jpg', None)
        >>> names.find("1.jpg")
        Traceback (most recent call last):
        mien.core.errors.InputError: tables: 1.jpg may be x/ANGER/1.jpg or x/FEAR/1.jpg; keep the paths of one folder
    """

    def __init__(self, paths: Iterable[str], place: str | Path, folder: Path | None = None) -> None:
        self._place, self._folder = place, folder
        self._above: Parts = () if folder is None else folder.absolute().parts
        self._by_file: dict[str, list[tuple[str, Parts]]] = {}
        self._taken: dict[str, str] = {}
        self._other_folders: dict[str, bool] = {}
        for path in paths:
            parts = _parts(path)
            if parts:
                self._by_file.setdefault(parts[-1], []).append((path, parts))

    def find(self, name: str) -> str | None:
        """The path that stands for an image, as it was given; None if there is none.

        Args:
            name: Path of the image relative to the folder of the data set.

        Raises:
            InputError: Several paths may stand for the image, or one for several images.
        """
        wanted = _parts(name)
        if not wanted or wanted[-1] not in self._by_file:
            return None
        own = [(path, parts) for path, parts in self._by_file[wanted[-1]] if not self._elsewhere(parts, len(wanted))]
        whole = (*self._above, *wanted)
        alike = [
            (_common(parts, whole), path) for path, parts in own if _common(parts, wanted) == _shorter(parts, wanted)
        ]
        most = max((n for n, _ in alike), default=0)
        best = sorted(path for n, path in alike if n == most) or sorted(path for path, _ in own)
        if len(best) > 1:
            shown = " or ".join(best[:2])
            raise InputError(f"{self._place}: {name} may be {shown}; keep the paths of one folder")
        if not best:
            return None
        other = self._taken.setdefault(best[0], "/".join(wanted))
        if other != "/".join(wanted):
            raise InputError(
                f"{self._place}: {best[0]} may be {other} or {name}; give paths with the folders that tell them apart"
            )
        return best[0]

    def _elsewhere(self, parts: Parts, n_name: int) -> bool:
        """Whether a path lies in another folder beside that of the images."""
        if self._folder is None or len(parts) <= n_name:
            return False
        above = parts[-n_name - 1]
        if above == self._folder.name:
            return False
        if above not in self._other_folders:
            self._other_folders[above] = (self._folder.parent / above).is_dir()
        return self._other_folders[above]


def _parts(path: str) -> Parts:
    return PurePosixPath(path.replace("\\", "/")).parts


def _common(a: Parts, b: Parts) -> int:
    """Number of equal parts at the end of both."""
    n = 0
    while n < min(len(a), len(b)) and a[-1 - n] == b[-1 - n]:
        n += 1
    return n


def _shorter(a: Parts, b: Parts) -> int:
    return min(len(a), len(b))
