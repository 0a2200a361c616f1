# SPDX-License-Identifier: Apache-2.0
"""Proof (a): slice heads on frozen features of FER+ faces, against the bundle's own outputs and against each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mien.evaluation import Measure, measure
from mien.metrics import LabelCounts, binary_f1, ccc
from mien.results import FeatureInfo
from mien.training import Recipe, load_recipe
from mien.training.engine import Trainer
from mien.training.settings import DataSettings, HeadSettings, SourceSettings, VectorSettings
from mien.training.sources import load_source
from mien.training.validation import raw_outputs

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

TASKS = ("expression", "valence_arousal", "action_units")
OWN = "the bundle's own outputs"
SYSTEMS = ("features", "scores", "features and scores")
"""What all heads see; the published model gives features and scores to two of them, and the scores to the third."""

_HALF = 0.0  # the logit of a probability of one half


@dataclass(frozen=True, eq=False)
class Answers:
    """Raw outputs of several systems for the valid faces, and the labels.

    Attributes:
        truth: task -> (N, L), NaN where unknown.
        outputs: system -> task -> (N, L).
    """

    truth: Mapping[str, Floats]
    outputs: Mapping[str, Mapping[str, Floats]]


def slice_recipe(info: FeatureInfo, sees: Mapping[str, str]) -> Recipe:
    """The published slice heads on these vectors, with the inputs that each task is given.

    Every stage keeps its last epoch: nothing is selected on the faces that measure.
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


def train_systems(info: FeatureInfo, vectors: Path, work: Path) -> Answers:
    """Train a head of each task on each input, and let all answer to the valid faces.

    Args:
        info: of the vectors.
        vectors: folder that `proof_faces.extract` wrote.
        work: for checkpoints, and the answers of systems that are trained already.
    """
    torch.set_num_threads(1)
    outputs: dict[str, Mapping[str, Floats]] = {}
    for system in SYSTEMS:
        part = "" if " and " in system else system
        recipe = slice_recipe(info, dict.fromkeys(TASKS, part))
        teaching = load_source(recipe.data.sources[0], vectors, recipe)
        valid = load_source(SourceSettings(name="vectors", split="valid"), vectors, recipe)
        network = Trainer(recipe, teaching, work / system.replace(" ", "-")).run()
        outputs[system] = raw_outputs(network, valid, recipe)
    inputs = np.asarray(valid.inputs[np.arange(len(valid))], np.float32)
    scores = inputs[:, info.n_features :]
    outputs[OWN] = {task: scores[:, info.scores_of(task)] for task in TASKS}
    outputs["published model"] = {
        task: outputs["scores" if task == "valence_arousal" else "features and scores"][task] for task in TASKS
    }
    return Answers(valid.targets, outputs)


def compare(answers: Answers) -> dict[str, tuple[Measure, ...]]:
    """System -> P_MTL and its parts (P_VA, P_EXPR, P_AU) with 95 % intervals over faces."""
    n = len(answers.truth["expression"])
    return {
        system: tuple(
            measure(name, n, partial(_value, statistic, answers.truth, outputs)) for name, statistic in STATISTICS
        )
        for system, outputs in answers.outputs.items()
    }


def differences(answers: Answers, first: str, second: str) -> tuple[Measure, ...]:
    """``first`` minus ``second``, both on the same resampled faces."""
    n = len(answers.truth["expression"])

    def lead(statistic: Statistic, rows: Rows) -> float:
        one, two = (_value(statistic, answers.truth, answers.outputs[system], rows) for system in (first, second))
        return one - two

    return tuple(measure(name, n, partial(lead, statistic)) for name, statistic in STATISTICS)


def _p_va(truth: Mapping[str, Floats], outputs: Mapping[str, Floats]) -> float:
    values = np.clip(outputs["valence_arousal"], -1, 1)
    return float(np.mean([ccc(values[:, column], truth["valence_arousal"][:, column]) for column in range(2)]))


def _p_expr(truth: Mapping[str, Floats], outputs: Mapping[str, Floats]) -> float:
    label, guess = truth["expression"].argmax(axis=1), outputs["expression"].argmax(axis=1)
    return float(LabelCounts.of_classes(label, guess, truth["expression"].shape[1]).macro_f1)


def _p_au(truth: Mapping[str, Floats], outputs: Mapping[str, Floats]) -> float:
    known, present = ~np.isnan(truth["action_units"]), truth["action_units"] >= 0.5
    guess = outputs["action_units"] >= _HALF
    columns = [binary_f1(present[rows, k], guess[rows, k]) for k, rows in enumerate(known.T) if rows.any()]
    return float(np.mean(columns))


def _p_mtl(truth: Mapping[str, Floats], outputs: Mapping[str, Floats]) -> float:
    return _p_va(truth, outputs) + _p_expr(truth, outputs) + _p_au(truth, outputs)


Statistic = Callable[[Mapping[str, Floats], Mapping[str, Floats]], float]

STATISTICS: tuple[tuple[str, Statistic], ...] = (
    ("P_MTL", _p_mtl),
    ("P_VA", _p_va),
    ("P_EXPR", _p_expr),
    ("P_AU", _p_au),
)


def _value(statistic: Statistic, truth: Mapping[str, Floats], outputs: Mapping[str, Floats], rows: Rows) -> float:
    return statistic({task: truth[task][rows] for task in TASKS}, {task: outputs[task][rows] for task in TASKS})
