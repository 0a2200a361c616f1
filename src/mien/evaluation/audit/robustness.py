# SPDX-License-Identifier: Apache-2.0
"""Corruptions in five strengths, and how many predictions they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from mien.affect import Analyzer
from mien.core import ConfigError, Image, Indices

SEVERITIES = (1, 2, 3, 4, 5)
"""Strengths of every corruption, from hardly visible to severe."""

_JPEG = (40, 25, 15, 9, 5)
_BLUR = (0.010, 0.020, 0.035, 0.055, 0.080)
_LIGHT = (0.6, 0.4, 0.25, 0.14, 0.07)
_NOISE = (8, 16, 28, 44, 64)
_ROTATION_DEG = (6, 12, 20, 30, 45)
_COVERED = (0.05, 0.10, 0.18, 0.28, 0.40)
_PIXELS = (64, 44, 32, 24, 16)


@dataclass(frozen=True, kw_only=True)
class CorruptionResult:
    """Predictions under one corruption of one strength.

    Attributes:
        corruption: Name in `CORRUPTIONS`.
        severity: Strength from 1 to 5.
        n: Number of faces.
        error: Share of faces with another top expression than the label or, without labels, than the plain image.
    """

    corruption: str
    severity: int
    n: int
    error: float


def _blur(image: Image, severity: int, rng: np.random.Generator) -> Image:  # noqa: ARG001 - one signature for all
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _BLUR[severity - 1] * image.shape[1]), np.uint8)


def _jpeg(image: Image, severity: int, rng: np.random.Generator) -> Image:  # noqa: ARG001
    _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG[severity - 1]])
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, np.uint8)[..., ::-1])


def _low_light(image: Image, severity: int, rng: np.random.Generator) -> Image:
    dark = image * _LIGHT[severity - 1] + rng.normal(0, 2.5, image.shape)
    return np.clip(np.rint(dark), 0, 255).astype(np.uint8)


def _noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    return np.clip(np.rint(image + rng.normal(0, _NOISE[severity - 1], image.shape)), 0, 255).astype(np.uint8)


def _rotation(image: Image, severity: int, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    angle = _ROTATION_DEG[severity - 1] * float(rng.choice([-1, 1]))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)


def _occlusion(image: Image, severity: int, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    side = (_COVERED[severity - 1] * height * width) ** 0.5
    y, x = rng.uniform(0.15, 0.85, 2) * (height, width)
    covered = image.copy()
    top, left = max(int(y - side / 2), 0), max(int(x - side / 2), 0)
    covered[top : int(y + side / 2), left : int(x + side / 2)] = rng.integers(0, 256, 3)
    return covered


def _resolution(image: Image, severity: int, rng: np.random.Generator) -> Image:  # noqa: ARG001
    height, width = image.shape[:2]
    scale = min(1.0, _PIXELS[severity - 1] / max(height, width))
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


CORRUPTIONS: Mapping[str, Callable[[Image, int, np.random.Generator], Image]] = MappingProxyType(
    {
        "blur": _blur,
        "JPEG": _jpeg,
        "low light": _low_light,
        "noise": _noise,
        "rotation": _rotation,
        "occlusion": _occlusion,
        "resolution": _resolution,
    }
)
"""Name of a corruption -> its function of an image (H, W, 3), a strength and a random generator."""


def corrupted(image: Image, corruption: str, severity: int, rng: np.random.Generator) -> Image:
    """An image with one corruption.

    Args:
        image: (H, W, 3) uint8 RGB.
        corruption: Name in `CORRUPTIONS`.
        severity: Strength from 1 to 5.
        rng: Generator for place and noise.

    Raises:
        ConfigError: The corruption or strength is unknown.

    Examples:
        >>> dark = corrupted(np.full((8, 8, 3), 200, np.uint8), "low light", 5, np.random.default_rng(0))
        >>> bool(dark.mean() < 20)
        True
    """
    if corruption not in CORRUPTIONS or severity not in SEVERITIES:
        raise ConfigError(f"corruptions are {', '.join(CORRUPTIONS)} in strengths 1 to 5, not {corruption} {severity}")
    return CORRUPTIONS[corruption](image, severity, rng)


def corruption_curves(
    analyzer: Analyzer, pictures: Sequence[Image], targets: Indices | None = None, *, seed: int = 0
) -> list[CorruptionResult]:
    """Errors of the top expression under every corruption and strength; strength 0 is the plain image.

    Args:
        analyzer: Analyzer of the bundle.
        pictures: N images of one face each.
        targets: (N,) numbers of the true expressions in the analyzer's order; None compares with the plain image.
        seed: Seed of the corruptions.
    """
    plain = analyzer.crops(list(pictures)).expression.argmax(axis=1)
    truth = plain if targets is None else targets
    results = []
    for name in CORRUPTIONS:
        results.append(CorruptionResult(corruption=name, severity=0, n=len(pictures), error=_error(plain, truth)))
        for severity in SEVERITIES:
            rng = np.random.default_rng([seed, severity])
            changed = [corrupted(picture, name, severity, rng) for picture in pictures]
            found = analyzer.crops(changed).expression.argmax(axis=1)
            results.append(
                CorruptionResult(corruption=name, severity=severity, n=len(pictures), error=_error(found, truth))
            )
    return results


def mean_corruption_error(results: Sequence[CorruptionResult]) -> float:
    """Mean error over corruptions and strengths 1 to 5, as mCE without a network to divide by.

    Source: Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, ICLR 2019.
    """
    return float(np.mean([one.error for one in results if one.severity]))


def _error(found: Indices, truth: Indices) -> float:
    return float((found != truth).mean())
