# SPDX-License-Identifier: Apache-2.0
"""What a landmark net learns from: one number for points, pose, eyes and confidence each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mien.training.models.landmark_network import N_POINTS, LandmarkOutputs
from mien.training.recipes.landmark_recipe import TermWeights

_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)
# In profile the eyes come so close that every distance would look huge: fractions of the crop's side.
_LEAST_EYE_DISTANCE = 0.12
# Below this share of the eye distance an error counts by its square, for the teacher is no more exact either.
_EXACT = 0.01
_EXACT_RAD = 0.05


class Targets(NamedTuple):
    """What N crops show; NaN rows where the net is not asked.

    Attributes:
        points: (N, 136) x and y in turn, fractions of the crop's side.
        pose_rad: (N, 3).
        eyes_open: (N, 2) in [0, 1].
        face: (N,) 1 or 0.
    """

    points: Tensor
    pose_rad: Tensor
    eyes_open: Tensor
    face: Tensor


def loss_terms(reading: LandmarkOutputs, targets: Targets, weights: TermWeights) -> dict[str, Tensor]:
    """The parts of the loss, weighted, each a mean over the crops that have the target (0 where none has)."""
    known = [~target.isnan().any(dim=1) for target in targets[:3]]
    points, pose, eyes = known
    return {
        "points": weights.points * _distance(reading.points[points], targets.points[points]),
        "pose": weights.pose * _pose(reading.pose_rad[pose], targets.pose_rad[pose]),
        "eyes": weights.eyes * _cross_entropy(reading.eyes_open[eyes], targets.eyes_open[eyes]),
        "face": weights.face * _cross_entropy(reading.face[:, 0], targets.face),
    }


def _distance(points: Tensor, truth: Tensor) -> Tensor:
    """Mean distance in units of the distance between the true eyes (pseudo-Huber: smooth at 0, linear far away)."""
    if not len(truth):
        return points.sum()
    read, true = points.view(-1, N_POINTS, 2), truth.view(-1, N_POINTS, 2)
    eyes = (true[:, _LEFT_EYE].mean(1) - true[:, _RIGHT_EYE].mean(1)).norm(dim=1).clamp_min(_LEAST_EYE_DISTANCE)
    away = (read - true).norm(dim=2) / eyes[:, None]
    return (torch.sqrt(away**2 + _EXACT**2) - _EXACT).mean()


def _pose(pose: Tensor, truth: Tensor) -> Tensor:
    return functional.smooth_l1_loss(pose, truth, beta=_EXACT_RAD) if len(truth) else pose.sum()


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, truth) if len(truth) else logits.sum()
