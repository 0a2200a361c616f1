# SPDX-License-Identifier: Apache-2.0
"""From linear light to a photo: the camera's curve, blur, low resolution, noise and JPEG."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.synthesis.synthesis_recipe import Degradation

Bytes = npt.NDArray[np.uint8]


def develop(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Image (S, S, 3) in sRGB in [0, 1] of linear light; bright values are compressed, not cut off."""
    light = np.clip(image, 0, None)
    light = light * (1 + 0.12 * light) / (1 + 0.42 * light)
    curve = np.where(light < 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
    return np.asarray(np.clip(curve, 0, 1), np.float32)


def degrade(
    image: npt.NDArray[np.float32], options: Degradation, rng: np.random.Generator, frame: int = 0
) -> tuple[Bytes, int]:
    """What a real camera and a small file make of an image.

    Args:
        image: (S, S, 3) sRGB in [0, 1].
        options: Shares and ranges.
        rng: Generator of this image alone; each image draws the same number of values.
        frame: Number of the frame in a clip, which moves the noise.

    Returns:
        (S, S, 3) uint8 RGB and the quality for its JPEG file.
    """
    size = len(image)
    small, moved, gray = rng.random(3)
    width = int(rng.integers(options.low_resolution_px[0], options.low_resolution_px[1] + 1))
    sharpness, deviation = rng.uniform(0.25, 0.75), rng.uniform(*options.noise)
    direction, length = rng.uniform(0, np.pi), rng.uniform(1.5, 5.0) * size / 112
    quality = int(rng.integers(options.jpeg_quality[0], options.jpeg_quality[1] + 1))
    gamma = float(np.exp(rng.normal(0, 0.12)))
    grain = np.roll(rng.standard_normal(image.shape, dtype=np.float32), (37 * frame, 101 * frame), (0, 1))
    enlarged = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(2))]
    result = cv2.GaussianBlur(image, (0, 0), float(sharpness * size / 112))
    if moved < options.blur_share:
        result = cv2.filter2D(result, -1, _motion_kernel(float(direction), float(length)))
    result = np.clip(result, 0, 1) ** np.float32(gamma)
    if small < options.low_resolution_share and width < size:
        result = cv2.resize(result, (width, width), interpolation=cv2.INTER_AREA)
        result = result + np.float32(deviation) * grain[:width, :width]
        result = cv2.resize(result, (size, size), interpolation=enlarged)
    else:
        result = result + np.float32(deviation) * grain
    if gray < options.gray_share:
        result = np.repeat(cv2.cvtColor(result.astype(np.float32), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return np.asarray(np.round(np.clip(result, 0, 1) * 255), np.uint8), quality


def _motion_kernel(direction: float, length: float) -> npt.NDArray[np.float32]:
    width = 2 * int(np.ceil(length)) // 2 * 2 + 1
    kernel = np.zeros((width, width), np.float32)
    for step in np.linspace(-0.5, 0.5, 4 * width):
        x = round(width // 2 + step * length * np.cos(direction))
        y = round(width // 2 + step * length * np.sin(direction))
        kernel[min(max(y, 0), width - 1), min(max(x, 0), width - 1)] += 1
    return np.asarray(kernel / kernel.sum())
