# SPDX-License-Identifier: Apache-2.0
"""Has anything but the known faces changed since faces were last looked for?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.faces.boxes import Boxes

# Gray levels (0 to 255) of a tile's mean. Before fixed cameras tiles differ by 1 or 2 from half a second to the next
# (the encoder, the sensor), while a face that comes into view changes some by dozens.
_MOST_CHANGE = 6.0
# A known face moves, and its hair and collar with it: tiles within so many sides of its box are not looked at.
_AROUND = 0.5

Thumbnail = npt.NDArray[np.float32]


class Stillness:
    """Compares pictures with the one in which faces were last looked for.

    Where that shows the same, no new face can have come.
    """

    def __init__(self) -> None:
        self._scanned: Thumbnail | None = None
        self._faces = np.empty((0, 4), np.float32)

    def scanned(self, thumbnail: Thumbnail, faces: Boxes) -> None:
        """Remember what was searched.

        Args:
            thumbnail: of the picture, see `mien.faces.cuts.thumbnail_of`.
            faces: (N, 4) known in it, as fractions of the picture's width and height.
        """
        self._scanned, self._faces = thumbnail, faces

    def forget(self) -> None:
        """Nothing was searched yet, in this shot."""
        self._scanned = None

    def holds(self, thumbnail: Thumbnail, faces: Boxes) -> bool:
        """Whether a picture shows what was searched, but for the faces (M, 4) that are known now or were known then."""
        if self._scanned is None:
            return False
        changed = np.abs(thumbnail - self._scanned) > _MOST_CHANGE
        if not changed.any():
            return True
        height, width = changed.shape
        for x0, y0, x1, y1 in np.concatenate([faces, self._faces]).tolist():
            beside, above = _AROUND * (x1 - x0), _AROUND * (y1 - y0)
            top, bottom = _tiles(y0 - above, y1 + above, height)
            left, right = _tiles(x0 - beside, x1 + beside, width)
            changed[top:bottom, left:right] = False
        return not changed.any()


def _tiles(low: float, high: float, n_tiles: int) -> tuple[int, int]:
    """First tile that a stretch touches, and the one after the last."""
    return max(int(np.floor(low * n_tiles)), 0), max(int(np.ceil(high * n_tiles)), 0)
