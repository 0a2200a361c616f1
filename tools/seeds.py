# SPDX-License-Identifier: Apache-2.0
"""What chance does to a recipe: its last stages with several seeds, from the same weights, and their mean weights.

    python tools/seeds.py --data DATA --work WORK --page docs/seeds.md

The stages before are trained once, in ``WORK/shared``; each seed leaves a bundle in ``WORK/sSEED``, the mean of their
weights one in ``WORK/mean``. An interrupted run goes on where it stopped, and the page is written anew after every
bundle.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import logging
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ablation import COLUMNS, cells_of, figures_of

from mien.core import ConfigError, ModelSpec
from mien.inference import load_spec
from mien.training import Recipe, load_recipe
from mien.training.engine.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint

_CHECKPOINT = "checkpoint.pt"
_MEAN = "mean"

Train = Callable[[Recipe, Path, Path, Path], object]
"""Recipe, data, folder of the bundle, folder of checkpoints."""
Pretrain = Callable[[Recipe, Path, Path], object]
"""Recipe, data, folder of checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is repeated.

    Attributes:
        recipe: the whole.
        n_shared: stages that are trained once.
        seeds: of the stages after them.
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
        """The stages before."""
        return dataclasses.replace(self.recipe, stages=self.recipe.stages[: self.n_shared])

    def seeded(self, seed: int) -> Recipe:
        """The whole with another seed."""
        return dataclasses.replace(self.recipe, seed=seed)

    @property
    def averaged(self) -> Recipe:
        """The whole, of which nothing is left to train; its card says where the weights come from."""
        limit = (
            f"The weights are the mean of those of the seeds {', '.join(map(str, self.seeds))}, which part after stage "
            f"{self.n_shared}."
        )
        return dataclasses.replace(self.recipe, limitations=(*self.recipe.limitations, limit))


def run(study: Study, data: Path, work: Path, page: Path, train: Train, pretrain: Pretrain) -> None:
    """Train what is missing and write the page.

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
                _hand_on(load_checkpoint(shared / _CHECKPOINT), study.seeded(seed), folder)
            train(study.seeded(seed), data, folder / "bundle", folder)
            page.write_text(write_page(study, work), "utf-8")
        last.append(folder / _CHECKPOINT)
    folder = work / _MEAN
    if len(last) > 1 and not (folder / "bundle/model.json").is_file():
        mean = mean_of([load_checkpoint(path) for path in last])
        over = Progress(stage=len(study.recipe.stages), seconds=mean.progress.seconds)
        _hand_on(dataclasses.replace(mean, progress=over), study.averaged, folder)
        train(study.averaged, data, folder / "bundle", folder)
    page.write_text(write_page(study, work), "utf-8")


def _hand_on(checkpoint: Checkpoint, recipe: Recipe, folder: Path) -> None:
    """A checkpoint from which another recipe goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(recipe))
    save_checkpoint(folder / _CHECKPOINT, dataclasses.replace(checkpoint, recipe=text))


def mean_of(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The first one with the mean weights of all; what counts steps is the first one's."""
    first = checkpoints[0]
    average = None if first.average is None else _mean([c.average or {} for c in checkpoints])
    return dataclasses.replace(first, network=_mean([c.network for c in checkpoints]), average=average)


def _mean(states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        key: torch.stack([state[key] for state in states]).mean(dim=0) if torch.is_floating_point(value) else value
        for key, value in states[0].items()
    }


def write_page(study: Study, work: Path) -> str:
    """The table of all bundles that are there, as Markdown."""
    found = {f"seed {seed}": work / f"s{seed}/bundle" for seed in study.seeds}
    specs = {name: load_spec(folder) for name, folder in found.items() if (folder / "model.json").is_file()}
    n_last = len(study.recipe.stages) - study.n_shared
    lines = [
        "# Seeds",
        "",
        f"Written by `make seeds`: the last {n_last} stages of `{study.recipe.name}` with several seeds, from the same "
        f"weights after stage {study.n_shared}.",
        "So this is the least that chance does; seeds of the whole recipe may differ more. Higher is better except for "
        "ECE and flips.",
        "",
        "| | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
        *(f"| {name} | " + " | ".join(cells_of(spec)) + " |" for name, spec in specs.items()),
    ]
    if len(specs) > 1:
        lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in _spread([*specs.values()]).items()]
    if (work / _MEAN / "bundle/model.json").is_file():
        specs["mean weights"] = load_spec(work / _MEAN / "bundle")
        lines.append("| mean weights of the seeds | " + " | ".join(cells_of(specs["mean weights"])) + " |")
    made = [f"- {name}: {spec.provenance}" for name, spec in specs.items()]
    return "\n".join(
        [*lines, "", f"ComputeSettings: {platform.machine()}, {platform.system()}. How each was made:", "", *made, ""]
    )


def _spread(specs: Sequence[ModelSpec]) -> dict[str, list[str]]:
    """Mean and standard deviation of each column over the seeds."""
    means, deviations = [], []
    for heading in COLUMNS:
        values = [figure.value for spec in specs if (figure := figures_of(spec)[heading])]
        means.append(f"{statistics.mean(values):.3f}" if values else "-")
        deviations.append(f"{statistics.stdev(values):.3f}" if len(values) > 1 else "-")
    return {"mean": means, "standard deviation": deviations}


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for bundles and checkpoints")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file of the table")
    parser.add_argument("--recipe", default="mien-light", help="a name or a TOML file")
    parser.add_argument("--shared", type=int, default=5, help="stages that are trained once")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, help="of torch; its own choice if none is given")
    chosen = parser.parse_args(arguments)
    from mien.training.run import ComputeSettings, train_bundle, train_network

    machine = ComputeSettings(threads=chosen.threads)
    train = functools.partial(train_bundle, machine=machine)
    pretrain = functools.partial(train_network, machine=machine)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        study = Study(recipe=load_recipe(chosen.recipe), n_shared=chosen.shared, seeds=tuple(chosen.seeds))
        run(study, chosen.data, chosen.work, chosen.page, train, pretrain)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
