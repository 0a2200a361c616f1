# SPDX-License-Identifier: Apache-2.0
"""Proof (a): slice heads on frozen features of FER+ faces, beside the bundle's own outputs and beside each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mien.core import MetricValue
from mien.evaluation import bootstrap_group_metric
from mien.results import FeatureInfo
from mien.training import Recipe, load_recipe
from mien.training.data.sources import load_source
from mien.training.engine.trainer import Trainer
from mien.training.engine.validation import raw_outputs
from mien.training.recipes.settings import DataSettings, HeadSettings, SourceSettings, VectorSettings

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TASKS = ("expression", "valence_arousal", "action_units")
OWN = "the bundle's own outputs"
PUBLISHED = "as published"
SYSTEMS = ("features", "scores", "features and scores")
"""Input of all heads. The published model gives features and scores to two heads, and the scores to the third."""

LONGER = ", VA longer"
"""Suffix of systems whose valence and arousal head takes as many steps as the published one, on fewer faces."""

_HALF = 0.5
_PUBLISHED_ROWS = 103_917  # rows with valence and arousal in s-Aff-Wild2 train


@dataclass(frozen=True, eq=False)
class SystemOutputs:
    """Raw outputs of several systems for the faces of the valid split, and their labels.

    Attributes:
        truth: task -> (N, L) labels, NaN where unknown.
        outputs: system -> task -> (N, L) raw outputs.
    """

    truth: Mapping[str, Floats]
    outputs: Mapping[str, Mapping[str, Floats]]


def slice_recipe(info: FeatureInfo, sees: Mapping[str, str]) -> Recipe:
    """The recipe of the published slice heads on these vectors.

    Every stage keeps its last epoch: nothing is selected on the faces of the valid split.

    Args:
        info: layout of the vectors.
        sees: task -> the part of the vectors that its head gets; empty for all.
    """
    published = load_recipe("hse-mtl")
    vectors = (
        VectorSettings(part="features", n=info.n_features),
        VectorSettings(part="scores", n=len(info.score_names)),
    )
    heads: dict[str, HeadSettings] = {
        task: dataclasses.replace(head, sees=sees[task]) for task, head in published.heads.items()
    }
    return dataclasses.replace(
        published,
        data=DataSettings(sources=(SourceSettings(name="vectors"),)),
        model=dataclasses.replace(published.model, vectors=vectors),
        heads=heads,
        stages=tuple(dataclasses.replace(stage, keep="last") for stage in published.stages),
    )


def train_systems(info: FeatureInfo, vectors: Path, work: Path) -> SystemOutputs:
    """Train a head of each task on each input, and predict the faces of the valid split with all of them.

    Args:
        info: layout of the vectors.
        vectors: folder that `frozen_features.extract` wrote.
        work: folder of checkpoints; systems that are trained already are not trained again.
    """
    torch.set_num_threads(1)
    outputs: dict[str, Mapping[str, Floats]] = {}
    for system in SYSTEMS:
        part = "" if " and " in system else system
        recipe = slice_recipe(info, dict.fromkeys(TASKS, part))
        train_set = load_source(recipe.data.sources[0], vectors, recipe)
        valid = load_source(SourceSettings(name="vectors", split="valid"), vectors, recipe)
        place = work / system.replace(" ", "-")
        outputs[system] = raw_outputs(Trainer(recipe, train_set, place).run(), valid, recipe)
        longer = _longer(recipe, round(_PUBLISHED_ROWS / len(train_set)))
        network = Trainer(longer, train_set, place.with_name(place.name + "-longer")).run()
        outputs[system + LONGER] = {**outputs[system], **raw_outputs(network, valid, longer)}
    inputs = np.asarray(valid.inputs[np.arange(len(valid))], np.float32)
    scores = inputs[:, info.n_features :]
    outputs[OWN] = {task: scores[:, info.scores_of(task)] for task in TASKS}
    for end in ("", LONGER):
        both, alone = outputs["features and scores" + end], outputs["scores" + end]
        outputs[PUBLISHED + end] = {**both, "valence_arousal": alone["valence_arousal"]}
    return SystemOutputs(valid.targets, outputs)


def _longer(recipe: Recipe, times: int) -> Recipe:
    """The recipe of the valence and arousal head alone, with this many times the epochs."""
    task = "valence_arousal"
    stage = next(stage for stage in recipe.stages if stage.tasks == (task,))
    return dataclasses.replace(
        recipe,
        heads={task: recipe.heads[task]},
        losses={task: recipe.losses[task]},
        stages=(dataclasses.replace(stage, epochs=times * stage.epochs),),
    )


Statistic = Callable[[Weights], Doubles]
"""(R, N) counts of each face in R bootstrap samples -> R values."""


def compare(found: SystemOutputs) -> dict[str, tuple[MetricValue, ...]]:
    """P_MTL and its parts (P_VA, P_EXPR, P_AU) of every system, with 95 % intervals over faces."""
    n = len(found.truth["expression"])
    return {
        system: tuple(
            bootstrap_group_metric(name, n, statistic, n) for name, statistic in _parts(found.truth, own).items()
        )
        for system, own in found.outputs.items()
    }


def differences(found: SystemOutputs, first: str, second: str) -> tuple[MetricValue, ...]:
    """Differences ``first`` minus ``second``, both on the same bootstrap samples."""
    n = len(found.truth["expression"])
    one, two = (_parts(found.truth, found.outputs[system]) for system in (first, second))

    def difference(name: str, weights: Weights) -> Doubles:
        return one[name](weights) - two[name](weights)

    return tuple(bootstrap_group_metric(name, n, partial(difference, name), n) for name in one)


def _parts(truth: Mapping[str, Floats], outputs: Mapping[str, Floats]) -> dict[str, Statistic]:
    classes = np.arange(truth["expression"].shape[1])
    label, predicted = (each["expression"].argmax(axis=1)[:, None] == classes for each in (truth, outputs))
    known, present = ~np.isnan(truth["action_units"]), truth["action_units"] >= _HALF
    p_va = concordance_of(truth["valence_arousal"], np.clip(outputs["valence_arousal"], -1, 1))
    p_expr = f1_of(label, predicted, np.ones_like(label))
    p_au = f1_of(present, outputs["action_units"] >= 0, known)  # a logit of 0 is a probability of one half

    def p_mtl(weights: Weights) -> Doubles:
        return p_va(weights) + p_expr(weights) + p_au(weights)

    return {"P_MTL": p_mtl, "P_VA": p_va, "P_EXPR": p_expr, "P_AU": p_au}


def f1_of(present: Bools, predicted: Bools, known: Bools) -> Statistic:
    """Mean F1 over the columns of (N, L) flags, each on its known rows; a column without positives counts as 0."""
    tables = [(present & predicted & known), (present & ~predicted & known), (~present & predicted & known)]
    hit, missed, false = (table.astype(np.float64) for table in tables)

    def mean_f1(weights: Weights) -> Doubles:
        hits = 2 * (weights @ hit)
        others = weights @ (missed + false)
        return np.asarray((hits / np.maximum(hits + others, 1e-9)).mean(axis=1))

    return mean_f1


def concordance_of(truth: npt.NDArray[np.floating], values: npt.NDArray[np.floating]) -> Statistic:
    """Mean CCC over the columns of (N, 2) values, with population moments."""
    x, y = truth.astype(np.float64), values.astype(np.float64)
    products = [x, y, x * x, y * y, x * y]

    def mean_ccc(weights: Weights) -> Doubles:
        shares = weights / weights.sum(axis=1, keepdims=True)
        mean_x, mean_y, xx, yy, xy = (shares @ product for product in products)
        denominator = (xx - mean_x**2) + (yy - mean_y**2) + (mean_x - mean_y) ** 2
        return np.asarray((2 * (xy - mean_x * mean_y) / denominator).mean(axis=1))

    return mean_ccc
