# SPDX-License-Identifier: Apache-2.0
"""Batches of an epoch: which rows in which order, cropped, augmented and mixed. Every step has its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.core import ConfigError, CropReading, mirrored_names
from mien.faces import align_faces, resize_face
from mien.training.data.augmentation import CropSampler, mix_rectangle
from mien.training.data.canvases.windows import Window, WindowSampler, clean_window
from mien.training.data.feature_vectors import is_vectors
from mien.training.data.loose_crops import (
    CropGeometry,
    LooseCropSampler,
    clean_loose_crop,
    loose_matrix,
    placed_target,
)
from mien.training.data.training_set import INDEXED, Rows, TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings

Floats = npt.NDArray[np.float32]

Targets = dict[str, Tensor]

ExtraRows = Callable[[TrainingSet, np.random.Generator], Rows]
"""Rows that an epoch draws beside the primary rows."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets of one step.

    Attributes:
        step: Number of the step in the epoch, from 0.
        inputs: (B, S, S, C) uint8 crops or (B, D) vectors.
        targets: Task -> (B, L), NaN where unknown.
        domains: (B,) domain of each row, see `TrainingSet.domains`.
    """

    step: int
    inputs: Tensor
    targets: Targets
    domains: Tensor


def sample_epoch(
    samples: TrainingSet,
    recipe: Recipe,
    stage: StageSettings,
    rng: np.random.Generator,
    extra_rows: Sequence[ExtraRows] = (),
) -> Rows:
    """Rows of one epoch in their order: the primary ones with a label of the stage, and extra ones.

    Args:
        samples: Training set.
        recipe: Recipe; with ``class_balance`` rarer expressions are drawn more often.
        stage: Stage, which may train some tasks only.
        rng: Source of all randomness.
        extra_rows: Functions that draw further rows.
    """
    useful = np.stack([samples.known(task) for task in stage.tasks or recipe.tasks]).any(axis=0)
    primary = _with_epoch_shares(samples, np.flatnonzero(samples.primary & useful), rng)
    parts = [_balanced(samples, primary, recipe.class_balance, rng)]
    parts += [draw(samples, rng) for draw in extra_rows]
    return rng.permutation(np.concatenate(parts))


def _with_epoch_shares(samples: TrainingSet, rows: Rows, rng: np.random.Generator) -> Rows:
    """The rows without those that sources leave out of this epoch."""
    for number, record in enumerate(samples.records):
        if record.epoch_share < 1:
            own = rows[samples.record[rows] == number]
            left_out = rng.permutation(own)[round(len(own) * record.epoch_share) :]
            rows = np.setdiff1d(rows, left_out, assume_unique=True)
    return rows


def _balanced(samples: TrainingSet, rows: Rows, balance: float, rng: np.random.Generator) -> Rows:
    if not balance or "expression" not in samples.targets:
        return rows
    shares = samples.targets["expression"][rows]
    labelled = ~np.isnan(shares).any(axis=1)
    top = np.nan_to_num(shares).argmax(axis=1)
    weight = np.ones(len(rows))
    frequency = np.bincount(top[labelled], minlength=shares.shape[1]) / max(labelled.sum(), 1)
    weight[labelled] = frequency[top[labelled]] ** -balance
    if labelled.any():
        weight[~labelled] = weight[labelled].mean()
    return rng.choice(rows, len(rows), p=weight / weight.sum())


class BatchLoader:
    """Batches of an epoch, one process's share of them.

    The same step of the same epoch is the same batch, whatever came before: a training can resume at any step.

    Args:
        samples: Training set.
        targets: Task -> (N, L) targets of the stage.
        recipe: Recipe of the training.
        number: Number of the stage, from 0.
        extra_rows: Functions that draw rows beside the primary ones in every epoch.
        rank: Number of this process, from 0.
        n_processes: Number of processes that share each step's rows.
    """

    def __init__(
        self,
        samples: TrainingSet,
        targets: dict[str, Floats],
        recipe: Recipe,
        number: int,
        *,
        extra_rows: Sequence[ExtraRows] = (),
        rank: int = 0,
        n_processes: int = 1,
    ) -> None:
        self._samples, self._targets, self._recipe = samples, targets, recipe
        self._number, self._stage = number, recipe.stages[number]
        self._extra_rows = extra_rows
        self._rank, self._n_processes = rank, n_processes
        self._domains = samples.domains
        swapped = {task: np.array(mirrored_names(samples.labels[task]), np.intp) for task in targets}
        self._swapped = {task: order for task, order in swapped.items() if (order != np.arange(len(order))).any()}
        if self._domains.any() and (self._stage.mixup or self._stage.cutmix):
            raise ConfigError(f"stage {number + 1} mixes pictures, which sources with statistics = 'own' do not allow")
        if set(targets) & INDEXED and (self._stage.mixup or self._stage.cutmix):
            raise ConfigError(f"stage {number + 1} mixes pictures, which indices of classes (identity) do not allow")

    def rows(self, epoch: int) -> list[Rows]:
        """Rows of every step of an epoch.

        Those that do not fill a batch are left out, unless they are all there is or the stage keeps them; a single row
        has no statistics and is always left out beside others.
        """
        rng = np.random.default_rng([self._recipe.seed, self._number, epoch])
        rows = sample_epoch(self._samples, self._recipe, self._stage, rng, self._extra_rows)
        batch = min(self._stage.batch * self._n_processes, len(rows))
        n_steps = len(rows) // batch if batch else 0
        steps = list(rows[: n_steps * batch].reshape(n_steps, batch)) if n_steps else []
        rest = rows[n_steps * batch :]
        if self._stage.last_batch == "keep" and len(rest) >= 2 * self._n_processes:
            steps.append(rest)
        return steps

    def batches(self, epoch: int, rows: list[Rows], first_step: int) -> Iterator[Batch]:
        """The batches of an epoch from a step on."""
        for step in range(first_step, len(rows)):
            yield self.batch(epoch, step, rows[step][self._rank :: self._n_processes])

    def batch(self, epoch: int, step: int, rows: Rows) -> Batch:
        """The batch of these rows, augmented and mixed."""
        rng = np.random.default_rng([self._recipe.seed, self._number, epoch, step, self._rank])
        values = {task: targets[rows] for task, targets in self._targets.items()}
        source = self._samples.inputs
        if is_vectors(source):
            inputs = torch.from_numpy(source[rows]).to(torch.float32)
        else:
            crops, geometries, mirrored = self._crops(rows, rng)
            inputs = torch.from_numpy(crops)
            if geometries:
                values = _placed(values, geometries)
            for task, swapped in self._swapped.items():
                values[task] = np.where(mirrored[:, None], values[task][:, swapped], values[task])
        targets = {task: torch.from_numpy(own) for task, own in values.items()}
        if self._stage.mixup:
            inputs, targets = mixup(inputs, targets, float(rng.beta(self._stage.mixup, self._stage.mixup)), rng)
        if self._stage.cutmix and not is_vectors(source):
            inputs, targets = cutmix(inputs, targets, float(rng.beta(self._stage.cutmix, self._stage.cutmix)), rng)
        return Batch(step, inputs, targets, torch.from_numpy(self._domains[rows]))

    def _crops(
        self, rows: Rows, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], list[CropGeometry | Window], npt.NDArray[np.bool_]]:
        """Crops (B, S, S, C); of loose ones and windows, where they were cut; of others (B,), which are mirrored."""
        model, augmentation = self._recipe.model, self._recipe.augmentation
        size = self._stage.size_px or model.input_px
        loose = LooseCropSampler(augmentation, model.template, size, rng) if model.crop == "loose" else None
        windows = WindowSampler(augmentation, size, rng) if model.crop == "window" else None
        sampler = CropSampler(augmentation, model.template, size, rng)
        crops = np.empty((len(rows), size, size, model.n_channels), dtype=np.uint8)
        geometries: list[CropGeometry | Window] = []
        mirrored = np.zeros(len(rows), dtype=bool)
        for number, (crop, row) in enumerate(zip(crops, rows, strict=True)):
            picture, keypoints = _picture(self._samples, int(row))
            if windows is not None:
                drawn, window = windows(np.asarray(picture))
                geometries.append(window)
            elif loose is not None:
                drawn, geometry = loose(np.asarray(picture), keypoints - 0.5)
                geometries.append(geometry)
            else:
                drawn = sampler(picture, keypoints)
                mirrored[number] = sampler.mirrored
            crop[...] = drawn.reshape(crop.shape)
        return crops, geometries, mirrored


def _picture(samples: TrainingSet, row: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.floating]]:
    """A picture, and its keypoints (5, 2) in pixels, the first pixel's corner at 0."""
    inputs = samples.inputs
    if is_vectors(inputs):
        raise TypeError("vectors are not cropped")
    picture = inputs[row]
    return picture, samples.keypoints[row] * picture.shape[1::-1]


