# SPDX-License-Identifier: Apache-2.0
"""Facial parts of a crop by its 68 landmarks, and what each part contributes to a prediction."""

from __future__ import annotations

from itertools import product
from math import factorial

import cv2
import numpy as np

from mien.affect.explanation.saliency import Score, mixed
from mien.core import Bools, ConfigError, Floats, Image

FACE_PARTS = ("brows", "eyes", "nose", "mouth", "rest")
"""Facial parts; the rest is skin, jaw, hair and background."""

_POINTS = {"brows": range(17, 27), "eyes": range(36, 48), "nose": range(27, 36), "mouth": range(48, 68)}
# Each part grows by this fraction of the distance between the eyes: brows above their points, wrinkles beside eyes.
_GROWTH = {"brows": 0.16, "eyes": 0.14, "nose": 0.12, "mouth": 0.20}


def part_masks(landmarks: Floats, side: int) -> dict[str, Bools]:
    """Facial part -> the pixels (S, S) that belong to it; every pixel belongs to one part.

    Args:
        landmarks: (68, 2) pixels of the crop, in 300-W order.
        side: Side of the crop in pixels.

    Raises:
        ConfigError: A landmark is unknown.

    Examples:
        >>> points = np.full((68, 2), 30.0)
        >>> points[36:42], points[42:48], points[48:68] = (20, 30), (44, 30), (32, 54)
        >>> masks = part_masks(points, 64)
        >>> list(masks), bool(masks["mouth"][54, 32]), bool(masks["rest"][2, 2])
        (['brows', 'eyes', 'nose', 'mouth', 'rest'], True, True)
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ConfigError("facial parts need 68 landmarks; leave --landmark-model at its default")
    distance = max(float(np.linalg.norm(points[42:48].mean(axis=0) - points[36:42].mean(axis=0))), 2.0)
    free, masks = np.ones((side, side), np.bool_), {}
    for name in ("mouth", "eyes", "brows", "nose"):  # where two overlap, the first one has the pixel
        drawn = np.zeros((side, side), np.uint8)
        places = points[list(_POINTS[name])]
        halves = (places[: len(places) // 2], places[len(places) // 2 :]) if name in ("brows", "eyes") else (places,)
        for half in halves:
            hull = cv2.convexHull(np.rint(half * 16).astype(np.int32))
            cv2.fillPoly(drawn, [hull], 255, cv2.LINE_8, 4)
            cv2.polylines(drawn, [hull], True, 255, max(1, round(2 * _GROWTH[name] * distance)), cv2.LINE_8, 4)
        masks[name] = free & (drawn > 0)
        free &= ~masks[name]
    masks["rest"] = free
    return {name: masks[name] for name in FACE_PARTS}


def part_shares(crop: Image, masks: dict[str, Bools], score: Score) -> dict[str, float]:
    """What each part contributes to the score: its Shapley value, where absent parts are blurred.

    The values add up to the score of the crop minus that of the crop without any detail.

    Args:
        crop: (S, S) or (S, S, 3) uint8.
        masks: Part -> pixels (S, S), disjoint.
        score: Function that is explained.

    Source: Lundberg and Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017; computed over all
        coalitions, not sampled.

    Examples:
        >>> crop = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (40, 40))
        >>> left = np.arange(80)[None] < np.full((80, 1), 40)
        >>> shares = part_shares(crop, {"left": left, "right": ~left}, lambda crops: crops[:, 40, 20:30].std(axis=1))
        >>> shares["left"] > 90, shares["right"]
        (True, 0.0)
    """
    names = list(masks)
    coalitions = list(product((False, True), repeat=len(names)))
    stack = np.stack([masks[name] for name in names]).astype(np.float32)
    kept = np.stack([np.tensordot(np.array(members, np.float32), stack, axes=1) for members in coalitions])
    values = dict(zip(coalitions, np.asarray(score(mixed(crop, kept)), np.float64).tolist(), strict=True))
    n = len(names)
    shares = {}
    for place, name in enumerate(names):
        total = 0.0
        for members in coalitions:
            if not members[place]:
                size = sum(members)
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                joined = (*members[:place], True, *members[place + 1 :])
                total += weight * (values[joined] - values[members])
        shares[name] = total
    return shares
