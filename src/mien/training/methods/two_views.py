# SPDX-License-Identifier: Apache-2.0
"""SS-MFAR: pseudo-labels of a weak view for a strong view of rows without an expression, with thresholds by class.

Source: Gera, Kumar, Bharathi, Bobby, Badveeti Naveen Siva, Rani Sravani, arXiv 2207.09012.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torchvision.transforms import v2

from mien.core import ConfigError
from mien.training.losses.task_losses import known_rows, zero_loss
from mien.training.methods.registry import Step, Tensors, TrainingMethod
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import TwoViewsSettings
from mien.training.recipes.recipe import Recipe

# Shares of the labelled rows, of confident unlabelled ones, and of the other unlabelled ones in the expression's loss.
_SHARES = (0.5, 0.5, 0.5)


class TwoViews(TrainingMethod):
    """Thresholds and the three parts of the expression's loss; other tasks keep theirs, on the weak view.

    The batch as the recipe's augmentation draws it is the weak view; RandAugment makes the strong view of it.

    Args:
        settings: Settings of the method.
        network: Network that is trained.
        recipe: Its recipe.
        labels: Task -> names of the outputs.

    Raises:
        ConfigError: The recipe has no pictures or no expression head.
    """

    draws_unlabelled = True

    sums: Tensor
    counts: Tensor
    thresholds: Tensor
    epoch: Tensor

    def __init__(
        self,
        settings: TwoViewsSettings,
        network: AffectNetwork,
        recipe: Recipe,
        labels: Mapping[str, tuple[str, ...]],
    ) -> None:
        super().__init__()
        if not network.has_pixels or "expression" not in recipe.heads:
            raise ConfigError("method 'two_views' needs pictures and an expression head")
        self._settings = settings
        self._weight = recipe.losses["expression"].weight
        self._strong = v2.RandAugment(num_ops=settings.n_changes, magnitude=settings.magnitude)
        n_classes = len(labels["expression"])
        self.register_buffer("sums", torch.zeros(n_classes))
        self.register_buffer("counts", torch.zeros(n_classes))
        self.register_buffer("thresholds", torch.full((n_classes,), settings.threshold))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))

    def terms(self, step: Step) -> Tensors:
        """The losses of all tasks, that of the expression with its two parts of unlabelled rows."""
        self._start_epoch(step.epoch)
        weak = step.forward(step.inputs)
        terms = step.task_terms(weak, step.targets)
        labelled = known_rows(step.targets["expression"])
        logits = weak["expression"].float()
        self._watch(logits.detach()[labelled], step.targets["expression"][labelled])
        terms["expression"] = _SHARES[0] * terms["expression"]
        rows = (~labelled).nonzero()[:, 0]
        if len(rows) < 2:  # batch normalisation needs two
            return terms
        strong = step.forward(self._strong_view(step.inputs[rows]))["expression"].float()
        pseudo, divergence = unlabelled_losses(logits[rows], strong, self.thresholds)
        terms["pseudo-labels"] = self._weight * _SHARES[1] * pseudo
        terms["divergence"] = self._weight * _SHARES[2] * divergence
        return terms

    def _strong_view(self, inputs: Tensor) -> Tensor:
        """The crops (B, S, S, C) uint8, each with random changes of its own."""
        crops = inputs.permute(0, 3, 1, 2)
        return torch.stack([self._strong(crop) for crop in crops]).permute(0, 2, 3, 1)

    def _watch(self, logits: Tensor, targets: Tensor) -> None:
        """Add the probabilities of the labelled rows whose class is right to the sums of the epoch."""
        probability, predicted = logits.softmax(dim=1).max(dim=1)
        right = predicted == targets.argmax(dim=1)
        self.sums.index_add_(0, predicted[right], probability[right])
        self.counts.index_add_(0, predicted[right], torch.ones_like(probability[right]))

    def _start_epoch(self, epoch: int) -> None:
        """New thresholds from the epoch that has ended."""
        if int(self.epoch) == epoch:
            return
        means = self.sums / self.counts.clamp_min(1)
        self.thresholds.copy_(class_thresholds(means, epoch, self._settings))
        self.sums.zero_()
        self.counts.zero_()
        self.epoch.fill_(epoch)


def class_thresholds(means: Tensor, epoch: int, settings: TwoViewsSettings) -> Tensor:
    """Threshold (C,) of each class: its mean probability times factor / (1 + exp(-epoch)), at least the lowest one.

    Args:
        means: (C,) mean probability of the labelled rows of each class that are classified right; 0 without any.
        epoch: Number of the epoch that begins, from 0.
        settings: Lowest threshold and factor.

    Examples:
        >>> class_thresholds(torch.tensor([0.99, 0.5]), 3, TwoViewsSettings()).tolist()[0]
        0.9147588014602661
    """
    return (means * settings.factor / (1 + math.exp(-epoch))).clamp_min(settings.threshold)


def unlabelled_losses(weak: Tensor, strong: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the strong view to pseudo-labels, and symmetric divergence of both views elsewhere.

    A row whose weak view has a probability above the threshold of its class has that class as pseudo-label; for the
    others the loss is KL(weak, strong) + KL(strong, weak). Each is a mean over its own rows, 0 without any.

    Args:
        weak: (N, C) logits of the weak view; no gradient flows into a pseudo-label.
        strong: (N, C) logits of the strong view.
        thresholds: (C,) thresholds.
    """
    probability, label = weak.detach().softmax(dim=1).max(dim=1)
    sure = probability > thresholds[label]
    log_strong, log_weak = strong.log_softmax(dim=1), weak.log_softmax(dim=1)
    pseudo = -log_strong[sure].gather(1, label[sure, None]).mean() if sure.any() else zero_loss(strong)
    if sure.all():
        return pseudo, zero_loss(strong)
    one, two = log_weak[~sure], log_strong[~sure]
    return pseudo, ((one.exp() - two.exp()) * (one - two)).sum(dim=1).mean()
