# SPDX-License-Identifier: Apache-2.0
"""Windows of canvases: what one step of a detector's training sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float32
from mien.training.data.augmentation import relight
from mien.training.data.canvases.face_targets import FACE_COLUMNS, window_rows
from mien.training.recipes.settings import AugmentationSettings

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Window:
    """Where a window was cut.

    Attributes:
        corner: Place (x, y) of its upper left pixel on the canvas.
        size_px: Side of the window.
        mirrored: Whether it was mirrored afterwards.
    """

    corner: tuple[int, int]
    size_px: int
    mirrored: bool

    def placed(self, faces: Float32) -> Float32:
        """The faces (K * FACE_COLUMNS,) of the canvas as seen in the window."""
        rows = faces.reshape(-1, FACE_COLUMNS)
        return window_rows(rows, self.corner, self.size_px, mirrored=self.mirrored).reshape(-1)


class WindowSampler:
    """Draws a window of a canvas at a time.

    Args:
        settings: Random changes; ``flip`` and those of light are used.
        size_px: Side of the windows.
        rng: Source of all randomness.
    """

    def __init__(self, settings: AugmentationSettings, size_px: int, rng: np.random.Generator) -> None:
        self._settings, self._size, self._rng = settings, size_px, rng

    def __call__(self, canvas: Pixels) -> tuple[Pixels, Window]:
        """A (size, size) uint8 window and where it was cut.

        Raises:
            ConfigError: The canvas is smaller than a window.
        """
        height, width = canvas.shape
        if min(height, width) < self._size:
            raise ConfigError(f"a window of {self._size} px does not fit on a canvas of {width} x {height} px")
        x = int(self._rng.integers(0, width - self._size + 1))
        y = int(self._rng.integers(0, height - self._size + 1))
        window = canvas[y : y + self._size, x : x + self._size]
        mirrored = bool(self._rng.random() < self._settings.flip)
        shown = np.ascontiguousarray(window[:, ::-1] if mirrored else window)
        return relight(shown, self._settings, self._rng), Window((x, y), self._size, mirrored)


def clean_window(canvas: Pixels, size_px: int) -> Pixels:
    """The middle of a canvas, (size, size), without any random change."""
    y, x = ((side - size_px) // 2 for side in canvas.shape)
    return np.ascontiguousarray(canvas[y : y + size_px, x : x + size_px])
