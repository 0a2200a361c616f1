# SPDX-License-Identifier: Apache-2.0
"""Shot cuts, and static scenes in which no new face can have appeared."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from mien.core import Float32, Image
from mien.faces.boxes import Boxes

Thumbnail = Float32
"""(24, 32) mean gray of the tiles of a frame, in [0, 255]."""

# Frames are compared as thumbnails (height, width): small enough that a moving face changes little.
_THUMBNAIL = (24, 32)
# Taking every k-th pixel first makes the cost independent of the frame's size.
_OVERSAMPLING = 3

_STEPS_REMEMBERED = 4


@dataclass(frozen=True)
class _Rule:
    """A cut has a lower correlation, and a change of gray that is larger and so many times that of the steps before."""

    correlation: float
    change: float
    stand_out: float


# A cut changes the structure of the image, which lowers the correlation; a flash or a fade of the light does not:
# observed cuts correlate below 0.5 with frames of other places and below 0.65 with the same studio and another person,
# while a fast pan stays above 0.65 and other motion above 0.85. The correlation of nearly flat frames is noise, so the
# gray values (0 to 255) must change too. Where frames are sampled sparsely or the camera swings, every step is large,
# and a cut is larger than those before it: by little where it shows a new place, by much in the same studio.
_RULES = (
    _Rule(correlation=0.5, change=8.0, stand_out=1.5),
    _Rule(correlation=0.75, change=20.0, stand_out=4.0),
)


# Frames of one scene correlate by more, far above any cut; flat ones, whose correlation is noise, differ by less.
_SAME_CORRELATION = 0.9
_SAME_CHANGE = 4.0


class CutDetector:
    """Distinguishes shot cuts from motion, frame by frame.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> here, there = (rng.integers(0, 256, (6, 8), np.uint8).repeat(30, 0).repeat(30, 1) for _ in range(2))
        >>> detector = CutDetector()
        >>> [detector.update(frame) for frame in (here, here, there, there)]
        [False, False, True, False]
    """

    def __init__(self) -> None:
        self._last: Float32 | None = None
        self._changes: deque[float] = deque(maxlen=_STEPS_REMEMBERED)

    def update(self, image: Image) -> bool:
        """Whether a new shot begins with this frame, (H, W, 3) or in gray (H, W). False for the first frame."""
        return self.take(thumbnail_of(image))

    def take(self, thumbnail: Float32) -> bool:
        """Like `update`, from a frame's `thumbnail_of`."""
        last, self._last = self._last, thumbnail
        if last is None:
            return False
        change = float(np.abs(thumbnail - last).mean())
        correlation = _correlation(thumbnail, last)
        before = max(self._changes, default=0.0)
        if any(
            correlation < rule.correlation and change > max(rule.change, rule.stand_out * before) for rule in _RULES
        ):
            self._changes.clear()
            return True
        self._changes.append(change)
        return False


def same_scene(first: Thumbnail, second: Thumbnail) -> bool:
    """Whether two frames show the same place and the same people in it, if perhaps in another light.

    Examples:
        >>> here = np.random.default_rng(0).uniform(0, 200, (24, 32)).astype(np.float32)
        >>> same_scene(here, here * 1.2), same_scene(here, here.T.reshape(24, 32))
        (True, False)
    """
    return _correlation(first, second) > _SAME_CORRELATION or float(np.abs(first - second).mean()) < _SAME_CHANGE


def thumbnail_of(image: Image) -> Float32:
    """Mean gray of the tiles of a frame, (H, W, 3) or in gray (H, W): (24, 32) in [0, 255].

    Examples:
        >>> thumbnail = thumbnail_of(np.full((480, 640), 90, np.uint8))
        >>> thumbnail.shape, thumbnail.max().item()
        ((24, 32), 90.0)
    """
    height, width = _THUMBNAIL
    step_y = max(1, image.shape[0] // (height * _OVERSAMPLING))
    step_x = max(1, image.shape[1] // (width * _OVERSAMPLING))
    small = cv2.resize(image[::step_y, ::step_x], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small if small.ndim == 2 else small.mean(axis=2), np.float32)


def _correlation(first: Float32, second: Float32) -> float:
    """Pearson correlation; 0 where one of them is flat."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0


# Gray levels (0 to 255) of a tile's mean. Before fixed cameras tiles differ by 1 or 2 from half a second to the next
# (the encoder, the sensor), while a face that comes into view changes some by dozens.
_MOST_CHANGE = 6.0
# A known face moves, and its hair and collar with it: tiles within so many sides of its box do not count.
_AROUND = 0.5


class StaticScene:
    """Compares frames with the one in which faces were last searched.

    Where nothing else than the known faces has changed, no new face can have appeared.

    Examples:
        >>> scene, no_faces = StaticScene(), np.empty((0, 4), np.float32)
        >>> scene.remember(np.zeros((24, 32), np.float32), no_faces)
        >>> changed = np.zeros((24, 32), np.float32)
        >>> changed[5, 5] = 80
        >>> scene.unchanged(np.ones((24, 32), np.float32), no_faces), scene.unchanged(changed, no_faces)
        (True, False)
    """

    def __init__(self) -> None:
        self._scanned: Thumbnail | None = None
        self._faces = np.empty((0, 4), np.float32)

    def remember(self, thumbnail: Thumbnail, faces: Boxes) -> None:
        """Remember the frame that was searched.

        Args:
            thumbnail: Thumbnail of the frame, see `mien.faces.scene_changes.thumbnail_of`.
            faces: (N, 4) boxes of the faces in it, as fractions of the frame's width and height.
        """
        self._scanned, self._faces = thumbnail, faces

    def reset(self) -> None:
        """Forget the searched frame, at the beginning of a shot."""
        self._scanned = None

    def unchanged(self, thumbnail: Thumbnail, faces: Boxes) -> bool:
        """Whether a frame shows the same as the searched one outside the known faces.

        Args:
            thumbnail: Thumbnail of the frame.
            faces: (M, 4) boxes of the known faces, as fractions of the frame's width and height.
        """
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
    """First tile that an interval touches, and the one after the last."""
    return max(int(np.floor(low * n_tiles)), 0), max(int(np.ceil(high * n_tiles)), 0)
