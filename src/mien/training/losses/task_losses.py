# SPDX-License-Identifier: Apache-2.0
"""Losses for partially labelled samples as pure functions, each averaged over its own valid rows.

Rows are selected and not multiplied by masks, which would change CCC and cross-entropy. Without a known label, a loss
and its gradient are 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional


def known_rows(targets: Tensor) -> Tensor:
    """Mask (N,) of the rows of (N, L) targets without an unknown (NaN) entry."""
    return ~torch.isnan(targets).any(dim=1)


def zero_loss(outputs: Tensor) -> Tensor:
    """A zero that is connected to the graph of the outputs."""
    return outputs.sum() * 0


def class_frequencies(targets: npt.NDArray[np.floating]) -> Tensor:
    """Mean share (C,) of each class over the known rows of (N, C) targets, at least 1e-4."""
    known = targets[~np.isnan(targets).any(axis=1)]
    return torch.from_numpy(known.mean(axis=0, dtype=np.float64)).float().clamp_min(1e-4)


def soft_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    offsets: Tensor | None = None,
) -> Tensor:
    """Mean over known rows of ``-sum_c w_c t_c log softmax(logits)_c``.

    With smoothing eps the target becomes (1 - eps) t + eps / C. Weights multiply the soft targets; the result is not
    divided by the sum of weights.

    Args:
        logits: (N, C) logits.
        targets: (N, C) shares that sum to 1 (one-hot for a single label), NaN where unknown.
        weights: (C,) class weights; None for ones.
        label_smoothing: Smoothing eps in [0, 1].
        offsets: (C,) added to the logits in the loss alone, such as the logarithm of the frequencies: the logits
            themselves then tell rare classes apart as if all were equally frequent (logit adjustment, Menon et al.,
            ICLR 2021).
    """
    valid = known_rows(targets)
    if not valid.any():
        return zero_loss(logits)
    if offsets is not None:
        logits = logits + offsets
    shares = (1 - label_smoothing) * targets[valid] + label_smoothing / targets.shape[1]
    if weights is not None:
        shares = shares * weights
    return -(shares * functional.log_softmax(logits[valid], dim=1)).sum(dim=1).mean()


def top_cross_entropy(
    logits: Tensor, targets: Tensor, *, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """`soft_cross_entropy` to the class with the largest share (plurality); ties go to the first class."""
    top = functional.one_hot(torch.nan_to_num(targets).argmax(dim=1), targets.shape[1]).to(targets.dtype)
    known = known_rows(targets)[:, None]
    sharp = torch.where(known, top, torch.full_like(targets, torch.nan))
    return soft_cross_entropy(logits, sharp, weights=weights, label_smoothing=label_smoothing)


def focal_loss(logits: Tensor, targets: Tensor, *, weights: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Mean over known rows of ``-sum_c w_c t_c (1 - p_c)^gamma log p_c`` (Lin et al., ICCV 2017)."""
    valid = known_rows(targets)
    if not valid.any():
        return zero_loss(logits)
    logs = functional.log_softmax(logits[valid], dim=1)
    shares = targets[valid] if weights is None else targets[valid] * weights
    return -(shares * (1 - logs.exp()) ** gamma * logs).sum(dim=1).mean()


def concordance(x: Tensor, y: Tensor) -> Tensor:
    """CCC (D,) of each column of two (N, D) series, with population moments; 0 for two equal constants."""
    x_centred, y_centred = x - x.mean(dim=0), y - y.mean(dim=0)
    shift = (x.mean(dim=0) - y.mean(dim=0)) ** 2
    spread = (x_centred**2).mean(dim=0) + (y_centred**2).mean(dim=0) + shift
    return 2 * (x_centred * y_centred).mean(dim=0) / spread.clamp_min(1e-8)


def ccc_loss(predictions: Tensor, targets: Tensor, *, form: str = "A") -> Tensor:
    """1 - CCC over the rows whose values are all known, in the three forms of the literature.

    Args:
        predictions: (N, D) predictions; D = 2 for valence and arousal.
        targets: (N, D) targets, NaN where unknown.
        form: ``"A"`` for 1 - mean CCC; ``"B"`` for the mean of (1 - CCC), the same number; ``"C"`` for the sum of
            (1 - CCC), D times A.
    """
    valid = known_rows(targets)
    if valid.sum() < 2:
        return zero_loss(predictions)
    agreement = concordance(predictions[valid], targets[valid])
    return (1 - agreement).sum() if form == "C" else 1 - agreement.mean()


def pearson_loss(predictions: Tensor, targets: Tensor, *, column_weights: Sequence[float] = ()) -> Tensor:
    """1 - the weighted mean of Pearson's r over the columns of the batch.

    Args:
        predictions: (N, D) predictions.
        targets: (N, D) targets; rows with NaN are unknown.
        column_weights: D weights, normalised to sum 1; empty for equal weights.
    """
    valid = known_rows(targets)
    if valid.sum() < 2:
        return zero_loss(predictions)
    x, y = predictions[valid], targets[valid]
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    # The floor is inside the root, whose derivative at 0 is infinite: a constant column would give NaN gradients.
    r = (x * y).sum(dim=0) / ((x**2).sum(dim=0) * (y**2).sum(dim=0)).clamp_min(1e-12).sqrt()
    if not column_weights:
        return 1 - r.mean()
    weights = torch.tensor(column_weights, dtype=r.dtype, device=r.device)
    return 1 - (r * weights).sum() / weights.sum()


