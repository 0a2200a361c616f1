# SPDX-License-Identifier: Apache-2.0
"""Still images out."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import OutputError
from mien.media.partial import partial_path

SAVE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes, lower-case, of the image files that `save_image` writes."""


def encode_jpeg(image: npt.NDArray[np.uint8], *, quality: int = 80) -> bytes:
    """A JPEG file in memory.

    Args:
        image: (H, W, 3) uint8 RGB.
        quality: 1 to 100.
    """
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def save_image(path: str | os.PathLike[str], image: npt.NDArray[np.uint8]) -> None:
    """Write an image in the format that the suffix names, in one step over an older file.

    Args:
        path: the target; any name that the file system allows.
        image: (H, W, 3) uint8 RGB.

    Raises:
        OutputError: the suffix is none of `SAVE_SUFFIXES`, or the place cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SAVE_SUFFIXES:
        raise OutputError(f"{path}: unknown kind of image file; name it one of *{' *'.join(sorted(SAVE_SUFFIXES))}")
    # OpenCV's own file functions do not take every Unicode name on Windows.
    encoded = cv2.imencode(path.suffix.lower(), image[..., ::-1])[1]
    partial = partial_path(path)
    try:
        partial.write_bytes(encoded.tobytes())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written, there may be nothing that can be removed
            partial.unlink()
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