def _placed(targets: dict[str, Floats], geometries: Sequence[CropGeometry | Window]) -> dict[str, Floats]:
    """Targets (B, L) as targets of the crops."""

    def placed(task: str, value: Floats, geometry: CropGeometry | Window) -> npt.NDArray[np.floating]:
        return geometry.placed(value) if isinstance(geometry, Window) else placed_target(task, value, geometry)

    return {
        task: np.stack(
            [placed(task, value, geometry) for value, geometry in zip(values, geometries, strict=True)]
        ).astype(np.float32)
        for task, values in targets.items()
    }


def clean_inputs(
    samples: TrainingSet, recipe: Recipe, rows: Rows, *, size_px: int = 0, given: CropReading | None = None
) -> npt.NDArray[np.generic]:
    """Inputs of some rows as the runtime prepares them, without any random change.

    Args:
        samples: Training set.
        recipe: Recipe of the network.
        rows: (B,) rows of the training set.
        size_px: Side of the crops; 0 for the model's ``input_px``.
        given: Whether pictures with known keypoints are aligned or shown whole; None for the recipe's ``given``, which
            says how its bundle reads crops. Loose crops always follow the keypoints.

    Returns:
        (B, S, S, C) uint8, or (B, D) float32.
    """
    source, model = samples.inputs, recipe.model
    if is_vectors(source):
        return np.asarray(source[rows], dtype=np.float32)
    size, is_aligned = size_px or model.input_px, (given or model.given) == "aligned"
    crops = np.empty((len(rows), size, size, model.n_channels), dtype=np.uint8)
    for crop, row in zip(crops, rows, strict=True):
        picture, keypoints = _picture(samples, int(row))
        if model.crop == "loose":
            cut = clean_loose_crop(picture, keypoints - 0.5, model.template, size)
        elif model.crop == "window":
            cut = clean_window(picture, size)
        elif is_aligned and not np.isnan(keypoints).any():
            cut = align_faces(picture, keypoints[None], model.template, size)[0]
        else:
            cut = resize_face(picture, size)
        crop[...] = cut.reshape(crop.shape)
    return crops


