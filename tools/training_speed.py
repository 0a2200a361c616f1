# SPDX-License-Identifier: Apache-2.0
"""How many faces a second a recipe teaches: mien's loop beside a plain one, in turns.

    python tools/training_speed.py --data DATA

The plain loop is what one writes first: it decodes and cuts each batch's pictures before it learns from them, keeps
torch's default memory layout, and leaves memory to the C library. The network, its losses, its augmentation and its
optimiser are the same. Each way runs in a process of its own, because an allocator is set for a whole process; an epoch
of a few steps comes before the one that counts. Seconds are those of the steps, without what comes before and after.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mien.inference import usable_cores
from mien.training import Recipe, load_recipe
from mien.training.data.batch_loader import BatchLoader
from mien.training.data.sources import load_training_data
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.data.training_set import TrainingSet
from mien.training.engine.compute import create_fabric, keep_freed_memory
from mien.training.engine.optimization import create_optimizer
from mien.training.engine.trainer import Trainer
from mien.training.models.network import AffectNetwork

_RECIPE = "mien-light"

_N_WARM = 5

Way = Callable[[Recipe, TrainingSet, Path], float]
"""Recipe, faces, folder for checkpoints, to the seconds of an epoch's steps."""


def short(recipe: Recipe, size_px: int) -> Recipe:
    """One epoch of the recipe at one size, of voted faces alone."""
    stage = replace(
        recipe.stages[0],
        epochs=1,
        size_px=size_px,
        auxiliary_rows=0,
        labelled_auxiliary_rows=0,
        pseudo_label_auxiliary=False,
    )
    return replace(recipe, stages=(stage,))


def make_batches(recipe: Recipe, samples: TrainingSet, _work: Path) -> float:
    """An epoch's batches from the cache, without learning from them."""
    maker = BatchLoader(samples, dict(samples.targets), recipe, 0)
    started = time.perf_counter()
    for _ in maker.batches(0, maker.rows(0), 0):
        pass
    return time.perf_counter() - started


def learn_freely(recipe: Recipe, samples: TrainingSet, work: Path, precision: str = "fp32") -> float:
    """An epoch by mien's trainer, with memory left to the C library."""
    trainer = Trainer(recipe, samples, work, fabric=create_fabric(precision=precision))
    trainer.run()
    return trainer.seconds


def learn(recipe: Recipe, samples: TrainingSet, work: Path, precision: str = "fp32") -> float:
    """An epoch as mien trains."""
    keep_freed_memory()
    return learn_freely(recipe, samples, work, precision)


def learn_plainly(recipe: Recipe, samples: TrainingSet, work: Path) -> float:
    """An epoch by a loop that makes each batch, then learns from it."""
    stage = recipe.stages[0]
    trainer = Trainer(recipe, samples, work)
    network = trainer.network.to(memory_format=torch.contiguous_format).train()
    optimizer = create_optimizer(network, recipe.optimizer, stage.peak_lr)
    maker = BatchLoader(samples, dict(samples.targets), recipe, 0)
    started = time.perf_counter()
    for batch in maker.batches(0, maker.rows(0), 0):
        optimizer.zero_grad()
        loss = torch.stack(list(trainer.losses(_Plain(network), batch, stage).values())).sum()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), recipe.optimizer.clip_norm)
        optimizer.step()
        if trainer.average is not None:
            trainer.average.update_parameters(network)
    return time.perf_counter() - started


class _Plain(nn.Module):
    """The network with its pixels as torch lays them out by default."""

    def __init__(self, network: AffectNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        network = self.network
        pixels = (inputs.permute(0, 3, 1, 2).to(torch.float32) - network.pixel_mean) / network.pixel_std
        features = network.dropout(network.backbone(pixels.contiguous()))
        return tuple(network.get_submodule(task)(features) for task in network.tasks)


WAYS: dict[str, Way] = {
    "plain loop": learn_plainly,
    "mien": learn,
    "mien, memory left to the C library": learn_freely,
    "mien, bf16": partial(learn, precision="bf16"),
    "batches alone, one thread": make_batches,
}


def bootstrap_metric(name: str, data: Path, size_px: int, n: int) -> dict[str, float]:
    """Faces a second, and the process's peak of memory in MB, of an epoch after a short one."""
    recipe = short(load_recipe(_RECIPE), size_px)
    samples = load_training_data(recipe, data).train_set
    rows = np.flatnonzero(samples.primary)[:n]
    if WAYS[name] is not learn_plainly:
        samples = samples.cached(default_cache_folder(), cached_side_px(recipe.model.input_px))
    batch, seconds = recipe.stages[0].batch, 0.0
    for chosen in (rows[: _N_WARM * batch], rows):
        with tempfile.TemporaryDirectory() as work:
            seconds = WAYS[name](recipe, samples.take(chosen), Path(work))
    shown = len(rows) - len(rows) % batch
    return {"faces_s": shown / seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(arguments: list[str] | None = None) -> int:
    """Measure every way in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--size", type=int, default=112, help="px (default: 112)")
    parser.add_argument("--faces", type=int, default=1920, help="of an epoch (default: 1920)")
    parser.add_argument("--rounds", type=int, default=3, help="of all ways (default: 3)")
    parser.add_argument("--way", choices=list(WAYS), help="measure this one alone and print JSON")
    chosen = parser.parse_args(arguments)
    if chosen.way:
        logging.disable(logging.INFO)
        print(json.dumps(bootstrap_metric(chosen.way, chosen.data, chosen.size, chosen.faces)))
        return 0
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(chosen.rounds):
        for name in WAYS:
            own = [sys.executable, __file__, "--data", str(chosen.data), "--way", name]
            own += ["--size", str(chosen.size), "--faces", str(chosen.faces)]
            found[name].append(json.loads(subprocess.run(own, check=True, capture_output=True, text=True).stdout))
    plain = statistics.median(one["faces_s"] for one in found["plain loop"])
    recipe = load_recipe(_RECIPE)
    print(f"{_RECIPE} at {chosen.size} px, epochs of {chosen.faces} faces of FER+ train, seed {recipe.seed},")
    print(f"batches of {recipe.stages[0].batch};", end=" ")
    print(f"{chosen.rounds} rounds in turns; {usable_cores()} cores, {platform.machine()}, torch {torch.__version__}\n")
    print("| way | faces/s | least to most | beside the plain loop | peak, MB |\n|---|---|---|---|---|")
    for name, rounds in found.items():
        speeds = [one["faces_s"] for one in rounds]
        middle, peak = statistics.median(speeds), max(one["peak_mb"] for one in rounds)
        print(
            f"| {name} | {middle:.0f} | {min(speeds):.0f} to {max(speeds):.0f} | {middle / plain:.2f} x | {peak:.0f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
