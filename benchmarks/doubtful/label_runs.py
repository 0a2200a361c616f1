# SPDX-License-Identifier: Apache-2.0
"""Runs of the systems: trained, resumed, and kept with what they predict for the test."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import expit, softmax

from benchmarks.doubtful.label_nets import PARTS, Budget, Part, System, n_samples, run_folder, system_recipe
from benchmarks.doubtful.label_sets import Experiment, unlabelled_faces, without
from benchmarks.results.train_row import digest
from mien.core import Float32
from mien.results import atomic_write
from mien.training import ComputeSettings, Trainer, raw_outputs
from mien.training.engine.trainer import CHECKPOINT
from mien.training.recipes.method_settings import MaskedAutoencodingSettings

logger = logging.getLogger(__name__)

_HALF = 0.5


@cache
def samples_of(part: str, data: Path, budget: Budget, seed: int) -> Experiment:
    """The samples of an experiment, made once a process."""
    return next(one for one in PARTS if one.name == part).samples(data, budget, seed)


def train_system(part: Part, system: System, seed: int, budget: Budget, data: Path, work: Path) -> None:
    """Train a system and keep what it predicts for the test; one that is finished is left unchanged."""
    folder = run_folder(part, system, seed, work)
    if system.members:
        _keep_mean(part, system, seed, work)
        return
    recipe = system_recipe(part, system, seed, budget, work)
    own = digest(recipe, n_samples(part, budget))
    if finished(folder, own):
        return
    logger.info("%s: %s, seed %d", part.name, system.name, seed)
    found = samples_of(part.name, data, budget, seed)
    is_pretext = isinstance(recipe.stages[0].method, MaskedAutoencodingSettings)
    train = unlabelled_faces(data, budget.pretext_faces, seed) if is_pretext else found.train
    train = without(train, *(set(train.labels) - set(recipe.tasks)))
    trainer = Trainer(recipe, train, folder, fabric=ComputeSettings(threads=1).prepare(), data=data)
    outputs = raw_outputs(trainer.run(), found.test, recipe)
    keep_run(folder, outputs, {"digest": own, "seconds": round(trainer.seconds, 1), "facts": list(found.facts)})
    if system.name not in {name for one in part.systems for name in (one.start, one.teacher)}:
        (folder / CHECKPOINT).unlink(missing_ok=True)  # no later system starts from it


def _keep_mean(part: Part, system: System, seed: int, work: Path) -> None:
    """Keep the mean prediction of the members where all are trained; a present action unit is positive."""
    runs = [load_run(part, part.named(name), seed, work) for name in system.members]
    found = [run for run in runs if run is not None]
    if len(found) < len(runs):
        return
    probabilities = {
        "expression": lambda values: softmax(values, axis=1),
        "valence_arousal": lambda values: np.clip(values, -1, 1),
        "action_units": lambda values: expit(values) - _HALF,
    }
    outputs = {
        task: np.mean([change(run.outputs[task]) for run in found], axis=0) for task, change in probabilities.items()
    }
    keep_run(
        run_folder(part, system, seed, work),
        {task: values.astype(np.float32) for task, values in outputs.items()},
        {"digest": "", "seconds": round(sum(run.seconds for run in found), 1), "facts": []},
    )


def keep_run(folder: Path, outputs: Mapping[str, Float32], about: Mapping[str, object]) -> None:
    """Write the outputs of a run, and what is known about it; the second file says that it is finished."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "outputs.npz") as file:
        np.savez(file, **outputs)  # type: ignore[arg-type]  # NumPy types its one option first
    with atomic_write(folder / "about.json") as file:
        file.write(json.dumps(about).encode())


def finished(folder: Path, own: str) -> bool:
    """Whether a folder has a finished run of these settings."""
    path = folder / "about.json"
    return path.is_file() and json.loads(path.read_text("utf-8"))["digest"] == own


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        outputs: task -> (N, L) raw outputs for the test.
        seconds: time of its training.
        facts: sentences about its labels.
    """

    outputs: Mapping[str, Float32]
    seconds: float
    facts: tuple[str, ...] = field(default_factory=tuple)


def load_run(part: Part, system: System, seed: int, work: Path) -> Run | None:
    """A finished run; None where there is none."""
    folder = run_folder(part, system, seed, work)
    if not (folder / "about.json").is_file():
        return None
    about = json.loads((folder / "about.json").read_text("utf-8"))
    with np.load(folder / "outputs.npz", allow_pickle=False) as stored:
        return Run(dict(stored), about["seconds"], tuple(about["facts"]))
