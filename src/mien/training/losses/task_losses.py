# SPDX-License-Identifier: Apache-2.0
"""Losses of partially labelled samples, as pure functions: every task is averaged over its own valid rows.

Rows are selected, never multiplied by masks: a masked product would move CCC and cross-entropy. Where nothing is
known, a loss is 0 and so is its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def known_rows(targets: Tensor) -> Tensor:
    """(N,) rows of (N, L) targets without an unknown (NaN) entry."""
    return ~torch.isnan(targets).any(dim=1)


def nothing(outputs: Tensor) -> Tensor:
    """A zero that keeps the graph whole."""
    return outputs.sum() * 0


def soft_cross_entropy(
    logits: Tensor, targets: Tensor, *, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Mean over known rows of ``-sum_c w_c t_c log softmax(logits)_c``.

    With smoothing eps the target becomes (1 - eps) t + eps / C. The weight multiplies the soft target of every class,
    and nothing is divided by the sum of weights.

    Args:
        logits: (N, C).
        targets: (N, C) shares that sum to 1 (one-hot for a single label), NaN where unknown.
        weights: (C,) of the classes; None for ones.
        label_smoothing: eps in [0, 1].
    """
    valid = known_rows(targets)
    if not valid.any():
        return nothing(logits)
    shares = (1 - label_smoothing) * targets[valid] + label_smoothing / targets.shape[1]
    if weights is not None:
        shares = shares * weights
    return -(shares * functional.log_softmax(logits[valid], dim=1)).sum(dim=1).mean()


