# SPDX-License-Identifier: Apache-2.0
"""Faces per second of a training: mien's loop beside a plain one, in turns; prints a table.

    python -m benchmarks training-speed --data DATA

The plain loop is the obvious one: it decodes and crops each batch before it trains on it, keeps torch's default memory
layout, and leaves memory to the C library. Network, losses, augmentation and optimiser are the same. Each variant runs
in a process of its own, because an allocator is set for a whole process; an epoch of a few steps comes before the
measured one. Seconds are those of the steps, without the time before and after.
"""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import ROOT, create_parser
from benchmarks.machine import peak_memory_bytes, today
from benchmarks.page import measured_by, table
from mien.inference import machine_name
from mien.training import Recipe, load_recipe
from mien.training.data.batch_loader import BatchLoader
from mien.training.data.sources import load_training_data
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.data.training_set import TrainingSet
from mien.training.engine.compute import create_fabric, keep_freed_memory
from mien.training.engine.optimization import create_optimizer
from mien.training.engine.trainer import Trainer
from mien.training.models.network import AffectNetwork

_NAME = "training-speed"
_RECIPE = "mien-light"

_N_WARM = 5

Way = Callable[[Recipe, TrainingSet, Path], float]
"""(recipe, faces, folder of checkpoints) -> seconds of the steps of an epoch."""


def one_epoch(recipe: Recipe, size_px: int) -> Recipe:
    """The recipe reduced to one epoch at one size, on the faces with votes alone."""
    stage = replace(
        recipe.stages[0],
        epochs=1,
        size_px=size_px,
        targets=(),
    )
    return replace(recipe, stages=(stage,))


def make_batches(recipe: Recipe, samples: TrainingSet, _work: Path) -> float:
    """Time the batches of an epoch from the cache, without training."""
    loader = BatchLoader(samples, dict(samples.targets), recipe, 0)
    started = time.perf_counter()
    for _ in loader.batches(0, loader.rows(0), 0):
        pass
    return time.perf_counter() - started


def train_without_allocator(recipe: Recipe, samples: TrainingSet, work: Path, precision: str = "fp32") -> float:
    """Time an epoch of mien's trainer, with memory left to the C library."""
    trainer = Trainer(recipe, samples, work, fabric=create_fabric(precision=precision))
    trainer.run()
    return trainer.seconds


def train(recipe: Recipe, samples: TrainingSet, work: Path, precision: str = "fp32") -> float:
    """Time an epoch as mien trains."""
    keep_freed_memory()
    return train_without_allocator(recipe, samples, work, precision)


def train_plainly(recipe: Recipe, samples: TrainingSet, work: Path) -> float:
    """Time an epoch of a loop that creates each batch, then trains on it."""
    stage = recipe.stages[0]
    trainer = Trainer(recipe, samples, work)
    network = trainer.network.to(memory_format=torch.contiguous_format).train()
    optimizer = create_optimizer(network, recipe.optimizer, stage.peak_lr)
    loader = BatchLoader(samples, dict(samples.targets), recipe, 0)
    started = time.perf_counter()
    for batch in loader.batches(0, loader.rows(0), 0):
        optimizer.zero_grad()
        loss = torch.stack(list(trainer.losses(_PlainNetwork(network), batch, stage).values())).sum()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), recipe.optimizer.clip_norm)
        optimizer.step()
        if trainer.average is not None:
            trainer.average.update_parameters(network)
    return time.perf_counter() - started


class _PlainNetwork(nn.Module):
    """The network with the default memory layout of torch."""

    def __init__(self, network: AffectNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        network = self.network
        pixels = (inputs.permute(0, 3, 1, 2).to(torch.float32) - network.pixel_mean) / network.pixel_std
        features = network.dropout(network.backbone(pixels.contiguous()))
        return tuple(network.get_submodule(task)(features) for task in network.tasks)


WAYS: dict[str, Way] = {
    "plain loop": train_plainly,
    "mien": train,
    "mien, memory left to the C library": train_without_allocator,
    "mien, bf16": partial(train, precision="bf16"),
    "batches alone, one thread": make_batches,
}


def measure(name: str, data: Path, size_px: int, n: int) -> dict[str, float]:
    """Faces per second, and peak memory of the process in MB, of an epoch after a short one."""
    recipe = one_epoch(load_recipe(_RECIPE), size_px)
    samples = load_training_data(recipe, data).train_set
    rows = np.flatnonzero(samples.primary)[:n]
    if WAYS[name] is not train_plainly:
        samples = samples.cached(default_cache_folder(), cached_side_px(recipe.model.input_px))
    batch, seconds = recipe.stages[0].batch, 0.0
    for chosen in (rows[: _N_WARM * batch], rows):
        with tempfile.TemporaryDirectory() as work:
            seconds = WAYS[name](recipe, samples.take(chosen), Path(work))
    shown = len(rows) - len(rows) % batch
    return {"faces_s": shown / seconds, "peak_mb": peak_memory_bytes() / 1024**2}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every variant in turns and print a table."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--size", type=int, default=112, help="side of the crops in px (default: %(default)s)")
    parser.add_argument("--faces", type=int, default=1920, help="number of faces per epoch (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="number of runs of each variant (default: %(default)s)")
    parser.add_argument("--way", choices=list(WAYS), help="measure this variant alone and print JSON")
    chosen = parser.parse_args(arguments)
    if chosen.way:
        logging.disable(logging.INFO)
        print(json.dumps(measure(chosen.way, chosen.data, chosen.size, chosen.faces)))
        return 0
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(chosen.rounds):
        for name in WAYS:
            own = [sys.executable, "-m", "benchmarks", _NAME, "--data", str(chosen.data.absolute()), "--way", name]
            own += ["--size", str(chosen.size), "--faces", str(chosen.faces)]
            done = subprocess.run(own, check=True, capture_output=True, text=True, cwd=ROOT)
            found[name].append(json.loads(done.stdout))
    recipe = load_recipe(_RECIPE)
    print(f"{_RECIPE} at {chosen.size} px, epochs of {chosen.faces} faces of FER+ train, seed {recipe.seed},")
    print(f"batches of {recipe.stages[0].batch}; {chosen.rounds} rounds in turns.")
    print(measured_by(_NAME, f"torch {torch.__version__}", machine=machine_name(), date=today()), end="\n\n")
    heading = ("way", "faces/s", "least to most", "beside the plain loop", "peak, MB")
    print("\n".join(table(heading, _rows(found))))
    return 0


def _rows(found: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[list[str]]:
    """Cells of the table: medians and ranges over the rounds."""
    plain = statistics.median(one["faces_s"] for one in found["plain loop"])
    for name, rounds in found.items():
        speeds = [one["faces_s"] for one in rounds]
        middle, peak = statistics.median(speeds), max(one["peak_mb"] for one in rounds)
        span = f"{min(speeds):.0f} to {max(speeds):.0f}"
        yield [name, f"{middle:.0f}", span, f"{middle / plain:.2f} x", f"{peak:.0f}"]