def index_cross_entropy(logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Mean over known rows of the cross-entropy to one class of many, given by its index.

    Args:
        logits: (N, C) logits.
        targets: (N, 1) indices of the classes, NaN where unknown.
        label_smoothing: Smoothing eps in [0, 1].
    """
    valid = known_rows(targets)
    if not valid.any():
        return zero_loss(logits)
    index = targets[valid, 0].long()
    return functional.cross_entropy(logits[valid], index, label_smoothing=label_smoothing)


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared difference over the known entries of (N, D)."""
    known = ~torch.isnan(targets)
    return ((predictions[known] - targets[known]) ** 2).mean() if known.any() else zero_loss(predictions)


def partial_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of soft targets (N, A), averaged over the means of the known entries of each column."""
    known = ~torch.isnan(targets)
    terms = [
        functional.binary_cross_entropy_with_logits(logits[rows, column], targets[rows, column])
        for column, rows in enumerate(known.T)
        if rows.any()
    ]
    return torch.stack(terms).mean() if terms else zero_loss(logits)


def weighted_bce(logits: Tensor, targets: Tensor, *, positive: Tensor, negative: Tensor) -> Tensor:
    """Mean over known entries of ``-(w1 y log p + w0 (1 - y) log(1 - p))``, the product form.

    Args:
        logits: (N, A) logits.
        targets: (N, A) probabilities in [0, 1], NaN where unknown.
        positive: (A,) weights w1 of each action unit, total / (2 positives).
        negative: (A,) weights w0 of each action unit, total / (2 negatives).
    """
    known = ~torch.isnan(targets)
    if not known.any():
        return zero_loss(logits)
    y = torch.nan_to_num(targets)
    terms = positive * y * functional.logsigmoid(logits) + negative * (1 - y) * functional.logsigmoid(-logits)
    return -terms[known].mean()


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
    weights: Tensor | None = None,
    detach_focus: bool = False,
) -> Tensor:
    """Mean over known entries of the asymmetric loss for rare positives (Ridnik et al., ICCV 2021).

    ``-(y (1-p)^g+ log p + (1-y) q^g- log(1-q))`` with q = max(p - margin, 0): easy negatives
    have little weight.

    Args:
        logits: (N, A) logits.
        targets: (N, A) probabilities in [0, 1], NaN where unknown.
        gamma_positive: Exponent g+ of positives.
        gamma_negative: Exponent g- of negatives.
        margin: Probability margin in [0, 1).
        weights: (A,) weights of the action units; None for ones.
        detach_focus: Whether no gradient flows through the powers, as in the code of MCAN.
    """
    known = ~torch.isnan(targets)
    if not known.any():
        return zero_loss(logits)
    y, z = targets[known], logits[known]
    unit = 1.0 if weights is None else weights.expand_as(targets)[known]
    p = z.sigmoid()
    q = (p - margin).clamp_min(0)
    # Without a margin, log(1 - p) is exact from the logits; with a margin, 1 - q is at least the margin.
    log_absent = functional.logsigmoid(-z) if margin == 0 else (1 - q).log()
    focus, absent_focus = (1 - p) ** gamma_positive, q**gamma_negative
    if detach_focus:
        focus, absent_focus = focus.detach(), absent_focus.detach()
    return -(unit * (y * focus * functional.logsigmoid(z) + (1 - y) * absent_focus * log_absent)).mean()


# Beta of the effective number of samples, which its authors use for large sets.
_BETA = 0.9999


def class_weights(counts: Tensor, convention: str) -> Tensor:
    """Class weights (C,) from class counts, in one of the conventions of the literature.

    Args:
        counts: (C,) number of rows of each class; soft labels count as fractions. A class without rows gets weight 0.
        convention: ``"max"`` for max_count / count (HSE, minimum 1); ``"mean"`` for mean_count / count (LSD
            fine-tuning); ``"total"`` for total / count (SS-MFAR); ``"effective"`` for (1 - b) / (1 - b^count) with
            b = 0.9999, scaled to a mean of 1 over the classes with rows (class-balanced loss, Cui et al., CVPR 2019).
    """
    if convention == "effective":
        weights = torch.where(counts > 0, (1 - _BETA) / (1 - _BETA ** counts.clamp_min(1e-6)), torch.zeros_like(counts))
        return weights * (counts > 0).sum() / weights.sum()
    top = {"max": counts.max(), "mean": counts.mean(), "total": counts.sum()}[convention]
    return torch.where(counts > 0, top / counts.clamp_min(1e-6), torch.zeros_like(counts))
