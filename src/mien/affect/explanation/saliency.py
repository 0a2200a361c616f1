# SPDX-License-Identifier: Apache-2.0
"""Saliency of crops without gradients: occlusion and RISE, and the deletion and insertion curves that test a map."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from mien.core import ConfigError, Float64, Floats, Image

Score = Callable[[Image], Float64]
"""Function from crops (N, S, S[, 3]) to the explained values (N,)."""

_BATCH = 64
_BLUR_SHARE = 0.12  # of the crop's side: nothing of a facial part remains


def blurred(crop: Image) -> Image:
    """The crop without detail, which stands for what is removed.

    Examples:
        >>> checkers = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (40, 40))
        >>> int(np.ptp(blurred(checkers)[30:50, 30:50].astype(int))) < 3
        True
    """
    sigma = _BLUR_SHARE * crop.shape[0]
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)


def mixed(crop: Image, kept: Floats) -> Image:
    """The crop where a mask is 1, and its blur where it is 0.

    Args:
        crop: (S, S) or (S, S, 3) uint8.
        kept: (N, S, S) in [0, 1].

    Returns:
        (N, S, S) or (N, S, S, 3) uint8.
    """
    share = np.asarray(kept, np.float32)
    if crop.ndim == 3:
        share = share[..., None]
    mean = share * crop.astype(np.float32) + (1 - share) * blurred(crop).astype(np.float32)
    return np.asarray(np.rint(mean), np.uint8)


def occlusion_map(crop: Image, score: Score, *, window: float = 0.2, stride: float = 0.1) -> Float64:
    """How much the score falls where a square is blurred, averaged over the squares that hold a pixel.

    Args:
        crop: (S, S) or (S, S, 3) uint8.
        score: Function that is explained.
        window: Side of the square as a fraction of the crop's side.
        stride: Distance of the squares as a fraction of the crop's side.

    Returns:
        (S, S) falls of the score.

    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014.

    Examples:
        >>> crop = np.zeros((20, 20), np.uint8)
        >>> crop[4:8, 4:8] = 255
        >>> bright = occlusion_map(crop, lambda crops: crops[:, 4:8, 4:8].mean(axis=(1, 2)))
        >>> bool(bright[5, 5] > bright[15, 15])
        True
    """
    side = crop.shape[0]
    width, step = max(1, round(window * side)), max(1, round(stride * side))
    starts = sorted({*range(0, side - width, step), side - width})
    places = [(y, x) for y in starts for x in starts]
    kept = np.ones((len(places), side, side), np.float32)
    for mask, (y, x) in zip(kept, places, strict=True):
        mask[y : y + width, x : x + width] = 0
    whole = float(score(crop[None])[0])
    falls = whole - _scores(crop, kept, score)
    return np.asarray(np.tensordot(falls, 1 - kept, axes=1) / np.maximum((1 - kept).sum(axis=0), 1), np.float64)


def rise_map(
    crop: Image, score: Score, *, n_masks: int = 800, cells: int = 7, share: float = 0.5, seed: int = 0
) -> Float64:
    """Mean score of random masks that show a pixel, minus that of those that hide it.

    Args:
        crop: (S, S) or (S, S, 3) uint8.
        score: Function that is explained.
        n_masks: Number of masks; each costs one run of the network.
        cells: Number of cells of a mask along a side.
        share: Probability that a cell is shown.
        seed: Seed of the masks.

    Returns:
        (S, S) differences of the mean score.

    Raises:
        ConfigError: There are fewer than two masks.

    Source: Petsiuk, Das and Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018.
    """
    if n_masks < 2:
        raise ConfigError(f"RISE needs at least 2 masks, got {n_masks}")
    rng = np.random.default_rng(seed)
    side = crop.shape[0]
    total, weighted, sums = np.zeros((side, side)), np.zeros((side, side)), 0.0
    for start in range(0, n_masks, _BATCH):
        n = min(_BATCH, n_masks - start)
        kept = np.stack([_random_mask(side, cells, share, rng) for _ in range(n)])
        values = _scores(crop, kept, score)
        total += kept.sum(axis=0)
        weighted += np.tensordot(values, kept, axes=1)
        sums += float(values.sum())
    shown = weighted / np.maximum(total, 1e-9)
    hidden = (sums - weighted) / np.maximum(n_masks - total, 1e-9)
    return np.asarray(shown - hidden, np.float64)


def deletion_curve(crop: Image, saliency: Floats, score: Score, *, steps: int = 20, cells: int = 20) -> Float64:
    """Scores (steps + 1,) while the most salient cells of the crop are blurred first, from none to all of them.

    Args:
        crop: (S, S) or (S, S, 3) uint8.
        saliency: (S, S) map.
        score: Function that is explained.
        steps: Number of steps.
        cells: Number of cells along a side that are removed whole.
    """
    return _curve(crop, saliency, score, steps, cells, insert=False)


def insertion_curve(crop: Image, saliency: Floats, score: Score, *, steps: int = 20, cells: int = 20) -> Float64:
    """Scores (steps + 1,) while the most salient cells are shown first, from none to all; arguments as before."""
    return _curve(crop, saliency, score, steps, cells, insert=True)


def curve_area(curve: Floats) -> float:
    """Area under a curve of scores over the share of the crop, by the trapezoidal rule.

    Examples:
        >>> curve_area(np.array([1.0, 0.5, 0.0]))
        0.5
    """
    values = np.asarray(curve, np.float64)
    return float(((values[1:] + values[:-1]) / 2).mean())


def _curve(crop: Image, saliency: Floats, score: Score, steps: int, cells: int, *, insert: bool) -> Float64:
    side = crop.shape[0]
    small = cv2.resize(np.asarray(saliency, np.float64), (cells, cells), interpolation=cv2.INTER_AREA)
    rank = np.empty(cells * cells)
    rank[np.argsort(-small.ravel(), kind="stable")] = np.arange(cells * cells)
    place = cv2.resize(rank.reshape(cells, cells), (side, side), interpolation=cv2.INTER_NEAREST)
    counts = np.linspace(0, cells * cells, steps + 1)
    first = (place[None] < counts[:, None, None]).astype(np.float32)
    return _scores(crop, first if insert else 1 - first, score)


def _scores(crop: Image, kept: Floats, score: Score) -> Float64:
    parts = [score(mixed(crop, kept[start : start + _BATCH])) for start in range(0, len(kept), _BATCH)]
    return np.concatenate(parts).astype(np.float64)


def _random_mask(side: int, cells: int, share: float, rng: np.random.Generator) -> Floats:
    """A smooth mask (S, S): a random grid, enlarged and shifted by part of a cell."""
    width = -(-side // cells)
    grid = (rng.random((cells + 1, cells + 1)) < share).astype(np.float32)
    large = cv2.resize(grid, ((cells + 1) * width,) * 2, interpolation=cv2.INTER_LINEAR)
    y, x = rng.integers(0, width, 2)
    return np.asarray(large[y : y + side, x : x + side])