def clean_targets(samples: TrainingSet, recipe: Recipe, targets: dict[str, Floats]) -> dict[str, Floats]:
    """Targets (N, L) of all rows as targets of their `clean_inputs`: points of loose crops are places in the crop."""
    if is_vectors(samples.inputs) or recipe.model.crop != "loose":
        return targets
    size, geometries = recipe.model.input_px, []
    for row in range(len(samples)):
        picture, keypoints = _picture(samples, row)
        matrix = loose_matrix(np.asarray(picture), keypoints - 0.5, recipe.model.template, size)
        geometries.append(CropGeometry(matrix=matrix, picture_px=(picture.shape[1], picture.shape[0]), size_px=size))
    return _placed(targets, geometries)


def mixup(inputs: Tensor, targets: Targets, share: float, rng: np.random.Generator) -> tuple[Tensor, Targets]:
    """Each sample blended with another of the batch, targets alike; a target that either lacks stays unknown."""
    order = torch.from_numpy(rng.permutation(len(inputs)))
    blended = share * inputs.to(torch.float32) + (1 - share) * inputs[order]
    if inputs.dtype == torch.uint8:
        blended = blended.round()
    return blended.to(inputs.dtype), _mix_targets(targets, order, share)


def cutmix(crops: Tensor, targets: Targets, share: float, rng: np.random.Generator) -> tuple[Tensor, Targets]:
    """A rectangle of another crop of the batch in each; targets are mixed by the area that each crop keeps."""
    order = torch.from_numpy(rng.permutation(len(crops)))
    rows, columns = mix_rectangle(crops.shape[1], 1 - share, rng)
    pasted = crops.clone()
    pasted[:, rows, columns] = crops[order][:, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / crops.shape[1] ** 2
    return pasted, _mix_targets(targets, order, 1 - area)


def _mix_targets(targets: Targets, order: Tensor, share: float) -> Targets:
    return {task: share * values + (1 - share) * values[order] for task, values in targets.items()}
