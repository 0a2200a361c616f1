# SPDX-License-Identifier: Apache-2.0
"""A decoded frame to the picture that a viewer shows: RGB, square pixels, upright, one size for the whole video."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.buffer import Buffer
from av.video.reformatter import VideoReformatter

from mien.core import InputError
from mien.media.images import MAX_PIXELS, upright

# Pixels more stretched than this are a damaged header, not a film.
_MAX_STRETCH = 4

# Signs of the display matrix (x' = ax + cy, y' = bx + dy, y down) -> the EXIF orientation that does the same.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_ORIENTATION_OF_TURN = (1, 8, 3, 6)  # by quarter turns counter-clockwise
_CLOCKWISE_DEG = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}


class PictureMaker:
    """Turns decoded frames into RGB arrays of one size.

    The first frame decides size and orientation. A later frame of another size is fitted in with black bars, so that
    boxes and tracks keep their meaning. Interlaced frames show their upper field only, its lines doubled smoothly:
    motion then has no combs, at half the vertical detail.

    Args:
        frame: the first frame.
        pixel_aspect: width of a pixel over its height as the stream tells it; None or 0 if it does not.
        name: what messages call the video.

    Raises:
        InputError: the picture is too large.
    """

    def __init__(self, frame: av.VideoFrame, pixel_aspect: Fraction | None, name: str) -> None:
        self._pixel_aspect = _plausible(pixel_aspect)
        self._orientation = _orientation(frame)
        self._reformatter = VideoReformatter()
        self._name = name
        width, height = self._square_size(frame)
        self.rotation_deg = _CLOCKWISE_DEG.get(self._orientation, 0)
        self.width, self.height = (height, width) if self._orientation >= 5 else (width, height)

    def __call__(self, frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB, C-contiguous.

        Raises:
            InputError: the frame is too large.
        """
        width, height = self._square_size(frame)
        converted = self._reformatter.reformat(frame, width, height, format="rgb24")
        image = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        if frame.interlaced_frame and height > 1:
            image = np.asarray(cv2.resize(image[::2], (width, height)), dtype=np.uint8)
        image = np.ascontiguousarray(upright(image, self._orientation))
        return image if image.shape[:2] == (self.height, self.width) else self._fitted(image)

    def _square_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """(width, height) with square pixels, never smaller than what is stored."""
        width, height = frame.width, frame.height
        if self._pixel_aspect > 1:
            width = round(width * self._pixel_aspect)
        elif self._pixel_aspect < 1:
            height = round(height / self._pixel_aspect)
        if width * height > MAX_PIXELS:
            limit = MAX_PIXELS // 1_000_000
            raise InputError(f"{self._name}: frames of {width} x {height} are more than {limit} megapixels")
        return width, height

    def _fitted(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        height, width = image.shape[:2]
        scale = min(self.width / width, self.height / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        canvas = np.zeros((self.height, self.width, 3), np.uint8)
        left, top = (self.width - size[0]) // 2, (self.height - size[1]) // 2
        canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return canvas


def _plausible(pixel_aspect: Fraction | None) -> Fraction:
    if not pixel_aspect or not Fraction(1, _MAX_STRETCH) <= pixel_aspect <= _MAX_STRETCH:
        return Fraction(1)
    return Fraction(pixel_aspect)


def _orientation(frame: av.VideoFrame) -> int:
    """EXIF orientation that the frame's display matrix asks for, to the next quarter turn."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV cannot list side data of a kind that is newer than it (3-D films have some); only the angle is left,
        # which does not tell mirrored pictures.
        return _ORIENTATION_OF_TURN[round(frame.rotation / 90) % 4]
    if not isinstance(matrix, Buffer):
        return 1
    # Nine 32-bit numbers by rows; the third of each row is perspective, the last row a shift.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        b = c = 0
    else:
        a = d = 0
    return _ORIENTATIONS.get((_sign(a), _sign(b), _sign(c), _sign(d)), 1)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
