# SPDX-License-Identifier: Apache-2.0
"""Makes heads unrecognisable, in photos and through the frames of a video."""

from __future__ import annotations

import cv2
import numpy as np

from mien.core import Faces, Float32, Image
from mien.media.images import as_rgb

# Share of the box added to reach from face to head: hair and ears identify people too.
_ABOVE, _BELOW, _BESIDE = 0.45, 0.2, 0.25
# Cells over the whole head: about three across the face, too few for face recognition and for lip reading.
_CELLS_ACROSS, _CELLS_DOWN = 5, 6
_LEVELS = 32  # colour steps of cells: finer colours could be averaged over the frames of a video

# A head that the detector misses briefly must not become visible in the result.
_HELD_S = 1.0


class RecentHeads:
    """Boxes of current and recent heads, so that a face that the detector loses stays hidden for one second.

    Examples:
        >>> heads = RecentHeads()
        >>> face = Faces(boxes=np.array([[10, 10, 40, 50]], np.float32), track_ids=[7])
        >>> len(heads.update(face, time_s=0.0))
        1
        >>> len(heads.update(Faces.empty(), time_s=0.5)), len(heads.update(Faces.empty(), time_s=1.0))
        (1, 0)
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, Float32]] = {}

    def update(self, faces: Faces, time_s: float) -> Faces:
        """Boxes of the frame's faces, then those of tracks that were visible less than one second before.

        Args:
            faces: All faces of the frame.
            time_s: Time of the frame in seconds, increasing from call to call.
        """
        self._seen = {track: seen for track, seen in self._seen.items() if time_s - seen[0] < _HELD_S}
        gone = [box for track, (_, box) in self._seen.items() if track not in faces.track_ids]
        for track, box in zip(faces.track_ids.tolist(), faces.boxes, strict=True):
            if track >= 0:
                self._seen[track] = (time_s, box)
        return Faces(boxes=np.concatenate([faces.boxes, *(box[None] for box in gone)]))


def anonymize_faces(image: Image, faces: Faces) -> Image:
    """Replace every head irreversibly by a few large cells of its mean colours.

    Args:
        image: (H, W, 3) uint8 RGB, or what else `read_image` takes.
        faces: Faces with boxes in pixels of this image; faces without a finite box are skipped.

    Returns:
        A new image; the input is not changed.

    Raises:
        InputError: The input is not an image.

    Examples:
        >>> image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
        >>> hidden = anonymize_faces(image, Faces(boxes=np.array([[60, 60, 140, 140]], np.float32)))
        >>> len(np.unique(hidden[60:140, 60:140].reshape(-1, 3), axis=0)) <= 30
        True
        >>> bool((hidden[:20] == image[:20]).all())
        True
    """
    result = as_rgb(image).copy()
    height, width = result.shape[:2]
    for x0, y0, x1, y1 in faces.boxes[np.isfinite(faces.boxes).all(axis=1)]:
        box_width, box_height = x1 - x0, y1 - y0
        left, right = np.clip([x0 - _BESIDE * box_width, x1 + _BESIDE * box_width], 0, width)
        top, bottom = np.clip([y0 - _ABOVE * box_height, y1 + _BELOW * box_height], 0, height)
        head = result[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
        if head.size:
            head[:] = _cells(head)
    return result


def _cells(head: Image) -> Image:
    height, width = head.shape[:2]
    n_cells = min(_CELLS_ACROSS, width), min(_CELLS_DOWN, height)
    means = cv2.resize(head, n_cells, interpolation=cv2.INTER_AREA)
    coarse = (means // _LEVELS * _LEVELS + _LEVELS // 2).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
