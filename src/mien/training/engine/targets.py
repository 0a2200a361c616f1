# SPDX-License-Identifier: Apache-2.0
"""Target providers: what a recipe may name to add rows or to change targets at the start of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mien.core import Registry
from mien.training.data.training_set import Rows, TrainingSet
from mien.training.methods.registry import METHODS
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.target_settings import TargetSettings

if TYPE_CHECKING:
    from mien.training.models.network import AffectNetwork

Floats = npt.NDArray[np.float32]

StageTargets = dict[str, Floats]
"""Task -> (N, L) targets, NaN where unknown."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StageContext:
    """What a provider may use at the start of a stage.

    Attributes:
        samples: Training set with its own labels.
        recipe: Recipe of the training.
        stage: Number of the stage, from 0.
        network: Network as trained so far, averaged where the recipe averages, in evaluation mode.
        folder: Folder of the checkpoint, for predictions that an interrupted training must find again.
        data: Folder of the data sets, in which relative paths of files may start.
    """

    samples: TrainingSet
    recipe: Recipe
    stage: int
    network: AffectNetwork
    folder: Path
    data: Path = Path()


class TargetProvider:
    """Source of targets or rows that a recipe names. The defaults change nothing."""

    def targets(self, targets: StageTargets, context: StageContext) -> StageTargets:
        """The targets of a stage; called once at its start, and again when an interrupted stage resumes.

        Args:
            targets: Task -> (N, L) targets so far. They are not changed in place.
            context: Data and network of the stage.
        """
        del context
        return targets

    def rows(self, samples: TrainingSet, rng: np.random.Generator) -> Rows:
        """Rows that an epoch draws in addition.

        Args:
            samples: Training set.
            rng: Source of all randomness of the epoch.
        """
        del samples, rng
        return np.empty(0, dtype=np.intp)


@dataclass(frozen=True, kw_only=True)
class TargetRecord:
    """One line of the table of target providers.

    Attributes:
        name: Name in recipes.
        target: ``"module:class"`` of a `TargetProvider` that is created from its settings.
        summary: One line for the docs.
        card: Sentence for the card of a network that was trained with it; empty where it changes no target.
    """

    name: str
    target: str
    summary: str
    card: str = ""


_HERE = "mien.training.engine.target_providers"

TARGETS = Registry(
    "target provider",
    (
        TargetRecord(
            name="auxiliary_rows",
            target=f"{_HERE}:AuxiliaryRows",
            summary="rows of auxiliary sets in every epoch, beside the primary rows",
        ),
        TargetRecord(
            name="pseudo_labels",
            target=f"{_HERE}:PseudoLabels",
            summary="predictions of the network so far as targets of auxiliary rows",
            card="Some targets of auxiliary rows are predictions of the network itself at an earlier stage.",
        ),
        TargetRecord(
            name="self_distillation",
            target=f"{_HERE}:SelfDistillation",
            summary="predictions of the network so far as a share of the targets of primary rows",
            card="The targets of some stages have a share of predictions of the network itself at an earlier stage.",
        ),
        TargetRecord(
            name="teacher",
            target=f"{_HERE}:Teacher",
            summary="predictions of a trained bundle or checkpoint as targets",
            card="Some targets are predictions of a teacher network.",
        ),
        TargetRecord(
            name="co_annotation",
            target=f"{_HERE}:CoAnnotation",
            summary="expressions and action units that imply each other where one is unknown",
            card="Some unknown expressions and action units were inferred from each other.",
        ),
        TargetRecord(
            name="unknown_labels",
            target=f"{_HERE}:UnknownLabels",
            summary="labels of some sources that are not trained on",
        ),
        TargetRecord(
            name="absent_units",
            target=f"{_HERE}:AbsentUnits",
            summary="action units that are absent on faces that raters call neutral",
            card="Some action units were trained as absent on faces that raters call neutral.",
        ),
        TargetRecord(
            name="oversampling",
            target="mien.training.engine.oversampling:Oversampling",
            summary="copies of rows with rare labels in every epoch (ML-ROS)",
        ),
    ),
)
"""Name -> `TargetRecord`."""


def create_providers(settings: Iterable[TargetSettings]) -> tuple[TargetProvider, ...]:
    """The target providers that a recipe names, in its order.

    Raises:
        ConfigError: A name is unknown.
    """
    return tuple(TARGETS.load(chosen.name)(chosen) for chosen in settings)


def card_sentences(recipe: Recipe) -> tuple[str, ...]:
    """What the card of a recipe's network must say about targets that are no labels.

    Examples:
        >>> from mien.training import load_recipe
        >>> card_sentences(load_recipe("mien-points"))
        ()
    """
    cards = [TARGETS[one.name].card for number in range(len(recipe.stages)) for one in recipe.stage_targets(number)]
    cards += [METHODS[stage.method.name].card for stage in recipe.stages if stage.method is not None]
    return tuple(dict.fromkeys(card for card in cards if card))


def provide_targets(providers: Sequence[TargetProvider], targets: StageTargets, context: StageContext) -> StageTargets:
    """The targets of a stage after all providers, the given ones left unchanged."""
    for provider in providers:
        targets = provider.targets(targets, context)
    return targets


def blend(targets: Floats, predictions: Floats, weight: float | Floats) -> Floats:
    """``(1 - weight) target + weight prediction`` where both are known, else the known one.

    Args:
        targets: Array of any shape, NaN where unknown.
        predictions: Array of the same shape.
        weight: Share of the prediction in [0, 1]; a number, or an array that broadcasts.

    Examples:
        >>> targets, predictions = np.array([1.0, np.nan, 0.0]), np.array([0.0, 0.5, np.nan])
        >>> blend(targets, predictions, 0.25).tolist()
        [0.75, 0.5, 0.0]
    """
    both = (1 - weight) * targets + weight * predictions
    return np.where(np.isnan(targets), predictions, np.where(np.isnan(predictions), targets, both)).astype(np.float32)
