# SPDX-License-Identifier: Apache-2.0
"""Faces made unrecognisable, for results that are shown to others."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import Faces
from mien.media.images import as_rgb

# Share of the box added to reach from face to head: hair and ears identify people too.
_ABOVE, _BELOW, _BESIDE = 0.45, 0.2, 0.25
# Cells over the whole head: about three across the face, less than any recogniser or reader of lips can use.
_CELLS_ACROSS, _CELLS_DOWN = 5, 6
_LEVELS = 32  # steps between the colours of cells: fine differences could be summed up over the frames of a video


# A head that the detector misses for a moment must not flash up in the result.
_HELD_S = 1.0


class RecentHeads:
    """Where heads are and were a moment ago, frame by frame: a face that is lost stays hidden for a second."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, npt.NDArray[np.float32]]] = {}

    def update(self, faces: Faces, time_s: float) -> Faces:
        """The faces of a frame, then those of tracks that were seen less than a second before and are gone.

        Args:
            faces: all faces of the frame.
            time_s: when it is shown; frames come in order.
        """
        self._seen = {track: seen for track, seen in self._seen.items() if time_s - seen[0] < _HELD_S}
        gone = [box for track, (_, box) in self._seen.items() if track not in faces.track_ids]
        for track, box in zip(faces.track_ids.tolist(), faces.boxes, strict=True):
            if track >= 0:
                self._seen[track] = (time_s, box)
        return Faces(boxes=np.concatenate([faces.boxes, *(box[None] for box in gone)]))


def anonymize_faces(image: npt.NDArray[np.uint8], faces: Faces) -> npt.NDArray[np.uint8]:
    """Replace every head by a few large cells of its mean colours, which cannot be undone.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: faces with boxes in pixels of this image; faces without a finite box are passed over.

    Returns:
        A new image; the given one is left as it is.

    Raises:
        InputError: not an image.
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


def _cells(head: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = head.shape[:2]
    n_cells = min(_CELLS_ACROSS, width), min(_CELLS_DOWN, height)
    means = cv2.resize(head, n_cells, interpolation=cv2.INTER_AREA)
    coarse = (means // _LEVELS * _LEVELS + _LEVELS // 2).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
