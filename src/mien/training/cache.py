# SPDX-License-Identifier: Apache-2.0
"""Decoded pictures in one memory-mapped file, so that an epoch costs no decoding and no memory of its own."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import DatasetError, OutputError
from mien.training.pictures import Image, Pictures

logger = logging.getLogger(__name__)

_LAYOUT = 1


@dataclass(frozen=True, eq=False)
class CachedPictures:
    """N decoded pictures; a damaged one is an error when it is asked for.

    Attributes:
        names: for messages.
        pixels: all pictures, one after the other; memory-mapped.
        index: (N, 4) int64: offset into ``pixels``, height, width, channels; a height of 0 could not be decoded.
    """

    names: tuple[str, ...]
    pixels: npt.NDArray[np.uint8]
    index: npt.NDArray[np.int64]

    def __getstate__(self) -> tuple[Any, ...]:
        """For another process: where the pixels are, not a copy of them."""
        return self.names, getattr(self.pixels, "filename", None) or self.pixels, self.index

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        names, pixels, index = state
        if not isinstance(pixels, np.ndarray):
            pixels = np.memmap(pixels, dtype=np.uint8, mode="r")
        for name, value in (("names", names), ("pixels", pixels), ("index", index)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> Image:
        """(H, W) or (H, W, 3), read-only.

        Raises:
            DatasetError: the picture could not be decoded when the cache was made.
        """
        offset, height, width, channels = self.index[row].tolist()
        if not height:
            raise DatasetError(f"{self.names[row]} could not be decoded")
        shape = (height, width) if channels == 1 else (height, width, channels)
        return self.pixels[offset : offset + height * width * channels].reshape(shape)

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """(N,) pictures that are there."""
        return self.index[:, 1] > 0


def default_cache_folder() -> Path:
    """``$XDG_CACHE_HOME/mien`` or ``~/.cache/mien``; never the checkout."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "mien" / "pictures"


def cached_side_px(input_px: int) -> int:
    """The longer side that a network's pictures keep: twice its input, as alignment and zoom may show a part only."""
    return 2 * max(input_px, 128)


def cache_pictures(pictures: Pictures, folder: Path, max_side_px: int) -> CachedPictures:
    """The decoded copy of these pictures; made once, found again by their content.

    Args:
        pictures: to decode. Damaged ones are counted, logged and left out.
        folder: of all caches.
        max_side_px: larger pictures are shrunk to it by area.

    Raises:
        OutputError: the folder cannot be written.
        DatasetError: no picture at all can be decoded.
    """
    key = hashlib.sha256(f"{_LAYOUT} {max_side_px} {pictures.digest()}".encode()).hexdigest()[:32]
    pixels, index = folder / f"{key}.u8", folder / f"{key}.npy"
    if not index.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(pictures, pixels, index, max_side_px)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror or error}; name another folder with --cache") from error
    entries = np.load(index, allow_pickle=False)
    n_bad = int((entries[:, 1] == 0).sum())
    if n_bad == len(entries):
        raise DatasetError(f"none of {n_bad} pictures can be decoded, the first is {pictures.names[0]}")
    if n_bad:
        first = pictures.names[int((entries[:, 1] == 0).argmax())]
        logger.warning("%d of %d pictures cannot be decoded, the first is %s; left out", n_bad, len(entries), first)
    return CachedPictures(pictures.names, np.memmap(pixels, dtype=np.uint8, mode="r"), entries)


def _write(pictures: Pictures, pixels: Path, index: Path, max_side_px: int) -> None:
    """Both files; the index comes last, so that a half-written cache is none."""
    entries = np.zeros((len(pictures), 4), dtype=np.int64)
    draft = pixels.with_suffix(f".{os.getpid()}.tmp")  # several processes may make the same cache
    offset = 0
    try:
        with draft.open("wb") as file:
            for row in range(len(pictures)):
                try:
                    picture = _bounded(pictures[row], max_side_px)
                except DatasetError as error:
                    logger.info("%s", error)
                    continue
                file.write(np.ascontiguousarray(picture).tobytes())
                channels = 1 if picture.ndim == 2 else picture.shape[2]
                entries[row] = (offset, *picture.shape[:2], channels)
                offset += picture.size
            file.write(b"\0" * (not offset))  # an empty file cannot be mapped
        draft.replace(pixels)
    finally:
        draft.unlink(missing_ok=True)
    draft_index = index.with_suffix(f".{os.getpid()}.tmp")
    with draft_index.open("wb") as file:
        np.save(file, entries)
    draft_index.replace(index)


def _bounded(picture: Image, max_side_px: int) -> Image:
    longer = max(picture.shape[:2])
    if longer <= max_side_px:
        return picture
    size = tuple(max(1, round(side * max_side_px / longer)) for side in picture.shape[1::-1])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
