# SPDX-License-Identifier: Apache-2.0
"""Registry of training methods, which replace the losses of a step, and the interface between them and the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from mien.core import ConfigError, Registry
from mien.training.data.training_set import Rows, TrainingSet
from mien.training.engine.compute import seeded

if TYPE_CHECKING:
    from mien.training.models.network import AffectNetwork
    from mien.training.recipes.recipe import Recipe

Tensors = dict[str, Tensor]

FEATURES = "features"
"""Key of the shared features (N, D) among the outputs of `Step.forward`, where the network gives them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One batch, and what a method may do with it.

    Attributes:
        inputs: (B, S, S, C) uint8 crops or (B, D) vectors, on the device.
        targets: Task -> (B, L) targets, NaN where unknown, on the device.
        epoch: Number of the epoch in the stage, from 0.
        lr: Current learning rate of the heads.
        forward: Function from inputs to the network's outputs by task, and `FEATURES`.
        task_terms: Function from outputs and targets to the weighted losses of the stage's tasks.
    """

    inputs: Tensor
    targets: Tensors
    epoch: int
    lr: float
    forward: Callable[[Tensor], Tensors]
    task_terms: Callable[[Tensors, Tensors], Tensors]


class TrainingMethod(nn.Module):
    """What a stage minimises. Modules of a method are in checkpoints and not in bundles.

    Attributes:
        draws_unlabelled: Whether epochs also draw the rows without a label of the stage's tasks, and auxiliary ones.
        tasks: Tasks of the stage; empty for all that the samples have.
    """

    draws_unlabelled = False
    tasks: tuple[str, ...] = ()

    def terms(self, step: Step) -> Tensors:
        """Weighted terms of the loss of one batch, whose sum is minimised.

        A method may also update networks of its own, with optimisers of its own.

        Args:
            step: Batch and network.
        """
        return step.task_terms(step.forward(step.inputs), step.targets)

    def joint_modules(self) -> tuple[nn.Module, ...]:
        """Modules of the method that the optimiser of the stage trains, at the learning rate of the heads."""
        return ()

    def rows(self, samples: TrainingSet, rng: np.random.Generator) -> Rows:
        """Rows that an epoch draws beside those with a label."""
        del rng
        if not self.draws_unlabelled:
            return np.empty(0, dtype=np.intp)
        labelled = np.stack([samples.known(task) for task in self.tasks or samples.targets]).any(axis=0)
        return np.flatnonzero(~(samples.primary & labelled))

    def finish(self) -> None:
        """Change the network at the end of the stage. The default changes nothing."""

    def state(self) -> dict[str, Any]:
        """Everything that an interrupted stage needs to resume; `load_state` reads it."""
        return {"modules": self.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of a checkpoint."""
        self.load_state_dict(state["modules"])


@dataclass(frozen=True, kw_only=True)
class MethodRecord:
    """One line of the table of training methods.

    Attributes:
        name: Name in recipes.
        target: ``"module:class"`` of a `TrainingMethod` that is created from its settings, the network, its recipe with
            the optimiser of the stage, and its labels.
        summary: One line for the docs.
        card: Sentence for the card of a network that was trained with it; empty where all its targets are labels.
    """

    name: str
    target: str
    summary: str
    card: str = ""


METHODS = Registry(
    "training method",
    (
        MethodRecord(
            name="adversarial",
            target="mien.training.methods.adversarial:Adversarial",
            summary="noisy labels: an encoder, and a decoder from labels to faces, matched by discriminators; noisyFER",
        ),
        MethodRecord(
            name="co_teaching",
            target="mien.training.methods.co_teaching:CoTeaching",
            summary="noisy labels: two networks, each trained on the rows with small losses in the other",
        ),
        MethodRecord(
            name="two_views",
            target="mien.training.methods.two_views:TwoViews",
            summary="rows without an expression: pseudo-labels of a weak view for a strong view; SS-MFAR",
            card="Some expressions in training were predictions of the network itself for faces without a label.",
        ),
        MethodRecord(
            name="masked_autoencoding",
            target="mien.training.methods.masked_patches:MaskedAutoencoding",
            summary="pretraining of a `masked_vit`: hidden patches are predicted from visible ones",
        ),
        MethodRecord(
            name="masked_members",
            target="mien.training.methods.masked_patches:MaskedMembers",
            summary="members of a `masked_vit` see different patches and must agree; masked CoTEX",
        ),
    ),
)
"""Name -> `MethodRecord`."""


def create_method(
    network: AffectNetwork, recipe: Recipe, stage: int, samples: TrainingSet, n_processes: int = 1
) -> TrainingMethod | None:
    """The method of a stage, with random first weights by the recipe's seed, on the device of the network.

    Args:
        network: Network that is trained.
        recipe: Recipe of the network.
        stage: Number of the stage, from 0.
        samples: Training set.
        n_processes: Number of processes of the training.

    Returns:
        The method in training mode; None for a stage without one.

    Raises:
        ConfigError: The method does not fit the recipe, the data or the devices.
    """
    settings = recipe.stages[stage].method
    if settings is None:
        return None
    recipe = replace(recipe, optimizer=recipe.stages[stage].optimizer or recipe.optimizer)
    if n_processes > 1 or samples.domains.any():
        raise ConfigError(f"method {settings.name!r} needs one device, and sources with statistics = 'shared'")
    if recipe.optimizer.sam_rho:
        raise ConfigError(f"method {settings.name!r}: sam_rho must be 0, since SAM takes every batch twice")
    with seeded(recipe.seed + 1):
        method: TrainingMethod = METHODS.load(settings.name)(settings, network, recipe, samples.labels)
    method.tasks = recipe.stages[stage].tasks or recipe.tasks
    return method.to(next(network.parameters()).device).train()
