# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: one file a run, replaced as a whole, from which a killed training goes on as if nothing had happened."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.core import ConfigError
from mien.results import atomic_write, output_errors
from mien.training.recipes.settings import StageSettings

_LAYOUT = 2

State = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        stage: from 0.
        epoch: of the stage, from 0.
        step: of the epoch that comes next.
        sums: loss name -> sum over the epoch's steps so far.
        seconds: spent training so far.
        top: highest value so far of what the stage watches, its sign turned for a loss; None before the first epoch.
        stale: epochs since it rose, or since the learning rate fell.
        lr_share: of the peak, to which plateaus have brought the learning rate.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    top: float | None = None
    stale: int = 0
    lr_share: float = 1.0

    def after(self, value: float, stage: StageSettings) -> Progress:
        """The same once an epoch of a ``"plateau"`` schedule was measured.

        Args:
            value: what the stage watches, higher is better.
            stage: its patience, factor and lowest share.
        """
        if self.top is None or value > self.top:
            return replace(self, top=value, stale=0)
        if self.stale + 1 < stage.patience:
            return replace(self, stale=self.stale + 1)
        return replace(self, stale=0, lr_share=max(self.lr_share * stage.factor, stage.lowest))


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """Everything that a training needs to go on.

    Attributes:
        recipe: the recipe as JSON.
        labels: task -> names of the network's outputs.
        progress: where it stood.
        network: state of the network.
        average: state of the averaged network; None without one.
        optimizer: state of the optimiser.
        best: measure and weights of the stage's best epoch so far; None where the last one is kept.
    """

    recipe: str
    labels: dict[str, list[str]]
    progress: Progress
    network: State
    average: State | None
    optimizer: State
    best: tuple[float, State] | None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it; an interruption leaves the older one.

    Raises:
        OutputError: it cannot be written.
    """
    content = {"layout": _LAYOUT, **vars(checkpoint), "progress": vars(checkpoint.progress)}
    with output_errors(path, "free some space or choose another folder with --work"), atomic_write(path) as file:
        torch.save(content, file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read it.

    Raises:
        ConfigError: it is no checkpoint of this version.
    """
    content = _read(path)
    progress = Progress(**content.pop("progress"))
    content.pop("layout")
    return Checkpoint(progress=progress, **content)


def load_result(path: Path) -> dict[str, Tensor]:
    """The weights that a training had come to: averaged ones where it averages.

    Raises:
        ConfigError: it is no checkpoint of this version.
    """
    content = _read(path)
    if content["average"] is None:
        return dict(content["network"])
    return {
        key.removeprefix("module."): value for key, value in content["average"].items() if key.startswith("module.")
    }


def _read(path: Path) -> State:
    try:
        content: State = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise ConfigError(f"{path} is no checkpoint that can be read ({error}); remove it to start anew") from error
    if content.get("layout") != _LAYOUT:
        raise ConfigError(f"{path} is a checkpoint of another version of mien; remove it or choose another folder")
    return content
