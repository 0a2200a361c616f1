# SPDX-License-Identifier: Apache-2.0
"""Pictures that say which frame they are, and ways to harm the files they are put into."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

N_FRAMES = 50
SIZE = (160, 120)
_BITS = 6
_CELL = 16  # side of a black or white square that is one bit: no encoder loses so coarse a thing

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
