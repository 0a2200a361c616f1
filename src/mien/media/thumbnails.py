# SPDX-License-Identifier: Apache-2.0
"""Small pictures of faces, as JPEG files in memory."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_MARGIN = 0.4  # of the box's longer side, around it: hair and chin make a face recognisable to its user
_JPEG_QUALITY = 80


def jpeg_thumbnail(image: npt.NDArray[np.uint8], box: tuple[float, float, float, float] | None, side_px: int) -> bytes:
    """A face with its surroundings, or a whole picture, as a small JPEG.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: xyxy in pixels, may leave the image; None for the whole picture.
        side_px: longest side of the result; nothing is enlarged.
    """
    height, width = image.shape[:2]
    if box is not None:
        x0, y0, x1, y1 = box
        reach = max(x1 - x0, y1 - y0) * (0.5 + _MARGIN)
        centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
        left, right = np.clip([centre_x - reach, centre_x + reach], 0, width).astype(int)
        top, bottom = np.clip([centre_y - reach, centre_y + reach], 0, height).astype(int)
        if right > left and bottom > top:
            image = image[top:bottom, left:right]
    scale = min(1.0, side_px / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return bytes(encoded.tobytes())
