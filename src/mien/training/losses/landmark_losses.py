# SPDX-License-Identifier: Apache-2.0
"""Losses of landmarks and head pose, averaged over the samples that have them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mien.training.losses.task_losses import known_rows, zero_loss

_LEFT_EYE, _RIGHT_EYE, _EYES = slice(36, 42), slice(42, 48), slice(36, 48)
# In profile the eyes come so close that every distance would look huge: fractions of the crop's side.
_LEAST_EYE_DISTANCE = 0.12
# Below this share of the eye distance an error counts by its square, for the teacher is no more exact either.
_EXACT = 0.01


def landmark_distance(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean distance of landmarks in units of the distance between the true eyes.

    The distance is a pseudo-Huber one: smooth at 0, linear far away.

    Args:
        predictions: (N, 136) x and y of 68 landmarks in turn, fractions of the crop's side.
        targets: (N, 136), NaN where unknown: a whole face, or some landmarks of one whose eyes are known.
    """
    true = targets.view(-1, 68, 2)
    known = ~true.isnan().any(dim=2)
    valid = known[:, _EYES].all(dim=1)
    if not valid.any():
        return zero_loss(predictions)
    found, true, known = predictions.view(-1, 68, 2)[valid], true[valid].nan_to_num(), known[valid]
    eyes = (true[:, _LEFT_EYE].mean(1) - true[:, _RIGHT_EYE].mean(1)).norm(dim=1).clamp_min(_LEAST_EYE_DISTANCE)
    away = (found - true).norm(dim=2) / eyes[:, None]
    return (torch.sqrt(away**2 + _EXACT**2) - _EXACT)[known].mean()


def smooth_l1(predictions: Tensor, targets: Tensor, *, beta: float = 1.0) -> Tensor:
    """Mean absolute difference of known rows, below ``beta`` by its square (Girshick, ICCV 2015).

    Args:
        predictions: (N, L).
        targets: (N, L), NaN rows unknown.
        beta: Difference at which the square ends, in the unit of the targets.
    """
    valid = known_rows(targets)
    if not valid.any():
        return zero_loss(predictions)
    return functional.smooth_l1_loss(predictions[valid], targets[valid], beta=beta)
