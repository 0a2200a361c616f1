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
