# SPDX-License-Identifier: Apache-2.0
"""Which rows an epoch shows, and the batches that they become. Every step has a seed of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.faces import align_faces, resize_face
from mien.training.augment import CropSampler, mix_rectangle
from mien.training.data import Rows, TeachingSet
from mien.training.recipe import Recipe
from mien.training.schedule_settings import StageSettings
from mien.training.stored_vectors import is_vectors

Floats = npt.NDArray[np.float32]

Targets = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from.

    Attributes:
        step: of the epoch, from 0.
        inputs: (B, S, S, C) uint8 crops or (B, D) vectors.
        targets: task -> (B, L), NaN where unknown.
    """

    step: int
    inputs: Tensor
    targets: Targets


def draw_rows(samples: TeachingSet, recipe: Recipe, stage: StageSettings, rng: np.random.Generator) -> Rows:
    """Rows of one epoch in their order: primary ones, rarer expressions more often if so asked, and some others."""
    useful = _useful(samples, stage.tasks or recipe.tasks)
    primary = np.flatnonzero(samples.primary & useful)
    others = np.flatnonzero(~samples.primary)
    parts = [_balanced(samples, primary, recipe.class_balance, rng)]
    parts.append(rng.choice(others, min(stage.other_rows, len(others)), replace=False))
    if stage.named_rows:
        named = others[samples.known("expression")[others]]
        parts.append(rng.choice(named, min(stage.named_rows, len(named)), replace=False))
    return rng.permutation(np.concatenate(parts))


