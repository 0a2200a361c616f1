# SPDX-License-Identifier: Apache-2.0
"""The training of a landmark net: averaged weights, a checkpoint after each epoch, resumed where it stood."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from mien.core import ConfigError
from mien.training.data.landmark_data import LandmarkTrainingData
from mien.training.engine.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from mien.training.losses.landmark_losses import Targets, loss_terms
from mien.training.models.landmark_network import LandmarkNetwork
from mien.training.recipes.landmark_recipe import PointsRecipe

Tensors = tuple[Tensor, ...] | list[Tensor]

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
"""Name of the file in the work folder."""

_START_LR, _END_LR = 0.05, 0.005  # shares of the peak


class PointsTrainer:
    """Trains a landmark net.

    Args:
        recipe: what to do.
        training_data: what is learnt from.
        work: folder of the checkpoint; an interrupted training goes on from its last full epoch.
        workers: processes that draw crops beside the training; the result does not depend on them.

    Raises:
        ConfigError: the checkpoint there is another recipe's or cannot be read, or there are too few faces for a step.

    Attributes:
        network: the weights themselves.
        seconds: spent training, over all runs.
    """

    def __init__(self, recipe: PointsRecipe, training_data: LandmarkTrainingData, work: Path, workers: int = 0) -> None:
        if not training_data.n_steps(recipe):
            raise ConfigError(f"{recipe.name} shows {recipe.batch} faces a step, there are only {len(training_data)}")
        self._recipe, self._lessons, self._path = recipe, training_data, work / CHECKPOINT
        self._workers = workers
        torch.manual_seed(recipe.seed)
        network = LandmarkNetwork(recipe.input_px)
        self.network = network.to(memory_format=torch.channels_last)
        self._average = AveragedModel(self.network, multi_avg_fn=self._blend, use_buffers=True)
        self._optimizer = torch.optim.AdamW(_groups(self.network, recipe.weight_decay), lr=recipe.peak_lr)
        self._epoch, self.seconds = 0, 0.0
        if self._path.is_file():
            self._resume()

    @property
    def result(self) -> LandmarkNetwork:
        """The averaged network."""
        return cast(LandmarkNetwork, self._average.module)

    def run(self) -> LandmarkNetwork:
        """Train the epochs that are left.

        Raises:
            OutputError: the checkpoint cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        batches = self._lessons.batches(self._recipe, self._epoch, self._workers)
        while self._epoch < self._recipe.epochs:
            start = time.monotonic()
            means = self._train_epoch(batches)
            self._epoch += 1
            self.seconds += time.monotonic() - start
            self._save()
            told = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
            logger.info("epoch %d of %d: %s; %.0f s", self._epoch, self._recipe.epochs, told, self.seconds)
        return self.result.eval()

    def _train_epoch(self, batches: Iterator[tuple[Tensor, Targets]]) -> dict[str, float]:
        """One epoch; the mean of each part of the loss."""
        recipe, n_steps = self._recipe, self._lessons.n_steps(self._recipe)
        self.network.train()
        means: dict[str, float] = {}
        for step, (crops, targets) in enumerate(islice(batches, n_steps)):
            share = _hill((self._epoch + step / n_steps) / recipe.epochs, recipe.warmup)
            for group in self._optimizer.param_groups:
                group["lr"] = recipe.peak_lr * share
            terms = loss_terms(self.network(crops), targets, recipe.weights)
            self._optimizer.zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm)
            self._optimizer.step()
            self._average.update_parameters(self.network)
            for name, value in terms.items():
                means[name] = means.get(name, 0.0) + float(value.detach()) / n_steps
        return means

    def _blend(self, averaged: Tensors, current: Tensors, n_averaged: Tensor | int) -> None:
        """The exponential average with a warm start: the first steps' weights are forgotten soon."""
        decay = min(self._recipe.ema_decay, (1 + float(n_averaged)) / (10 + float(n_averaged)))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def _resume(self) -> None:
        found = load_checkpoint(self._path)
        if found.recipe != self._fingerprint() or found.average is None:
            raise ConfigError(f"{self._path} belongs to another recipe; remove it or choose another folder with --work")
        self.network.load_state_dict(found.network)
        self._average.load_state_dict(found.average)
        self._optimizer.load_state_dict(found.optimizer)
        self._epoch, self.seconds = found.progress.epoch, found.progress.seconds

    def _save(self) -> None:
        checkpoint = Checkpoint(
            recipe=self._fingerprint(),
            labels={},
            progress=Progress(epoch=self._epoch, seconds=self.seconds),
            network=self.network.state_dict(),
            average=self._average.state_dict(),
            optimizer=self._optimizer.state_dict(),
            best=None,
        )
        save_checkpoint(self._path, checkpoint)

    def _fingerprint(self) -> str:
        return json.dumps(asdict(self._recipe), sort_keys=True)


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Decay for kernels and matrices, none for biases and normalisation."""
    return [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _hill(progress: float, warmup: float) -> float:
    """Share of the peak learning rate at a progress in [0, 1)."""
    if progress < warmup:
        return _START_LR + (1 - _START_LR) * progress / warmup
    fallen = (progress - warmup) / (1 - warmup)
    return _END_LR + (1 - _END_LR) * 0.5 * (1 + math.cos(math.pi * fallen))
