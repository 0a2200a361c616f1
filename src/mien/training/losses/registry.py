# SPDX-License-Identifier: Apache-2.0
"""Registry of losses, which are bound to the label counts of the training set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.core import ConfigError, Float32, Registry
from mien.training.losses import landmark_losses
from mien.training.losses import task_losses as losses
from mien.training.losses.detection_loss import detection_loss
from mien.training.losses.window_loss import window_detection
from mien.training.recipes.settings import HeadSettings, LossSettings

Loss = Callable[[Tensor, Tensor], Tensor]
"""Function of outputs (N, L) and targets (N, L), NaN where unknown, that returns a scalar."""


@dataclass(frozen=True, kw_only=True)
class NamedLoss:
    """One entry of the registry of losses.

    Attributes:
        name: Name in a recipe.
        target: ``"module:function"`` of the training labels (N, L) and the recipe's options that returns a `Loss`.
        summary: One-line description for the docs.
    """

    name: str
    target: str
    summary: str


_HERE = "mien.training.losses.registry"
_LANDMARK_COLUMNS = 2 * 68

LOSSES = Registry(
    "loss",
    (
        NamedLoss(
            name="soft_cross_entropy",
            target=f"{_HERE}:bind_cross_entropy",
            summary="cross-entropy to shares or labels; `label_smoothing`, `class_weights` (max, mean, total or "
            "effective) and `logit_adjustment` (1 treats all classes alike)",
        ),
        NamedLoss(
            name="top_cross_entropy",
            target=f"{_HERE}:bind_top_cross_entropy",
            summary="cross-entropy to the class with the largest share; options as above",
        ),
        NamedLoss(
            name="index_cross_entropy",
            target=f"{_HERE}:bind_index_cross_entropy",
            summary="cross-entropy to one class of many by its index (the task identity); `label_smoothing`",
        ),
        NamedLoss(
            name="focal", target=f"{_HERE}:bind_focal", summary="focal cross-entropy; `gamma`, `class_weights` as above"
        ),
        NamedLoss(name="ccc", target=f"{_HERE}:bind_ccc", summary="1 - concordance; `form` A, B or C"),
        NamedLoss(name="pearson", target=f"{_HERE}:bind_pearson", summary="1 - Pearson's r; `column_weights`"),
        NamedLoss(name="squared_error", target=f"{_HERE}:bind_squared_error", summary="mean squared error"),
        NamedLoss(
            name="bce",
            target=f"{_HERE}:bind_bce",
            summary="binary cross-entropy, averaged over the means of all columns",
        ),
        NamedLoss(
            name="weighted_bce",
            target=f"{_HERE}:bind_weighted_bce",
            summary="binary cross-entropy with weights total / (2 positives) and total / (2 negatives) per column",
        ),
        NamedLoss(
            name="asymmetric",
            target=f"{_HERE}:bind_asymmetric",
            summary="asymmetric loss for rare positives; `gamma_positive`, `gamma_negative`, `margin`, `detach_focus`, "
            "`rare_units` (weights 1 / positives of each unit, mean 1)",
        ),
        NamedLoss(
            name="landmark_distance",
            target=f"{_HERE}:bind_landmark_distance",
            summary="mean distance of 68 landmarks in eye distances",
        ),
        NamedLoss(
            name="smooth_l1",
            target=f"{_HERE}:bind_smooth_l1",
            summary="mean absolute difference, below `beta` by its square",
        ),
        NamedLoss(
            name="detection",
            target=f"{_HERE}:bind_detection",
            summary="confidence, boxes, keypoints and roll of the cells of a detector",
        ),
        NamedLoss(
            name="window_detection",
            target=f"{_HERE}:bind_window_detection",
            summary="cross-entropy of parts in sliding windows, summed over parts and windows; `span` (width of a "
            "window in steps)",
        ),
    ),
)
"""Registry of `NamedLoss` by name."""


def create_loss(settings: LossSettings, targets: Float32) -> Loss:
    """Create the loss of a recipe.

    Args:
        settings: Name and options of the loss.
        targets: (N, L) training labels, NaN where unknown, from which weights are counted.

    Raises:
        ConfigError: The name or an option is unknown.
    """
    bind: Callable[..., Loss] = LOSSES.load(settings.name)
    try:
        return bind(targets, **settings.options)
    except TypeError as error:
        raise ConfigError(f"loss {settings.name} does not accept these options: {error}") from error


def bind_cross_entropy(
    targets: Float32, *, class_weights: str = "", label_smoothing: float = 0.0, logit_adjustment: float = 0.0
) -> Loss:
    """Bind `task_losses.soft_cross_entropy` to the class weights and frequencies of these labels."""
    weights = _class_weights(targets, class_weights)
    offsets = float(logit_adjustment) * losses.class_frequencies(targets).log() if logit_adjustment else None
    return _Bound(losses.soft_cross_entropy, weights=weights, label_smoothing=float(label_smoothing), offsets=offsets)


def bind_top_cross_entropy(targets: Float32, *, class_weights: str = "", label_smoothing: float = 0.0) -> Loss:
    """Bind `task_losses.top_cross_entropy` to the class weights of these labels."""
    weights = _class_weights(targets, class_weights)
    return _Bound(losses.top_cross_entropy, weights=weights, label_smoothing=float(label_smoothing))


def bind_index_cross_entropy(targets: Float32, *, label_smoothing: float = 0.0) -> Loss:
    """Bind `task_losses.index_cross_entropy`.

    Raises:
        ConfigError: The targets have a column for each class.
    """
    if targets.shape[1] != 1:
        raise ConfigError(f"index_cross_entropy needs one column of indices, got {targets.shape[1]} columns")
    return partial(losses.index_cross_entropy, label_smoothing=float(label_smoothing))


def bind_focal(targets: Float32, *, class_weights: str = "", gamma: float = 2.0) -> Loss:
    """Bind `task_losses.focal_loss` to the class weights of these labels."""
    return _Bound(losses.focal_loss, weights=_class_weights(targets, class_weights), gamma=float(gamma))


def bind_ccc(targets: Float32, *, form: str = "A") -> Loss:  # noqa: ARG001 - all bind functions have this parameter
    """Bind `task_losses.ccc_loss`."""
    if form not in ("A", "B", "C"):
        raise ConfigError(f"the form of the CCC loss is A, B or C, got {form!r}")
    return partial(losses.ccc_loss, form=form)


def bind_pearson(targets: Float32, *, column_weights: tuple[float, ...] = ()) -> Loss:
    """Bind `task_losses.pearson_loss`."""
    if column_weights and len(column_weights) != targets.shape[1]:
        raise ConfigError(f"{targets.shape[1]} columns and {len(column_weights)} column_weights")
    return partial(losses.pearson_loss, column_weights=column_weights)


def bind_squared_error(targets: Float32) -> Loss:  # noqa: ARG001 - all bind functions have this parameter
    """Bind `task_losses.squared_error`."""
    return losses.squared_error


def bind_bce(targets: Float32) -> Loss:  # noqa: ARG001 - all bind functions have this parameter
    """Bind `task_losses.partial_bce`."""
    return losses.partial_bce


def bind_weighted_bce(targets: Float32) -> Loss:
    """Bind `task_losses.weighted_bce` to the positives and negatives of these labels; 1 for a column without either."""
    known = ~np.isnan(targets)
    total = known.sum(axis=0).astype(np.float64)
    positives = np.nansum(targets, axis=0, dtype=np.float64)
    counts = np.stack([positives, total - positives])
    usable = (counts > 0).all(axis=0)
    weights = np.where(usable, total / np.maximum(2 * counts, 1e-6), 1.0)
    positive, negative = torch.from_numpy(weights.astype(np.float32))
    return _Bound(losses.weighted_bce, positive=positive, negative=negative)


def bind_asymmetric(
    targets: Float32,
    *,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
    rare_units: bool = False,
    detach_focus: bool = False,
) -> Loss:
    """Bind `task_losses.asymmetric_loss`, with weights of mean 1 that are inverse to the positives of each unit."""
    options: dict[str, Any] = {}
    if rare_units:
        positives = np.maximum(np.nansum(targets, axis=0, dtype=np.float64), 1.0)
        weights = (1 / positives) / (1 / positives).mean()
        options["weights"] = torch.from_numpy(weights.astype(np.float32))
    return _Bound(
        losses.asymmetric_loss,
        gamma_positive=float(gamma_positive),
        gamma_negative=float(gamma_negative),
        margin=float(margin),
        detach_focus=bool(detach_focus),
        **options,
    )


def bind_landmark_distance(targets: Float32) -> Loss:
    """`landmark_losses.landmark_distance`."""
    if targets.shape[1] != _LANDMARK_COLUMNS:
        raise ConfigError(f"landmark_distance needs {_LANDMARK_COLUMNS} columns, x and y of 68, got {targets.shape[1]}")
    return landmark_losses.landmark_distance


def bind_smooth_l1(targets: Float32, *, beta: float = 1.0) -> Loss:  # noqa: ARG001 - every binding takes the labels
    """`landmark_losses.smooth_l1`."""
    return partial(landmark_losses.smooth_l1, beta=float(beta))


def bind_detection(targets: Float32) -> Loss:  # noqa: ARG001 - every binding takes the labels
    """`detection_loss.detection_loss`."""
    return detection_loss


def bind_window_detection(targets: Float32, *, span: float = 1.0) -> Loss:
    """`window_loss.window_detection`."""
    if targets.shape[1] % 2 or not span > 0:
        raise ConfigError(
            f"window_detection needs x and y of each part and a positive span, got {targets.shape[1]} columns "
            f"and {span}"
        )
    return partial(window_detection, span=float(span))


def task_weights(
    settings: Mapping[str, LossSettings], targets: Mapping[str, Float32], balance: str
) -> dict[str, float]:
    """Weight (lambda) of each task: that of the recipe, times max_n / n_t if ``balance`` is ``"rows"``.

    Args:
        settings: Loss of each task.
        targets: Training labels (N, L) of each task; n_t counts the rows with a known entry.
        balance: ``"fixed"`` or ``"rows"``.
    """
    n_rows = {task: int((~np.isnan(targets[task])).any(axis=1).sum()) for task in settings}
    most = max(n_rows.values())
    return {
        task: loss.weight * (most / max(n_rows[task], 1) if balance == "rows" else 1.0)
        for task, loss in settings.items()
    }


def kernel_penalty(head: nn.Module, settings: HeadSettings) -> Tensor:
    """``l2`` of the head times the sum of its squared kernels, without biases."""
    return settings.l2 * torch.stack([(p**2).sum() for p in head.parameters() if p.ndim > 1]).sum()


class _Bound:
    """Loss with tensor options, which are moved to the device of the outputs."""

    def __init__(self, function: Callable[..., Tensor], **options: Any) -> None:
        self._function, self._options = function, options

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        options = {k: v.to(outputs.device) if isinstance(v, Tensor) else v for k, v in self._options.items()}
        return self._function(outputs, targets, **options)


def _class_weights(targets: Float32, convention: str) -> Tensor | None:
    if not convention:
        return None
    if convention not in ("max", "mean", "total", "effective"):
        raise ConfigError(f"class_weights must be 'max', 'mean', 'total' or 'effective', got {convention!r}")
    known = targets[~np.isnan(targets).any(axis=1)]
    return losses.class_weights(torch.from_numpy(known.sum(axis=0, dtype=np.float64)), convention).float()
