# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: one file a run, replaced atomically, from which an interrupted training resumes exactly."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.core import ConfigError
from mien.results import atomic_write, output_errors
from mien.training.recipes.schedule_settings import StageSettings

_LAYOUT = 3

State = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """Position of a training.

    Attributes:
        stage: Number of the stage, from 0.
        epoch: Number of the epoch in the stage, from 0.
        step: Number of the next step in the epoch, from 0.
        sums: Loss name -> sum over the epoch's steps so far.
        seconds: Time spent training so far.
        top: Highest value so far of the metric that the stage watches, its sign turned for a loss; None before the
            first epoch.
        stale: Number of epochs since it rose, or since the learning rate was lowered.
        lr_share: Share of the peak learning rate that plateaus have left.
        since_top: Number of epochs since it rose.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    top: float | None = None
    stale: int = 0
    lr_share: float = 1.0
    since_top: int = 0

    def after(self, value: float, stage: StageSettings) -> Progress:
        """The progress after an epoch of a stage that watches a metric.

        Args:
            value: Value of the metric that the stage watches, higher is better.
            stage: Stage with its patience, factor and lowest share.

        Examples:
            >>> stage = StageSettings(epochs=9, peak_lr=1.0, schedule="plateau", patience=2, factor=0.5)
            >>> progress = Progress()
            >>> for value in (0.5, 0.4, 0.4):
            ...     progress = progress.after(value, stage)
            >>> progress.top, progress.lr_share
            (0.5, 0.5)
        """
        if self.top is None or value > self.top:
            return replace(self, top=value, stale=0, since_top=0)
        later = replace(self, stale=self.stale + 1, since_top=self.since_top + 1)
        if stage.schedule != "plateau" or later.stale < stage.patience:
            return later
        return replace(later, stale=0, lr_share=max(self.lr_share * stage.factor, stage.lowest))


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """Everything that a training needs to resume.

    Attributes:
        recipe: Recipe as JSON.
        labels: Task -> names of the network's outputs.
        progress: Position of the training.
        network: State of the network.
        average: State of the averaged network; None without one.
        optimizer: State of the optimiser.
        best: Metric and weights of the stage's best epoch so far; None where the last one is kept.
        method: State of the stage's training method; None without one.
    """

    recipe: str
    labels: dict[str, list[str]]
    progress: Progress
    network: State
    average: State | None
    optimizer: State
    best: tuple[float, State] | None
    method: State | None = None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an interruption leaves the older one.

    Raises:
        OutputError: The file cannot be written.
    """
    content = {"layout": _LAYOUT, **vars(checkpoint), "progress": vars(checkpoint.progress)}
    with output_errors(path, "free some space or choose another folder with --work"), atomic_write(path) as file:
        torch.save(content, file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ConfigError: The file is no checkpoint of this version.
    """
    content = _read(path)
    progress = Progress(**content.pop("progress"))
    content.pop("layout")
    return Checkpoint(progress=progress, **content)


def load_result(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint: the averaged ones where the training averages.

    Raises:
        ConfigError: The file is no checkpoint of this version.
    """
    content = _read(path)
    if content["average"] is None:
        return dict(content["network"])
    return {
        key.removeprefix("module."): value for key, value in content["average"].items() if key.startswith("module.")
    }


# What unpickling makes of damaged bytes.
_DAMAGE = (
    *(OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, ImportError, MemoryError),
    pickle.UnpicklingError,
)


def _read(path: Path) -> State:
    try:
        content: State = torch.load(path, weights_only=True, map_location="cpu")
    except _DAMAGE as error:
        raise ConfigError(f"{path} is no checkpoint that can be read ({error}); remove it to start again") from error
    if not isinstance(content, dict) or content.get("layout") != _LAYOUT:
        raise ConfigError(f"{path} is a checkpoint of another version of mien; remove it or choose another folder")
    return content