def top_cross_entropy(
    logits: Tensor, targets: Tensor, *, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """`soft_cross_entropy` to the class with the largest share alone (plurality), the first of equals."""
    top = functional.one_hot(torch.nan_to_num(targets).argmax(dim=1), targets.shape[1]).to(targets.dtype)
    known = known_rows(targets)[:, None]
    sharp = torch.where(known, top, torch.full_like(targets, torch.nan))
    return soft_cross_entropy(logits, sharp, weights=weights, label_smoothing=label_smoothing)


def focal_loss(logits: Tensor, targets: Tensor, *, weights: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Mean over known rows of ``-sum_c w_c t_c (1 - p_c)^gamma log p_c`` (Lin et al., ICCV 2017)."""
    valid = known_rows(targets)
    if not valid.any():
        return nothing(logits)
    logs = functional.log_softmax(logits[valid], dim=1)
    shares = targets[valid] if weights is None else targets[valid] * weights
    return -(shares * (1 - logs.exp()) ** gamma * logs).sum(dim=1).mean()


def concordance(x: Tensor, y: Tensor) -> Tensor:
    """CCC with population moments of each column of (N, D) series: (D,); 0 for two equal constants."""
    x_centred, y_centred = x - x.mean(dim=0), y - y.mean(dim=0)
    shift = (x.mean(dim=0) - y.mean(dim=0)) ** 2
    spread = (x_centred**2).mean(dim=0) + (y_centred**2).mean(dim=0) + shift
    return 2 * (x_centred * y_centred).mean(dim=0) / spread.clamp_min(1e-8)


def ccc_loss(predictions: Tensor, targets: Tensor, *, form: str = "A") -> Tensor:
    """1 - CCC over the rows of (N, 2) whose values are all known, as three families of papers write it.

    Args:
        predictions: (N, D); D = 2, valence and arousal.
        targets: (N, D), NaN where unknown.
        form: ``"A"``: 1 - mean CCC; ``"B"``: mean of (1 - CCC), the same number; ``"C"``: sum of (1 - CCC), D times A.
    """
    valid = known_rows(targets)
    if valid.sum() < 2:
        return nothing(predictions)
    agreement = concordance(predictions[valid], targets[valid])
    return (1 - agreement).sum() if form == "C" else 1 - agreement.mean()


def pearson_loss(predictions: Tensor, targets: Tensor, *, column_weights: Sequence[float] = ()) -> Tensor:
    """1 - the weighted mean over columns of Pearson's r in the batch.

    Args:
        predictions: (N, D).
        targets: (N, D), NaN rows unknown.
        column_weights: D numbers, normalised to sum 1; empty for equal ones.
    """
    valid = known_rows(targets)
    if valid.sum() < 2:
        return nothing(predictions)
    x, y = predictions[valid], targets[valid]
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    # The floor is inside the root: the root's own slope at 0 is infinite, and a constant column would spread NaN.
    r = (x * y).sum(dim=0) / ((x**2).sum(dim=0) * (y**2).sum(dim=0)).clamp_min(1e-12).sqrt()
    if not column_weights:
        return 1 - r.mean()
    weights = torch.tensor(column_weights, dtype=r.dtype, device=r.device)
    return 1 - (r * weights).sum() / weights.sum()


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared difference over the known entries of (N, D)."""
    known = ~torch.isnan(targets)
    return ((predictions[known] - targets[known]) ** 2).mean() if known.any() else nothing(predictions)


def partial_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of soft targets (N, A): the mean over columns of each column's mean over known entries."""
    known = ~torch.isnan(targets)
    terms = [
        functional.binary_cross_entropy_with_logits(logits[rows, column], targets[rows, column])
        for column, rows in enumerate(known.T)
        if rows.any()
    ]
    return torch.stack(terms).mean() if terms else nothing(logits)


def weighted_bce(logits: Tensor, targets: Tensor, *, positive: Tensor, negative: Tensor) -> Tensor:
    """Mean over known entries of ``-(w1 y log p + w0 (1 - y) log(1 - p))``, the product form.

    Args:
        logits: (N, A).
        targets: (N, A) in [0, 1], NaN where unknown.
        positive: (A,) w1 of each action unit, total / (2 positives).
        negative: (A,) w0, total / (2 negatives).
    """
    known = ~torch.isnan(targets)
    if not known.any():
        return nothing(logits)
    y = torch.nan_to_num(targets)
    terms = positive * y * functional.logsigmoid(logits) + negative * (1 - y) * functional.logsigmoid(-logits)
    return -terms[known].mean()


def asymmetric_loss(
    logits: Tensor, targets: Tensor, *, gamma_positive: float = 0.0, gamma_negative: float = 4.0, margin: float = 0.05
) -> Tensor:
    """Mean over known entries of the asymmetric loss of rare positives (Ridnik et al., ICCV 2021).

    ``-(y (1-p)^g+ log p + (1-y) q^g- log(1-q))`` with q = max(p - margin, 0), so easy negatives fade out.

    Args:
        logits: (N, A).
        targets: (N, A) in [0, 1], NaN where unknown.
        gamma_positive: g+.
        gamma_negative: g-.
        margin: in [0, 1).
    """
    known = ~torch.isnan(targets)
    if not known.any():
        return nothing(logits)
    y, z = targets[known], logits[known]
    p = z.sigmoid()
    q = (p - margin).clamp_min(0)
    # Without a margin the logits give log(1 - p) exactly; with one, 1 - q is at least the margin.
    log_absent = functional.logsigmoid(-z) if margin == 0 else (1 - q).log()
    present = y * (1 - p) ** gamma_positive * functional.logsigmoid(z)
    return -(present + (1 - y) * q**gamma_negative * log_absent).mean()


def class_weights(counts: Tensor, convention: str) -> Tensor:
    """Weights (C,) of classes with these counts, in one of the conventions in use.

    Args:
        counts: (C,) rows of each class; soft labels count as fractions. A class without rows gets weight 0.
        convention: ``"max"``: max_count / count (HSE, minimum 1); ``"mean"``: mean_count / count (LSD fine-tuning);
            ``"total"``: total / count (SS-MFAR).
    """
    top = {"max": counts.max(), "mean": counts.mean(), "total": counts.sum()}[convention]
    return torch.where(counts > 0, top / counts.clamp_min(1e-6), torch.zeros_like(counts))
