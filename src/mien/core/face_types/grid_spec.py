# SPDX-License-Identifier: Apache-2.0
"""`GridSpec`: how the output of a face detector's graph becomes boxes, keypoints and confidence."""

from __future__ import annotations

from dataclasses import dataclass

from mien.core.errors import ConfigError
from mien.core.typed import check_finite

_MAX_STRIDE = 256
_MAX_GRIDS = 8


@dataclass(frozen=True, kw_only=True)
class GridSpec:
    """Grids of cells over an image, each of which may hold a face.

    The output has a column of 17 numbers per cell, row by row, the finest grid first: the logit z of a face; x and y of
    the box's middle, relative to the cell's middle; logarithms of the box's width and height; x and y of five
    keypoints, relative to the cell's middle; sine and cosine of the roll, of any length. Lengths are in units of the
    grid. The confidence is the logistic function of ``scale`` z + ``offset``.

    Attributes:
        strides: Sides of the cells of each grid in pixels, ascending; each divides the next.
        units: Unit of lengths of each grid in pixels.
        scale: Factor of the logit, fitted on held-out faces.
        offset: Summand of the scaled logit.
        threshold: Confidence in [0, 1] from which a cell counts as a face.
        proposed: Confidence in [0, 1] from which a cell counts as a face if a landmark model sees one there.
        sure: Confidence in [0, 1] from which a caller without second looks asks no landmark model.

    Examples:
        >>> GridSpec(strides=(8, 16, 32), units=(16.0, 40.0, 110.0)).multiple_px
        32
        >>> GridSpec(strides=(8, 12), units=(16.0, 40.0))
        Traceback (most recent call last):
        mien.core.errors.ConfigError: the strides of grids ascend, and each divides the next, got (8, 12)
    """

    strides: tuple[int, ...]
    units: tuple[float, ...]
    scale: float = 1.0
    offset: float = 0.0
    threshold: float = 0.5
    proposed: float = 0.4
    sure: float = 0.99

    def __post_init__(self) -> None:
        check_finite(self)
        steps = zip(self.strides, self.strides[1:], strict=False)
        if not self.strides or self.strides[0] < 1 or any(b <= a or b % a for a, b in steps):
            raise ConfigError(f"the strides of grids ascend, and each divides the next, got {self.strides}")
        if self.multiple_px > _MAX_STRIDE:
            raise ConfigError(f"the strides of grids are at most {_MAX_STRIDE}, got {self.strides}")
        if len(self.units) != len(self.strides) or not min(self.units) > 0:
            raise ConfigError(f"each of {len(self.strides)} grids needs a unit above 0, got {self.units}")
        if len(self.strides) > _MAX_GRIDS:
            raise ConfigError(f"a detector has at most {_MAX_GRIDS} grids, got {len(self.strides)}")
        levels = (self.threshold, self.proposed, self.sure)
        if not self.scale > 0 or not all(0 < level < 1 for level in levels):
            raise ConfigError(
                f"scale must be above 0, threshold, proposed and sure in (0, 1), got {self.scale} and {levels}"
            )

    @property
    def multiple_px(self) -> int:
        """Number that divides the sides of every input: the largest stride."""
        return self.strides[-1]

    def n_cells(self, height: int, width: int) -> int:
        """Number of cells over an image whose sides the grid divides.

        Examples:
            >>> FACE_GRID.n_cells(32, 64)
            42
        """
        return sum((height // stride) * (width // stride) for stride in self.strides)


FACE_GRID = GridSpec(strides=(8, 16, 32), units=(16.0, 40.0, 110.0))
"""Grids of `mien-faces`, before its confidence is fitted."""

CELL_VALUES = (
    "face",
    *("middle_x", "middle_y", "log_width", "log_height"),
    *(f"{axis}{number}" for number in range(5) for axis in "xy"),
    *("sine_roll", "cosine_roll"),
)
"""Names of the numbers of a cell, see `GridSpec`."""

N_CELL_VALUES = len(CELL_VALUES)
