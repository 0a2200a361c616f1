# SPDX-License-Identifier: Apache-2.0
"""Shot cuts: does this frame continue the last one?"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from mien.faces.detector import Image

# Frames are compared as thumbnails (height, width): small enough that a moving face changes little.
_THUMBNAIL = (24, 32)
# Reading every k-th pixel first makes the cost independent of the frame's size.
_OVERSAMPLING = 3

# A cut changes the picture's structure, which correlation sees and a flash or a fade of the light does not change:
# measured cuts correlate below .3 with frames of other places and below .65 with the same studio and another person,
# while a fast pan stays above .65 and other motion above .85. The correlation of nearly flat frames is noise, so the
# gray values (0 to 255) must change too.
_LOW_CORRELATION, _LOW_CHANGE = 0.5, 8.0
_MIDDLE_CORRELATION, _MIDDLE_CHANGE = 0.75, 20.0
# Where frames are sampled sparsely or the camera swings, every step is large: a cut is larger than the steps before it.
_STAND_OUT = 2.0
_STEPS_REMEMBERED = 4


class CutDetector:
    """Tells shot cuts from motion, frame by frame."""

    def __init__(self) -> None:
        self._last: npt.NDArray[np.float32] | None = None
        self._changes: deque[float] = deque(maxlen=_STEPS_REMEMBERED)

    def update(self, image: Image) -> bool:
        """Whether a new shot begins with this frame. False for the first frame."""
        thumbnail = _thumbnail(image)
        last, self._last = self._last, thumbnail
        if last is None:
            return False
        change = float(np.abs(thumbnail - last).mean())
        correlation = _correlation(thumbnail, last)
        differs = (correlation < _LOW_CORRELATION and change > _LOW_CHANGE) or (
            correlation < _MIDDLE_CORRELATION and change > _MIDDLE_CHANGE
        )
        if differs and change > _STAND_OUT * max(self._changes, default=0.0):
            self._changes.clear()
            return True
        self._changes.append(change)
        return False


def _thumbnail(image: Image) -> npt.NDArray[np.float32]:
    """Mean gray of the frame's tiles, (24, 32) in [0, 255]."""
    height, width = _THUMBNAIL
    step_y = max(1, image.shape[0] // (height * _OVERSAMPLING))
    step_x = max(1, image.shape[1] // (width * _OVERSAMPLING))
    small = cv2.resize(image[::step_y, ::step_x], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small.mean(axis=2), np.float32)


def _correlation(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    """Pearson correlation; 0 where one of them is flat."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0
