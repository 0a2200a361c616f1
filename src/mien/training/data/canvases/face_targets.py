# SPDX-License-Identifier: Apache-2.0
"""What a detector learns about each face of a canvas, as one row of numbers, and how it moves with the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import Float32

Doubles = npt.NDArray[np.float64]

FACE_COLUMNS = 21
"""Numbers of a face: box xyxy, visible box xyxy, five keypoints (x, y), sine and cosine of the roll, weight."""

MAX_FACES = 40
"""Most faces of a canvas; unused rows are NaN."""

BOX, VISIBLE, KEYPOINTS, ROLL, WEIGHT = slice(0, 4), slice(4, 8), slice(8, 18), slice(18, 20), 20
"""Columns of a face. Weight 1: the detector must find it; weight 0: it may."""

_LEAST_VISIBLE = 0.33
_LEAST_SIDE_PX = 9.0
_LEAST_KEYPOINTS = 2  # with fewer, the visible part is flat skin, which looks like a sky or a wall
# Keypoints in a mirrored picture: the two eyes and the two mouth corners change places.
_MIRRORED_KEYPOINTS = (1, 0, 2, 4, 3)


@dataclass(frozen=True, eq=False)
class FacePatch:
    """A picture of one face.

    Attributes:
        image: (H, W) uint8 gray.
        box: (4,) xyxy of the whole face in pixels; may leave the image.
        keypoints: (5, 2) pixels in the order of `mien.faces.Detections`.
    """

    image: npt.NDArray[np.uint8]
    box: Float32
    keypoints: Float32

    @property
    def side_px(self) -> float:
        """Root of the box's area."""
        width, height = self.box[2:] - self.box[:2]
        return float(np.sqrt(width * height))


def face_row(patch: FacePatch, matrix: Doubles, weight: float = 1.0) -> Doubles:
    """(FACE_COLUMNS,) the face of a patch after a similarity (2, 3).

    The box of a turned face is that about the turned ellipse within the box of the upright face.
    """
    height, width = patch.image.shape
    inside = np.clip(patch.box, 0, [width, height, width, height])
    keypoints = patch.keypoints @ matrix[:, :2].T + matrix[:, 2]
    row = np.empty(FACE_COLUMNS)
    row[BOX], row[VISIBLE] = _turned(patch.box, matrix), _turned(inside, matrix)
    row[KEYPOINTS] = keypoints.ravel()
    down = keypoints[3:].mean(axis=0) - keypoints[:2].mean(axis=0)
    row[ROLL] = np.array([-down[0], down[1]]) / max(float(np.hypot(*down)), 1e-6)
    row[WEIGHT] = weight
    return row


def _turned(box: npt.ArrayLike, matrix: Doubles) -> Doubles:
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) @ matrix[:, :2].T + matrix[:, 2]
    half = np.hypot(matrix[:, 0] * (x1 - x0) / 2, matrix[:, 1] * (y1 - y0) / 2)
    return np.concatenate([centre - half, centre + half])


def window_rows(rows: Float32, corner: tuple[int, int], size_px: int, *, mirrored: bool) -> Float32:
    """Faces (K, FACE_COLUMNS) as seen in a square window of their canvas; NaN rows stay.

    A face of which little is visible, with less than two keypoints, or a tiny one, gets weight 0; one outside the
    window becomes NaN.
    """
    moved = rows.copy()
    x, y = corner
    moved[:, :18] -= np.tile(np.array([x, y], np.float32), 9)
    if mirrored:
        keypoints = moved[:, KEYPOINTS].reshape(-1, 5, 2)[:, _MIRRORED_KEYPOINTS]
        moved[:, KEYPOINTS] = keypoints.reshape(-1, 10)
        moved[:, 0:18:2] = size_px - moved[:, 0:18:2]
        moved[:, [0, 2, 4, 6]] = moved[:, [2, 0, 6, 4]]
        moved[:, 18] *= -1
    moved[:, VISIBLE] = np.clip(moved[:, VISIBLE], 0, size_px)
    size = moved[:, 2:4] - moved[:, :2]
    seen = np.maximum(moved[:, 6:8] - moved[:, 4:6], 0)
    with np.errstate(invalid="ignore"):
        share = seen.prod(axis=1) / np.maximum(size.prod(axis=1), 1e-6)
        points = moved[:, KEYPOINTS].reshape(-1, 5, 2)
        shown = (points >= moved[:, None, 4:6]) & (points <= moved[:, None, 6:8])
        is_flat = shown.all(axis=2).sum(axis=1) < _LEAST_KEYPOINTS
        hard = is_flat | (share < _LEAST_VISIBLE) | (size.min(axis=1) < _LEAST_SIDE_PX)
    moved[hard, WEIGHT] = 0
    moved[~(share > 0)] = np.nan
    return moved
