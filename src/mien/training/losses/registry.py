# SPDX-License-Identifier: Apache-2.0
"""Named losses: what a recipe writes, bound to the counts of the labels that teach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mien.core import ConfigError, Registry
from mien.training.losses import task_losses as losses
from mien.training.recipes.settings import HeadSettings, LossSettings

Floats = npt.NDArray[np.float32]

Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs (N, L) and targets (N, L) with NaN for unknown, to a scalar."""


@dataclass(frozen=True, kw_only=True)
class NamedLoss:
    """One line of the table of losses.

    Attributes:
        name: what recipes write.
        target: ``"module:function"`` of the labels (N, L) that teach and the recipe's options; it returns a `Loss`.
        summary: one line for the docs.
    """

    name: str
    target: str
    summary: str


_HERE = "mien.training.losses.registry"

LOSSES = Registry(
    "loss",
    (
        NamedLoss(
            name="soft_cross_entropy",
            target=f"{_HERE}:bind_cross_entropy",
            summary="cross-entropy to shares or labels; `label_smoothing`, `class_weights` (max, mean or total)",
        ),
        NamedLoss(
            name="top_cross_entropy",
            target=f"{_HERE}:bind_top_cross_entropy",
            summary="cross-entropy to the class with the largest share alone; options as above",
        ),
        NamedLoss(
            name="focal", target=f"{_HERE}:bind_focal", summary="focal cross-entropy; `gamma`, `class_weights` as above"
        ),
        NamedLoss(name="ccc", target=f"{_HERE}:bind_ccc", summary="1 - concordance; `form` A, B or C"),
        NamedLoss(name="pearson", target=f"{_HERE}:bind_pearson", summary="1 - Pearson's r; `column_weights`"),
        NamedLoss(name="squared_error", target=f"{_HERE}:bind_squared_error", summary="mean squared error"),
        NamedLoss(
            name="bce", target=f"{_HERE}:bind_bce", summary="binary cross-entropy, the mean of every column's mean"
        ),
        NamedLoss(
            name="weighted_bce",
            target=f"{_HERE}:bind_weighted_bce",
            summary="binary cross-entropy with total / (2 positives) and total / (2 negatives) of each column",
        ),
        NamedLoss(
            name="asymmetric",
            target=f"{_HERE}:bind_asymmetric",
            summary="asymmetric loss of rare positives; `gamma_positive`, `gamma_negative`, `margin`",
        ),
    ),
)
"""Name -> `NamedLoss`."""


def create_loss(settings: LossSettings, targets: Floats) -> Loss:
    """The loss that a recipe names.

    Args:
        settings: its name and options.
        targets: (N, L) labels that teach, NaN where unknown; weights are counted on them.

    Raises:
        ConfigError: the name or an option is unknown.
    """
    bind: Callable[..., Loss] = LOSSES.load(settings.name)
    try:
        return bind(targets, **settings.options)
    except TypeError as error:
        raise ConfigError(f"loss {settings.name} does not take these options: {error}") from error


def bind_cross_entropy(targets: Floats, *, class_weights: str = "", label_smoothing: float = 0.0) -> Loss:
    """`losses.soft_cross_entropy` with the weights of these labels."""
    weights = _class_weights(targets, class_weights)
    return _Bound(losses.soft_cross_entropy, weights=weights, label_smoothing=float(label_smoothing))


def bind_top_cross_entropy(targets: Floats, *, class_weights: str = "", label_smoothing: float = 0.0) -> Loss:
    """`losses.top_cross_entropy` with the weights of these labels."""
    weights = _class_weights(targets, class_weights)
    return _Bound(losses.top_cross_entropy, weights=weights, label_smoothing=float(label_smoothing))


def bind_focal(targets: Floats, *, class_weights: str = "", gamma: float = 2.0) -> Loss:
    """`losses.focal_loss` with the weights of these labels."""
    return _Bound(losses.focal_loss, weights=_class_weights(targets, class_weights), gamma=float(gamma))


