# SPDX-License-Identifier: Apache-2.0
"""Co-teaching: two networks, each of which selects the rows with small losses that the other one is trained on.

Source: Han et al., Co-teaching: robust training of deep neural networks with extremely noisy labels, NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mien.core import ConfigError
from mien.training.engine.optimization import create_optimizer, set_learning_rate
from mien.training.losses.task_losses import known_rows
from mien.training.methods.registry import Step, Tensors, TrainingMethod
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import CoTeachingSettings
from mien.training.recipes.recipe import Recipe


class CoTeaching(TrainingMethod):
    """The second network, its optimiser, and the selection.

    The selection is by the cross-entropy of the expression; a row that is left out has no loss of any task. The second
    network has the recipe's optimiser and learning rate, and other first weights; only the first is exported.

    Args:
        settings: Settings of the method.
        network: Network that is trained.
        recipe: Its recipe.
        labels: Task -> names of the outputs.

    Raises:
        ConfigError: The recipe has no expression head.
    """

    def __init__(
        self,
        settings: CoTeachingSettings,
        network: AffectNetwork,
        recipe: Recipe,
        labels: Mapping[str, tuple[str, ...]],
    ) -> None:
        super().__init__()
        if "expression" not in network.tasks:
            raise ConfigError("co_teaching selects rows by the loss of the expression, which has no head")
        self._settings = settings
        self.peer = AffectNetwork(recipe, labels).to(next(network.parameters()).device)
        self._optimizer = create_optimizer(self.peer, recipe.optimizer, 1.0)

    def kept_share(self, epoch: int) -> float:
        """Share of the rows that an epoch trains on: R(T) = 1 - tau min(T / T_k, 1).

        Args:
            epoch: Number of the epoch, from 0.
        """
        return 1 - self._settings.forget_rate * min(epoch / self._settings.ramp_epochs, 1.0)

    def terms(self, step: Step) -> Tensors:
        """The losses of the network on the rows that the second one selects; the second one makes a step of its own."""
        self.peer.train()
        outputs = step.forward(step.inputs)
        others = dict(zip(self.peer.tasks, self.peer(step.inputs), strict=False))
        label, share = step.targets["expression"], self.kept_share(step.epoch)
        by_network = small_losses(outputs["expression"].detach(), label, share)
        by_peer = small_losses(others["expression"].detach(), label, share)
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack(list(step.task_terms(others, _only(step.targets, by_network)).values())).sum().backward()
        set_learning_rate(self._optimizer, step.lr)
        self._optimizer.step()
        return step.task_terms(outputs, _only(step.targets, by_peer))

    def state(self) -> dict[str, Any]:
        """Second network and optimiser."""
        return {**super().state(), "optimizer": self._optimizer.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue with a second network and its optimiser."""
        super().load_state(state)
        self._optimizer.load_state_dict(state["optimizer"])


def small_losses(logits: Tensor, targets: Tensor, share: float) -> Tensor:
    """Mask (N,) of the share of the rows with the smallest cross-entropy; rows without a label are all selected.

    Args:
        logits: (N, C) logits.
        targets: (N, C) shares of classes, NaN where unknown.
        share: Share in (0, 1] of the labelled rows, of which at least one is selected.
    """
    known = known_rows(targets)
    selected = ~known
    rows = known.nonzero()[:, 0]
    if len(rows):
        losses = -(targets[rows] * logits[rows].log_softmax(dim=1)).sum(dim=1)
        n_kept = max(1, round(share * len(rows)))
        selected[rows[losses.argsort(stable=True)[:n_kept]]] = True
    return selected


def _only(targets: Tensors, selected: Tensor) -> Tensors:
    """The targets with those of all other rows unknown."""
    return {task: values.masked_fill(~selected[:, None], torch.nan) for task, values in targets.items()}
