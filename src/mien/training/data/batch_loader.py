# SPDX-License-Identifier: Apache-2.0
"""Batches of an epoch: which rows, in which order, cropped and augmented. Every step has a seed of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.faces import align_faces, resize_face, similarity_transform, to_colour, warp_face
from mien.training.data.feature_vectors import is_vectors
from mien.training.data.training_set import Rows, TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import AugmentationSettings, StageSettings

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.float64]


class CropSampler:
    """Draws one crop of a picture at a time, jittered as a recipe says.

    Args:
        settings: what is done, and how often.
        template: 5 points as fractions of the crop's side.
        size_px: side of the crops.
        rng: source of all randomness.
    """

    def __init__(
        self,
        settings: AugmentationSettings,
        template: Sequence[Sequence[float]],
        size_px: int,
        rng: np.random.Generator,
    ) -> None:
        self._settings = settings
        self._template = np.asarray(template, dtype=np.float64) * size_px - 0.5
        self._size = size_px
        self._rng = rng
        # Without any of these a picture is stretched to the square, exactly as the runtime does with whole crops.
        self._moves = any((settings.aligned, settings.rotation_deg, settings.zoom, settings.shift))

    def __call__(self, picture: Image, points: Points) -> Image:
        """A (size, size) or (size, size, 3) uint8 crop.

        Args:
            picture: (H, W) or (H, W, 3).
            points: (5, 2) pixels, NaN where unknown.
        """
        rng, settings = self._rng, self._settings
        if rng.random() < settings.low_resolution:
            picture, points = _lose_resolution(picture, points, rng)
        crop = self._moved(picture, points) if self._moves else resize_face(picture, self._size)
        if rng.random() < settings.flip:
            crop = np.ascontiguousarray(crop[:, ::-1])
        if rng.random() < settings.occlusion:
            occlude(crop, rng)
        if crop.ndim == 3:
            crop = _recolour(crop, settings, rng)
        return relight(crop, settings, rng)

    def _moved(self, picture: Image, points: Points) -> Image:
        rng, settings = self._rng, self._settings
        if rng.random() < settings.aligned and not np.isnan(points).any():
            eye_distance = float(np.linalg.norm(points[1] - points[0]))
            points = points + rng.normal(0.0, settings.point_noise * eye_distance, points.shape)
            matrix = similarity_transform(points, self._template)
        else:
            matrix = whole_picture_matrix(picture, self._size)
        return warp_face(picture, _jitter(matrix, self._size, settings, rng), self._size)


def whole_picture_matrix(picture: Image, size: int) -> Matrix:
    """The similarity that brings a picture's full extent to a (size, size) crop, centred."""
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    shift_x, shift_y = (size - scale * width) / 2, (size - scale * height) / 2
    half = 0.5 * scale - 0.5  # pixel centres
    return np.array([[scale, 0.0, shift_x + half], [0.0, scale, shift_y + half]])


def ferplus_style_copy(picture: Image) -> Image:
    """The picture as FER+ would show it: 48 px on the longer side, gray; three equal channels where it had three."""
    scale = 48 / max(picture.shape[:2])
    small = resized(picture, scale) if scale < 1 else picture
    return small if small.ndim == 2 else np.repeat(to_colour(small, "gray")[..., None], 3, axis=2)


def mix_rectangle(size: int, share: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a square crop that cover ``share`` of it, anywhere (Yun et al., ICCV 2019)."""
    side = round(size * float(np.sqrt(share)))
    top, left = rng.integers(0, size - side + 1, 2)
    return slice(top, top + side), slice(left, left + side)


def resized(picture: Image, scale: float) -> Image:
    """The picture at another scale, each new pixel the mean of those it covers."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _lose_resolution(picture: Image, points: Points, rng: np.random.Generator) -> tuple[Image, Points]:
    longer = max(picture.shape[:2])
    target = rng.uniform(28, 72)
    if target >= longer:
        return picture, points
    small = resized(picture, target / longer)
    return small, points * (np.array(small.shape[1::-1]) / np.array(picture.shape[1::-1]))


def _jitter(matrix: Matrix, size: int, settings: AugmentationSettings, rng: np.random.Generator) -> Matrix:
    """The matrix followed by a small rotation, zoom and shift about the crop's centre."""
    angle = np.deg2rad(settings.rotation_deg * np.clip(rng.normal(), -3, 3))
    zoom = np.exp(rng.uniform(-settings.zoom, settings.zoom))
    centre = np.array([size / 2, size / 2])
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.empty((2, 3))
    moved[:, :2] = turn @ matrix[:, :2]
    moved[:, 2] = turn @ (matrix[:, 2] - centre) + centre + rng.uniform(-settings.shift, settings.shift, 2) * size
    return moved


def occlude(crop: Image, rng: np.random.Generator) -> None:
    """Cover a part in place: a hand or a cup anywhere, a mask below, sunglasses above."""
    size = len(crop)
    kind = rng.random()
    if kind < 0.7:
        height, width = (rng.uniform(0.15, 0.4, 2) * size).astype(int)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
    elif kind < 0.85:
        top, left, height, width = int(0.58 * size), int(0.1 * size), int(0.42 * size), int(0.8 * size)
    else:
        top, left, height, width = int(0.28 * size), int(0.1 * size), int(0.2 * size), int(0.8 * size)
    covered = crop[top : top + height, left : left + width]
    tone = rng.integers(10, 245, covered.shape[2:]) + rng.normal(0, rng.uniform(0, 12), covered.shape)
    covered[...] = np.clip(tone, 0, 255)


def _recolour(crop: Image, settings: AugmentationSettings, rng: np.random.Generator) -> Image:
    """Another saturation and hue, or none at all."""
    if rng.random() < settings.grayscale:
        return np.repeat(to_colour(crop, "gray")[..., None], 3, axis=2)
    if not settings.saturation and not settings.hue:
        return crop
    gain = rng.uniform(1 - settings.saturation, 1 + settings.saturation)
    turn = rng.uniform(-settings.hue, settings.hue)
    hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(turn * 256) % 256)  # the full circle is 256 steps, so that overflow is right
    hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=gain)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), dtype=np.uint8)


