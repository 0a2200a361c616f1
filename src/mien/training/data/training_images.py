# SPDX-License-Identifier: Apache-2.0
"""Training images from files, encoded bytes or arrays, and a memory-mapped cache of their decoded pixels."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mien.core import Bools, DatasetError, Float32, Image, Indices, InputError, Int64, OutputError, load_array
from mien.faces import to_colour
from mien.media import cut_box, decode_image, load_image
from mien.results import atomic_write, cache_folder
from mien.synthesis import Upscaler, create_upscaler

Origin = bytes | str | Image
"""Source of an image: encoded bytes, the path of a file, or grayscale pixels (H, W)."""


class ImageSequence(Protocol):
    """Interface of N images that are decoded one at a time."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Image:
        """Decode one image: (H, W) uint8 for grayscale, (H, W, 3) uint8 RGB for colour."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingImages:
    """N images with their sources; each is decoded on access.

    Attributes:
        names: N names for messages.
        origins: Source of each image.
        colour: ``"gray"`` or ``"rgb"``.
        boxes: (N, 4) visible part xyxy in pixels; NaN for the whole image.
        networks: Super-resolution network of each image for `mien.synthesis.create_upscaler`, empty for none; no entry
            at all where no image has one.
    """

    names: tuple[str, ...]
    origins: tuple[Origin, ...]
    colour: str
    boxes: Float32
    networks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        origins: Sequence[Origin],
        colour: str,
        boxes: Float32 | None = None,
    ) -> TrainingImages:
        """Create from any sequences; ``boxes`` None selects whole images."""
        if boxes is None:
            boxes = np.full((len(names), 4), np.nan, dtype=np.float32)
        return cls(names=tuple(names), origins=tuple(origins), colour=colour, boxes=boxes)

    def __len__(self) -> int:
        return len(self.origins)

    def __getitem__(self, row: int) -> Image:
        """Decode one image.

        Raises:
            DatasetError: The image is missing or damaged; the message contains its name.
        """
        origin = self.origins[row]
        try:
            if isinstance(origin, np.ndarray):
                image = origin if self.colour == "gray" else np.repeat(origin[..., None], 3, axis=2)
            elif isinstance(origin, bytes):
                image = _decode(origin, self.colour, self.names[row])
            else:
                image = to_colour(load_image(origin), self.colour)
        except InputError as error:
            raise DatasetError(f"{self.names[row]}: {error}") from error
        visible = cut_box(image, self.boxes[row])
        return _upscaler(self.networks[row])(visible) if self.networks and self.networks[row] else visible

    def upscaled(self, network: str) -> TrainingImages:
        """The same images, enlarged by a super-resolution network; see `mien.synthesis.create_upscaler`.

        Raises:
            ConfigError: The network is unknown.
            MissingExtraError: Its runtime is not installed.
            ModelError: Its weights are missing or damaged.
        """
        _upscaler(network)  # refused now and not in the middle of a training
        return replace(self, networks=(network,) * len(self))

    def take(self, rows: Indices) -> TrainingImages:
        """Select rows, in the given order."""
        return replace(
            self,
            names=tuple(self.names[row] for row in rows),
            origins=tuple(self.origins[row] for row in rows),
            boxes=self.boxes[rows],
            networks=tuple(self.networks[row] for row in rows) if self.networks else (),
        )

    def digest(self) -> str:
        """SHA-256 of all images: of encoded bytes and arrays, and of path, size and modification time of files.

        Raises:
            DatasetError: A file is missing.
        """
        total = hashlib.sha256(f"{self.colour} {len(self)}\n".encode())
        for name, origin in zip(self.names, self.origins, strict=True):
            if isinstance(origin, str):
                total.update(_stamp(origin, name))
            else:
                total.update(hashlib.sha256(bytes(origin)).digest())
        total.update(np.ascontiguousarray(self.boxes).tobytes())
        for network in self.networks:
            total.update((_upscaler(network).digest if network else "-").encode())
        return total.hexdigest()


def join_images(parts: Sequence[TrainingImages]) -> TrainingImages:
    """Concatenate sets of images of one colour."""
    networks = sum((part.networks or ("",) * len(part) for part in parts), ())
    return TrainingImages(
        names=sum((part.names for part in parts), ()),
        origins=sum((part.origins for part in parts), ()),
        colour=parts[0].colour,
        boxes=np.concatenate([part.boxes for part in parts]),
        networks=networks if any(networks) else (),
    )


@cache
def _upscaler(network: str) -> Upscaler:
    return create_upscaler(network)


def _decode(data: bytes, colour: str, name: str) -> Image:
    if colour != "gray":
        return decode_image(data, name=name)
    # OpenCV returns the luma of a JPEG file without colour conversion, in half the time.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise InputError(f"{name} is not an image that OpenCV can read")
    return np.asarray(image, dtype=np.uint8)


def _stamp(path: str, name: str) -> bytes:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise DatasetError(f"{name}: {path} cannot be read ({error.strerror})") from error
    return f"{path} {found.st_size} {found.st_mtime_ns}\n".encode()


logger = logging.getLogger(__name__)

_LAYOUT = 1


@dataclass(frozen=True, eq=False)
class CachedImages:
    """N decoded images; accessing a damaged one raises.

    Attributes:
        names: N names for messages.
        pixels: Pixels of all images, concatenated; memory-mapped.
        index: (N, 4) int64 of offset in ``pixels``, height, width and channels; height 0 for a damaged image.
    """

    names: tuple[str, ...]
    pixels: Image
    index: Int64

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> Image:
        """Read one image: (H, W) or (H, W, 3) uint8, read-only.

        Raises:
            DatasetError: The image could not be decoded when the cache was written.
        """
        offset, height, width, channels = self.index[row].tolist()
        if not height:
            raise DatasetError(f"{self.names[row]} could not be decoded")
        shape = (height, width) if channels == 1 else (height, width, channels)
        return self.pixels[offset : offset + height * width * channels].reshape(shape)

    @property
    def readable(self) -> Bools:
        """Mask (N,) of the images that could be decoded."""
        return self.index[:, 1] > 0


def default_cache_folder() -> Path:
    """Default folder of the cache of decoded images, see `mien.results.cache_folder`."""
    return cache_folder("pictures")


def cached_side_px(input_px: int) -> int:
    """Longer side of cached images in pixels: twice the input, since alignment and zoom may show only a part."""
    return 2 * max(input_px, 128)


def cache_images(images: TrainingImages, folder: Path, max_side_px: int) -> CachedImages:
    """Decode images once and cache their pixels by content.

    Args:
        images: Images to decode. Damaged ones are counted, logged and left out.
        folder: Folder of all caches.
        max_side_px: Maximum side in pixels; larger images are reduced by area averaging.

    Raises:
        OutputError: The folder cannot be written.
        DatasetError: None of the images can be decoded.
    """
    key = hashlib.sha256(f"{_LAYOUT} {max_side_px} {images.digest()}".encode()).hexdigest()[:32]
    pixels, index = folder / f"{key}.u8", folder / f"{key}.npy"
    if not index.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(images, pixels, index, max_side_px)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror or error}; name another folder with --cache") from error
    entries = _read_index(index)
    n_bad = int((entries[:, 1] == 0).sum())
    if n_bad == len(entries):
        raise DatasetError(f"none of {n_bad} images can be decoded, the first is {images.names[0]}")
    if n_bad:
        first = images.names[int((entries[:, 1] == 0).argmax())]
        logger.warning("%d of %d images cannot be decoded, the first is %s; left out", n_bad, len(entries), first)
    return CachedImages(images.names, np.memmap(pixels, dtype=np.uint8, mode="r"), entries)


def _read_index(index: Path) -> Int64:
    try:
        return load_array(index)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{index} cannot be read ({error}); delete it, it is made again") from error


def _write(images: TrainingImages, pixels: Path, index: Path, max_side_px: int) -> None:
    """Write pixels and then the index, without which a cache does not exist."""
    entries = np.zeros((len(images), 4), dtype=np.int64)
    offset = 0
    with atomic_write(pixels) as file:  # several processes may write the same cache
        for row in range(len(images)):
            try:
                image = _bounded(images[row], max_side_px)
            except DatasetError as error:
                logger.info("%s", error)
                continue
            file.write(np.ascontiguousarray(image).tobytes())
            channels = 1 if image.ndim == 2 else image.shape[2]
            entries[row] = (offset, *image.shape[:2], channels)
            offset += image.size
        file.write(b"\0" * (not offset))  # an empty file cannot be mapped
    with atomic_write(index) as file:
        np.save(file, entries)


def _bounded(image: Image, max_side_px: int) -> Image:
    longer = max(image.shape[:2])
    if longer <= max_side_px:
        return image
    size = tuple(max(1, round(side * max_side_px / longer)) for side in image.shape[1::-1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
