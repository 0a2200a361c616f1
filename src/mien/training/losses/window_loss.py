# SPDX-License-Identifier: Apache-2.0
"""Detection of parts in sliding windows: labels of windows from the parts' centres, and their cross-entropy."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from mien.core import ConfigError
from mien.training.losses.task_losses import known_rows, zero_loss


def window_labels(centres: Tensor, side: int, span: float = 1.0) -> Tensor:
    """Whether the centre of each part lies in each window of a square grid.

    Windows are ``span`` steps wide and their middles are a step apart: 1 for windows side by side, more for windows
    that overlap. A window holds its upper left border and not the lower right one.

    Args:
        centres: (N, P, 2) x and y as fractions of the crop's side, all known.
        side: Number of windows along each side.
        span: Width of a window in steps.

    Returns:
        (N, P, side * side) zeros and ones, windows row by row.

    Examples:
        >>> window_labels(torch.tensor([[[0.6, 0.1]]]), 2).tolist()
        [[[0.0, 1.0, 0.0, 0.0]]]
    """
    middles = (torch.arange(side, dtype=centres.dtype, device=centres.device) + 0.5) / side
    offset = (centres[..., None] - middles) * (2 * side / span)  # (N, P, 2, side), borders at -1 and 1
    inside = (offset >= -1) & (offset < 1)
    return (inside[..., 1, :, None] & inside[..., 0, None, :]).flatten(2).to(centres.dtype)


def window_detection(logits: Tensor, targets: Tensor, *, span: float = 1.0) -> Tensor:
    """Cross-entropy of every part in every window, summed over parts and windows, averaged over the known rows.

    Args:
        logits: (N, P * W) logits, the W windows of a square grid row by row for each part in turn.
        targets: (N, 2 P) x and y of each part's centre as fractions of the crop's side, NaN where unknown.
        span: Width of a window in steps, see `window_labels`.

    Raises:
        ConfigError: The logits are not those of square grids.

    Source: Li, Liu and Chan, arXiv 1406.3474, detection branch.
    """
    valid = known_rows(targets)
    if not valid.any():
        return zero_loss(logits)
    n_parts = targets.shape[1] // 2
    n_windows = logits.shape[1] // max(n_parts, 1)
    side = math.isqrt(n_windows)
    if not side or side * side * n_parts != logits.shape[1]:
        raise ConfigError(f"{logits.shape[1]} outputs are no square grid of windows for each of {n_parts} parts")
    labels = window_labels(targets[valid].view(-1, n_parts, 2), side, span)
    summed = functional.binary_cross_entropy_with_logits(logits[valid], labels.flatten(1), reduction="sum")
    return summed / valid.sum()