def relight(crop: Image, settings: AugmentationSettings, rng: np.random.Generator) -> Image:
    """Blur, gamma, contrast, brightness and sensor noise."""
    if rng.random() < settings.blur:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.6)), dtype=np.uint8)
    if settings.gamma or settings.contrast or settings.brightness:
        ramp = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-settings.gamma, settings.gamma))
        ramp = (ramp - 0.5) * np.exp(rng.uniform(-settings.contrast, 2 / 3 * settings.contrast)) + 0.5
        ramp += rng.uniform(-settings.brightness, settings.brightness)
        crop = np.asarray(cv2.LUT(crop, np.clip(ramp * 255, 0, 255).astype(np.uint8)), dtype=np.uint8)
    if rng.random() < settings.noise:
        grain = rng.standard_normal(crop.shape, dtype=np.float32) * np.float32(rng.uniform(2, 8))
        crop = np.clip(crop + grain, 0, 255).astype(np.uint8)
    return crop


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


def sample_epoch(samples: TrainingSet, recipe: Recipe, stage: StageSettings, rng: np.random.Generator) -> Rows:
    """Rows of one epoch in their order: primary ones, rarer expressions more often if so asked, and some others."""
    useful = _useful(samples, stage.tasks or recipe.tasks)
    primary = np.flatnonzero(samples.primary & useful)
    others = np.flatnonzero(~samples.primary)
    parts = [_balanced(samples, primary, recipe.class_balance, rng)]
    parts.append(rng.choice(others, min(stage.auxiliary_rows, len(others)), replace=False))
    if stage.labelled_auxiliary_rows:
        named = others[samples.known("expression")[others]]
        parts.append(rng.choice(named, min(stage.labelled_auxiliary_rows, len(named)), replace=False))
    return rng.permutation(np.concatenate(parts))


def _useful(samples: TrainingSet, tasks: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """(N,) rows that have a label of these tasks."""
    return np.asarray(np.stack([samples.known(task) for task in tasks]).any(axis=0))


def _balanced(samples: TrainingSet, rows: Rows, balance: float, rng: np.random.Generator) -> Rows:
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


class BatchLoader:
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
        samples: TrainingSet,
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
        rows = sample_epoch(self._samples, self._recipe, self._stage, rng)
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
            inputs, targets = mixup(inputs, targets, float(rng.beta(self._stage.mixup, self._stage.mixup)), rng)
        if self._stage.cutmix and self._samples_are_pictures:
            inputs, targets = cutmix(inputs, targets, float(rng.beta(self._stage.cutmix, self._stage.cutmix)), rng)
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
            points = self._samples.keypoints[row] * picture.shape[1::-1]
            crop[...] = sampler(picture, points).reshape(crop.shape)
        return torch.from_numpy(crops)


def clean_inputs(samples: TrainingSet, recipe: Recipe, rows: Rows, *, aligned: bool = False) -> npt.NDArray[np.generic]:
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
        points = samples.keypoints[row] * picture.shape[1::-1]
        known = aligned and not np.isnan(points).any()
        cut = align_faces(picture, points[None], model.template, size)[0] if known else resize_face(picture, size)
        crop[...] = cut.reshape(crop.shape)
    return crops


def mixup(inputs: Tensor, targets: Targets, share: float, rng: np.random.Generator) -> tuple[Tensor, Targets]:
    """Each sample blended with another of the batch, labels alike: one that either lacks stays unknown."""
    order = torch.from_numpy(rng.permutation(len(inputs)))
    blended = share * inputs.to(torch.float32) + (1 - share) * inputs[order]
    if inputs.dtype == torch.uint8:
        blended = blended.round()
    return blended.to(inputs.dtype), _mix_targets(targets, order, share)


def cutmix(crops: Tensor, targets: Targets, share: float, rng: np.random.Generator) -> tuple[Tensor, Targets]:
    """A rectangle of another face of the batch in each; labels are mixed by the area that each face keeps."""
    order = torch.from_numpy(rng.permutation(len(crops)))
    rows, columns = mix_rectangle(crops.shape[1], 1 - share, rng)
    pasted = crops.clone()
    pasted[:, rows, columns] = crops[order][:, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start) / crops.shape[1] ** 2
    return pasted, _mix_targets(targets, order, 1 - area)


def _mix_targets(targets: Targets, order: Tensor, share: float) -> Targets:
    return {task: share * values + (1 - share) * values[order] for task, values in targets.items()}
