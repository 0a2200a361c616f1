# SPDX-License-Identifier: Apache-2.0
"""Losses of partially labelled samples: every task is averaged over its own valid rows.

Rows are selected, never multiplied by masks: a masked product would move CCC and cross-entropy.
"""

import torch
from torch import Tensor
from torch.nn import functional


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of ``-sum_c t_c log softmax(logits)_c`` over the rows whose targets (N, C) are known (not NaN)."""
    valid = ~torch.isnan(targets).any(dim=1)
    if not valid.any():
        return logits.sum() * 0
    return -(targets[valid] * functional.log_softmax(logits[valid], dim=1)).sum(dim=1).mean()


def concordance(x: Tensor, y: Tensor) -> Tensor:
    """CCC with population moments of each column of (N, D) series: (D,)."""
    x_centred, y_centred = x - x.mean(dim=0), y - y.mean(dim=0)
    shift = (x.mean(dim=0) - y.mean(dim=0)) ** 2
    spread = (x_centred**2).mean(dim=0) + (y_centred**2).mean(dim=0) + shift
    return 2 * (x_centred * y_centred).mean(dim=0) / spread.clamp_min(1e-8)


def ccc_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """``1 - (CCC_V + CCC_A) / 2`` over the rows of (N, 2) whose both values are known."""
    valid = ~torch.isnan(targets).any(dim=1)
    if valid.sum() < 2:
        return predictions.sum() * 0
    return 1 - concordance(predictions[valid], targets[valid]).mean()


def partial_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of soft targets (N, A): the mean over columns of each column's mean over known entries."""
    known = ~torch.isnan(targets)
    terms = [
        functional.binary_cross_entropy_with_logits(logits[rows, column], targets[rows, column])
        for column, rows in enumerate(known.T)
        if rows.any()
    ]
    return torch.stack(terms).mean() if terms else logits.sum() * 0
