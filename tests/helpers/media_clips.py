# SPDX-License-Identifier: Apache-2.0
"""Images that encode their frame number, and functions that read, check and damage clips of them."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.media import VideoFrame, VideoReader, open_video

N_FRAMES = 50
SIZE = (160, 120)
_BITS = 6
_CELL = 16  # side of a black or white square that is one bit; every encoder keeps it

Clip = Callable[..., Path]


def numbered_picture(number: int, size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """(H, W, 3) moving texture with the number in black and white squares in its upper left corner."""
    width, height = size
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    image = np.roll(cv2.GaussianBlur(noise, (0, 0), 2), 2 * number, axis=1)
    for bit in range(_BITS):
        image[:_CELL, bit * _CELL : (bit + 1) * _CELL] = 255 * (number >> bit & 1)
    return image


def read_number(image: npt.NDArray[np.uint8]) -> int:
    """The number that `numbered_picture` wrote."""
    middles = [image[4:12, bit * _CELL + 4 : bit * _CELL + 12].mean() for bit in range(_BITS)]
    return sum(1 << bit for bit, brightness in enumerate(middles) if brightness > 127)


def damage(path: Path, start: float, stop: float) -> None:
    """Overwrite a part of a file, given in shares of its length, with noise."""
    data = bytearray(path.read_bytes())
    first, last = int(start * len(data)), int(stop * len(data))
    data[first:last] = np.random.default_rng(1).bytes(last - first)
    path.write_bytes(data)


def cut(path: Path, share: float) -> None:
    """Keep only the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def read_clip(path: Path, **options: Any) -> tuple[VideoReader, list[VideoFrame]]:
    """Read a whole clip; return the closed reader and its frames."""
    with open_video(path, **options) as video:
        return video, list(video)


def assert_valid_frames(video: VideoReader, frames: list[VideoFrame]) -> None:
    """Check the properties of every video, damaged or not."""
    shape = (video.info.height, video.info.width, 3)
    assert all(frame.image.shape == shape and frame.image.flags.c_contiguous for frame in frames)
    assert all(frame.image.dtype == np.uint8 for frame in frames)
    assert all(frame.gray.shape == shape[:2] and frame.gray.flags.c_contiguous for frame in frames)
    for frame in frames:
        # The grayscale image is the colour image in gray, up to the rounding of three channels; but damaged blocks may
        # decode to a luma and a chroma that no colour has together, which are clipped in the colour image.
        colours = ((frame.image > 0) & (frame.image < 255)).all(axis=2)
        difference = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) - frame.gray.astype(float)
        assert np.abs(difference[colours]).mean() < 3
    assert all(first.index < second.index and first.time_s < second.time_s for first, second in pairwise(frames))
