# SPDX-License-Identifier: Apache-2.0
"""Effect of chance on a recipe: its last stages with several seeds from the same weights, and mean weights (hours).

    python -m benchmarks seeds --data DATA --work WORK --page docs/research/seeds.md

The earlier stages are trained once, in ``WORK/shared``; each seed leaves a bundle in ``WORK/sSEED``, the mean of their
weights one in ``WORK/mean``. An interrupted run resumes, and the page is written after every bundle.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import create_training_parser
from benchmarks.page import notice, table, write_page
from benchmarks.training.bundle_metrics import (
    COLUMNS,
    Pretrain,
    Train,
    cells_of,
    create_trainers,
    metrics_of,
    provenance_lines,
)
from mien.core import ConfigError, ModelSpec
from mien.inference import load_spec
from mien.training import Recipe, load_recipe
from mien.training.engine.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint

_CHECKPOINT = "checkpoint.pt"
_MEAN = "mean"
_NAME = "seeds"


@dataclass(frozen=True, kw_only=True)
class Study:
    """A recipe and the seeds of its last stages.

    Attributes:
        recipe: the whole recipe.
        n_shared: number of first stages, which are trained once.
        seeds: seeds of the stages after them.
    """

    recipe: Recipe
    n_shared: int
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 0 < self.n_shared < len(self.recipe.stages):
            raise ConfigError(f"{self.recipe.name} has {len(self.recipe.stages)} stages; share 1 or more, not all")
        if len(set(self.seeds)) != len(self.seeds) or not self.seeds:
            raise ConfigError(f"give one seed or more, each once, got {self.seeds}")

    @property
    def shared(self) -> Recipe:
        """The recipe of the shared stages."""
        return dataclasses.replace(self.recipe, stages=self.recipe.stages[: self.n_shared])

    def seeded(self, seed: int) -> Recipe:
        """The whole recipe with another seed."""
        return dataclasses.replace(self.recipe, seed=seed)

    @property
    def averaged(self) -> Recipe:
        """The whole recipe for the mean weights, whose card says where they come from."""
        seeds = ", ".join(map(str, self.seeds))
        limit = f"The weights are the mean of those of the seeds {seeds}, which differ after stage {self.n_shared}."
        return dataclasses.replace(self.recipe, limitations=(*self.recipe.limitations, limit))


def run(study: Study, data: Path, work: Path, page: Path, train: Train, pretrain: Pretrain) -> None:
    """Train the missing bundles and write the page.

    Args:
        study: recipe and seeds.
        data: folder of the open face sets.
        work: folder of bundles and checkpoints.
        page: Markdown file.
        train: trains a recipe and writes a measured bundle.
        pretrain: trains a recipe for its checkpoint alone.
    """
    shared = work / "shared"
    last = []
    for seed in study.seeds:
        folder = work / f"s{seed}"
        if not (folder / "bundle/model.json").is_file():
            if not (folder / _CHECKPOINT).is_file():
                pretrain(study.shared, data, shared)
                _write_checkpoint(load_checkpoint(shared / _CHECKPOINT), study.seeded(seed), folder)
            train(study.seeded(seed), data, folder / "bundle", folder)
            write_page(page, seeds_page(study, work))
        last.append(folder / _CHECKPOINT)
    folder = work / _MEAN
    if len(last) > 1 and not (folder / "bundle/model.json").is_file():
        mean = mean_of([load_checkpoint(path) for path in last])
        over = Progress(stage=len(study.recipe.stages), seconds=mean.progress.seconds)
        _write_checkpoint(dataclasses.replace(mean, progress=over), study.averaged, folder)
        train(study.averaged, data, folder / "bundle", folder)
    write_page(page, seeds_page(study, work))


def _write_checkpoint(checkpoint: Checkpoint, recipe: Recipe, folder: Path) -> None:
    """Write a checkpoint from which another recipe resumes."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(recipe))
    save_checkpoint(folder / _CHECKPOINT, dataclasses.replace(checkpoint, recipe=text))


def mean_of(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The first checkpoint with the mean weights of all; counters are those of the first."""
    first = checkpoints[0]
    average = None if first.average is None else _mean([c.average or {} for c in checkpoints])
    return dataclasses.replace(first, network=_mean([c.network for c in checkpoints]), average=average)


def _mean(states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        key: torch.stack([state[key] for state in states]).mean(dim=0) if torch.is_floating_point(value) else value
        for key, value in states[0].items()
    }


def seeds_page(study: Study, work: Path) -> list[str]:
    """The lines of the page, with all bundles that exist."""
    found = {f"seed {seed}": work / f"s{seed}/bundle" for seed in study.seeds}
    specs = {name: load_spec(folder) for name, folder in found.items() if (folder / "model.json").is_file()}
    n_last = len(study.recipe.stages) - study.n_shared
    rows = [[name, *cells_of(spec)] for name, spec in specs.items()]
    if len(specs) > 1:
        rows += [[name, *cells] for name, cells in _spread([*specs.values()]).items()]
    if (work / _MEAN / "bundle/model.json").is_file():
        specs["mean weights"] = load_spec(work / _MEAN / "bundle")
        rows.append(["mean weights of the seeds", *cells_of(specs["mean weights"])])
    return [
        "# Seeds",
        "",
        notice(_NAME, edit="benchmarks/training/seeds.py"),
        "",
        f"The last {n_last} stages of `{study.recipe.name}` with several seeds, from the same weights after stage "
        f"{study.n_shared}.",
        "The differences are a lower bound of what chance does: seeds of the whole recipe may differ more. Higher is",
        "better except for ECE and flips.",
        "",
        *table(["", *COLUMNS], rows),
        *provenance_lines(_NAME, specs.items()),
    ]


def _spread(specs: Sequence[ModelSpec]) -> dict[str, list[str]]:
    """Mean and standard deviation of each column over the seeds."""
    means, deviations = [], []
    for heading in COLUMNS:
        values = [metric.value for spec in specs if (metric := metrics_of(spec)[heading])]
        means.append(f"{statistics.mean(values):.3f}" if values else "-")
        deviations.append(f"{statistics.stdev(values):.3f}" if len(values) > 1 else "-")
    return {"mean": means, "standard deviation": deviations}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the missing bundles and write the page."""
    parser = create_training_parser(_NAME, __doc__, threads=None)
    parser.add_argument("--recipe", default="mien-light", help="name or TOML file (default: %(default)s)")
    parser.add_argument("--shared", type=int, default=5, help="number of stages trained once (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds (default: 1 2 3)")
    chosen = parser.parse_args(arguments)
    train, pretrain = create_trainers(chosen.threads)
    study = Study(recipe=load_recipe(chosen.recipe), n_shared=chosen.shared, seeds=tuple(chosen.seeds))
    run(study, chosen.data, chosen.work, chosen.page, train, pretrain)
    return 0