def bind_ccc(targets: Floats, *, form: str = "A") -> Loss:  # noqa: ARG001 - every binding takes the labels
    """`losses.ccc_loss`."""
    if form not in ("A", "B", "C"):
        raise ConfigError(f"the form of the CCC loss is A, B or C, got {form!r}")
    return partial(losses.ccc_loss, form=form)


def bind_pearson(targets: Floats, *, column_weights: tuple[float, ...] = ()) -> Loss:
    """`losses.pearson_loss`."""
    if column_weights and len(column_weights) != targets.shape[1]:
        raise ConfigError(f"{targets.shape[1]} columns and {len(column_weights)} column_weights")
    return partial(losses.pearson_loss, column_weights=column_weights)


def bind_squared_error(targets: Floats) -> Loss:  # noqa: ARG001 - every binding takes the labels
    """`losses.squared_error`."""
    return losses.squared_error


def bind_bce(targets: Floats) -> Loss:  # noqa: ARG001 - every binding takes the labels
    """`losses.partial_bce`."""
    return losses.partial_bce


def bind_weighted_bce(targets: Floats) -> Loss:
    """`losses.weighted_bce` with the positives and negatives of these labels; a column without either weighs 1."""
    known = ~np.isnan(targets)
    total = known.sum(axis=0).astype(np.float64)
    positives = np.nansum(targets, axis=0, dtype=np.float64)
    counts = np.stack([positives, total - positives])
    usable = (counts > 0).all(axis=0)
    weights = np.where(usable, total / np.maximum(2 * counts, 1e-6), 1.0)
    positive, negative = torch.from_numpy(weights.astype(np.float32))
    return _Bound(losses.weighted_bce, positive=positive, negative=negative)


def bind_asymmetric(
    targets: Floats,  # noqa: ARG001 - every binding takes the labels
    *,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
) -> Loss:
    """`losses.asymmetric_loss`."""
    return partial(
        losses.asymmetric_loss,
        gamma_positive=float(gamma_positive),
        gamma_negative=float(gamma_negative),
        margin=float(margin),
    )


def task_weights(settings: Mapping[str, LossSettings], targets: Mapping[str, Floats], balance: str) -> dict[str, float]:
    """The lambda of each task: the recipe's, times max_n / n_t with ``balance`` ``"rows"``.

    Args:
        settings: task -> loss.
        targets: task -> (N, L) labels that teach; n_t counts rows with a known entry.
        balance: ``"fixed"`` or ``"rows"``.
    """
    n_rows = {task: int((~np.isnan(targets[task])).any(axis=1).sum()) for task in settings}
    most = max(n_rows.values())
    return {
        task: loss.weight * (most / max(n_rows[task], 1) if balance == "rows" else 1.0)
        for task, loss in settings.items()
    }


def kernel_penalty(head: nn.Module, settings: HeadSettings) -> Tensor:
    """The head's ``l2`` times the sum of its squared kernels, biases left out."""
    return settings.l2 * torch.stack([(p**2).sum() for p in head.parameters() if p.ndim > 1]).sum()


class _Bound:
    """A loss with tensors of its own, which follow the outputs to their device."""

    def __init__(self, function: Callable[..., Tensor], **options: Any) -> None:
        self._function, self._options = function, options

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        options = {k: v.to(outputs.device) if isinstance(v, Tensor) else v for k, v in self._options.items()}
        return self._function(outputs, targets, **options)


def _class_weights(targets: Floats, convention: str) -> Tensor | None:
    if not convention:
        return None
    if convention not in ("max", "mean", "total"):
        raise ConfigError(f"class_weights must be 'max', 'mean' or 'total', got {convention!r}")
    known = targets[~np.isnan(targets).any(axis=1)]
    return losses.class_weights(torch.from_numpy(known.sum(axis=0, dtype=np.float64)), convention).float()