def _useful(samples: TeachingSet, tasks: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """(N,) rows that have a label of these tasks."""
    return np.asarray(np.stack([samples.known(task) for task in tasks]).any(axis=0))


def _balanced(samples: TeachingSet, rows: Rows, balance: float, rng: np.random.Generator) -> Rows:
    if not balance or "expression" not in samples.targets:
        return rows
    shares = samples.targets["expression"][rows]
    named = ~np.isnan(shares).any(axis=1)
    top = np.nan_to_num(shares).argmax(axis=1)
    chance = np.ones(len(rows))
    frequency = np.bincount(top[named], minlength=shares.shape[1]) / max(named.sum(), 1)
    chance[named] = frequency[top[named]] ** -balance
    if named.any():
        chance[~named] = chance[named].mean()
    return rng.choice(rows, len(rows), p=chance / chance.sum())


class BatchMaker:
    """Batches of an epoch, one process's share of them.

    The same step of the same epoch is the same batch, whatever came before: a training can go on from any step.

    Args:
        samples: to draw from.
        targets: task -> (N, L) labels in use, which a stage may have changed.
        recipe: of the training.
        number: of the stage, from 0.
        rank: of this process.
        n_processes: that share each step's rows.
    """

    def __init__(
        self,
        samples: TeachingSet,
        targets: dict[str, Floats],
        recipe: Recipe,
        number: int,
        *,
        rank: int = 0,
        n_processes: int = 1,
    ) -> None:
        self._samples, self._targets, self._recipe = samples, targets, recipe
        self._number, self._stage = number, recipe.stages[number]
        self._rank, self._n_processes = rank, n_processes

    def rows(self, epoch: int) -> list[Rows]:
        """The rows of every step of an epoch; what does not fill a batch is left out, unless it is all there is."""
        rng = np.random.default_rng([self._recipe.seed, self._number, epoch])
        rows = draw_rows(self._samples, self._recipe, self._stage, rng)
        batch = min(self._stage.batch * self._n_processes, len(rows))
        n_steps = len(rows) // batch if batch else 0
        return list(rows[: n_steps * batch].reshape(n_steps, batch)) if n_steps else []

    def batches(self, epoch: int, rows: list[Rows], first_step: int) -> Iterator[Batch]:
        """The batches of an epoch from a step on."""
        for step in range(first_step, len(rows)):
            yield self.batch(epoch, step, rows[step][self._rank :: self._n_processes])

    def batch(self, epoch: int, step: int, rows: Rows) -> Batch:
        """The batch of these rows, augmented and mixed."""
        rng = np.random.default_rng([self._recipe.seed, self._number, epoch, step, self._rank])
        inputs = self._inputs(rows, rng)
        targets = {task: torch.from_numpy(values[rows]) for task, values in self._targets.items()}
        if self._stage.mixup:
            inputs, targets = mix(inputs, targets, float(rng.beta(self._stage.mixup, self._stage.mixup)), rng)
        if self._stage.cutmix and self._samples_are_pictures:
            inputs, targets = cut_and_mix(inputs, targets, float(rng.beta(self._stage.cutmix, self._stage.cutmix)), rng)
        return Batch(step, inputs, targets)

    @property
    def _samples_are_pictures(self) -> bool:
        return not is_vectors(self._samples.inputs)

    def _inputs(self, rows: Rows, rng: np.random.Generator) -> Tensor:
        source = self._samples.inputs
        if is_vectors(source):
            return torch.from_numpy(source[rows]).to(torch.float32)
        model = self._recipe.model
        size = self._stage.size_px or model.input_px
        sampler = CropSampler(self._recipe.augmentation, model.template, size, rng)
        crops = np.empty((len(rows), size, size, model.n_channels), dtype=np.uint8)
        for crop, row in zip(crops, rows, strict=True):
            picture = source[int(row)]
            points = self._samples.landmarks[row] * picture.shape[1::-1]
            crop[...] = sampler(picture, points).reshape(crop.shape)
        return torch.from_numpy(crops)


def clean_inputs(samples: TeachingSet, recipe: Recipe, rows: Rows, *, aligned: bool = False) -> npt.NDArray[np.generic]:
    """Inputs of some rows as the runtime prepares them.

    Args:
        samples: to take from.
        recipe: of the network.
        rows: (B,) of the samples.
        aligned: whether pictures with known points are aligned; else they are shown as they stand.

    Returns:
        (B, S, S, C) uint8, or (B, D) float32.
    """
    source, model = samples.inputs, recipe.model
    if is_vectors(source):
        return np.asarray(source[rows], dtype=np.float32)
    size = model.input_px
    crops = np.empty((len(rows), size, size, model.n_channels), dtype=np.uint8)
    for crop, row in zip(crops, rows, strict=True):
        picture = source[int(row)]
        points = samples.landmarks[row] * picture.shape[1::-1]
        known = aligned and not np.isnan(points).any()
        cut = align_faces(picture, points[None], model.template, size)[0] if known else resize_face(picture, size)
        crop[...] = cut.reshape(crop.shape)
    return crops


def mix(inputs: Tensor, targets: Targets, share: float, rng: np.random.Generator) -> tuple[Tensor, Targets]:
    """Each sample blended with another of the batch, labels alike: one that either lacks stays unknown."""
    order = torch.from_numpy(rng.permutation(len(inputs)))
    blended = share * inputs.to(torch.float32) + (1 - share) * inputs[order]
    if inputs.dtype == torch.uint8:
        blended = blended.round()
    return blended.to(inputs.dtype), _mix_targets(targets, order, share)


def cut_and_mix(crops: Tensor, targets: Targets, share: float, rng: np.random.Generator) -> tuple[Tensor, Targets]:
    """A rectangle of another face of the batch in each; labels are mixed by the area that each face keeps."""
    order = torch.from_numpy(rng.permutation(len(crops)))
    rows, columns = mix_rectangle(crops.shape[1], 1 - share, rng)
    pasted = crops.clone()
    pasted[:, rows, columns] = crops[order][:, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / crops.shape[1] ** 2
    return pasted, _mix_targets(targets, order, 1 - area)


def _mix_targets(targets: Targets, order: Tensor, share: float) -> Targets:
    return {task: share * values + (1 - share) * values[order] for task, values in targets.items()}
