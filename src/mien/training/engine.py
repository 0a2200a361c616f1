# SPDX-License-Identifier: Apache-2.0
"""The training loop: stages of a recipe over samples with partial labels, resumable after every epoch."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mien.core import MienError
from mien.datasets import FaceSamples
from mien.faces.alignment import resize_face
from mien.training.augment import CropSampler, gray_48_copy
from mien.training.losses import ccc_loss, partial_bce, soft_cross_entropy
from mien.training.network import AffectNetwork, Outputs
from mien.training.recipe import Recipe, Stage

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TeachingSet:
    """Decoded gray pictures and their labels.

    Attributes:
        samples: labels and points.
        pictures: one gray (H, W) uint8 array a sample.
        voted: (N,) True where people labelled the expression; the others are drawn by ``Stage.other_rows``.
    """

    samples: FaceSamples
    pictures: tuple[npt.NDArray[np.uint8], ...]
    voted: npt.NDArray[np.bool_]

    @classmethod
    def decode(cls, samples: FaceSamples, voted: npt.NDArray[np.bool_]) -> TeachingSet:
        """Decode all pictures once: 60,000 of 48 to 224 px stay below 2 GB."""
        return cls(samples, tuple(decode_gray(image) for image in samples.images), voted)


def decode_gray(image: bytes) -> npt.NDArray[np.uint8]:
    """An encoded picture as (H, W) gray."""
    return np.asarray(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


class Trainer:
    """Runs a recipe.

    Args:
        recipe: what to do.
        data: what to learn from.
        template: 5 alignment points as fractions of the crop's side.
        folder: for checkpoints; an interrupted run goes on from the last epoch.
    """

    def __init__(self, recipe: Recipe, data: TeachingSet, template: Sequence[Sequence[float]], folder: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.data, self.template, self.folder = recipe, data, template, folder
        self.network = AffectNetwork(recipe.model, len(data.samples.action_unit_labels))
        self.network = self.network.to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay), use_buffers=True
        )
        self.seconds = 0.0
        self._labels = self._own_labels()

    @property
    def result(self) -> AffectNetwork:
        """The averaged network, in evaluation mode."""
        module = self.average.module.eval()
        if not isinstance(module, AffectNetwork):  # AveragedModel wraps any module
            raise TypeError(type(module).__name__)
        return module

    def run(self) -> AffectNetwork:
        """Train all stages and return the averaged network."""
        done = self._resume()
        for number, stage in enumerate(self.recipe.stages):
            if number < done[0]:
                continue
            first_epoch = done[1] if number == done[0] else 0
            self._labels = self._own_labels()
            if stage.distill:
                self._distill(number)
            if stage.self_teaching:
                self._self_teach(number, stage.self_teaching)
            self._run_stage(number, stage, first_epoch)
        return self.result

    def _run_stage(self, number: int, stage: Stage, first_epoch: int) -> None:
        optimizer = torch.optim.AdamW(_parameter_groups(self.network, self.recipe.weight_decay), lr=stage.peak_lr)
        if first_epoch:
            optimizer.load_state_dict(self._load()["optimizer"])
        for epoch in range(first_epoch, stage.epochs):
            started = time.monotonic()
            rng = np.random.default_rng([self.recipe.seed, number, epoch])
            torch.manual_seed(int(rng.integers(2**31)))
            losses = self._run_epoch(stage, epoch, optimizer, rng)
            self.seconds += time.monotonic() - started
            logger.info(
                "stage %d epoch %d/%d: loss %.4f (%s), %.0f s",
                number + 1,
                epoch + 1,
                stage.epochs,
                sum(losses.values()),
                ", ".join(f"{name} {value:.4f}" for name, value in losses.items()),
                time.monotonic() - started,
            )
            self._save(number, epoch + 1, optimizer)

    def _run_epoch(
        self, stage: Stage, epoch: int, optimizer: torch.optim.Optimizer, rng: np.random.Generator
    ) -> dict[str, float]:
        self.network.train()
        rows = self._draw(stage, rng)
        steps = len(rows) // stage.batch
        sums: dict[str, float] = {}
        for step, (crops, chosen) in enumerate(self._batches(rows[: steps * stage.batch], stage, rng)):
            progress = (epoch + step / steps) / stage.epochs
            for group in optimizer.param_groups:
                group["lr"] = stage.peak_lr * _hill(progress, stage.warmup)
            targets = self._targets(chosen)
            if stage.mixup:
                crops, targets = _mix(crops, targets, rng.beta(stage.mixup, stage.mixup))
            terms = self._losses(self.network(crops), targets)
            optimizer.zero_grad(set_to_none=True)
            torch.stack(list(terms.values())).sum().backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            optimizer.step()
            self.average.update_parameters(self.network)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / steps
            if not all(math.isfinite(value) for value in sums.values()):
                raise MienError(f"the loss is not finite at step {step} of epoch {epoch + 1}: {sums}")
            if step % 50 == 0:
                logger.debug("step %d/%d: %s", step, steps, {k: round(float(v.detach()), 3) for k, v in terms.items()})
        return sums

    def _targets(self, rows: npt.NDArray[np.intp]) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(column[rows]) for column in self._labels)

    def _losses(self, outputs: Outputs, targets: tuple[Tensor, ...]) -> dict[str, Tensor]:
        expression, affect, units = targets
        weights = self.recipe.weights
        return {
            "expression": weights.expression * soft_cross_entropy(outputs.expression, expression),
            "valence_arousal": weights.valence_arousal * ccc_loss(outputs.valence_arousal, affect),
            "action_units": weights.action_units * partial_bce(outputs.action_units, units),
        }

    def _draw(self, stage: Stage, rng: np.random.Generator) -> npt.NDArray[np.intp]:
        """Rows of one epoch: voted faces, rarer expressions a little more often, and some of the others."""
        voted = np.flatnonzero(self.data.voted)
        top = np.nan_to_num(self.data.samples.expression[voted]).argmax(axis=1)
        chance = (np.bincount(top, minlength=8)[top] / len(top)) ** -self.recipe.balance
        drawn = rng.choice(voted, len(voted), p=chance / chance.sum())
        others = np.flatnonzero(~self.data.voted)
        extra = rng.choice(others, min(stage.other_rows, len(others)), replace=False)
        named = others[~np.isnan(self.data.samples.expression[others]).any(axis=1)]
        labelled = rng.choice(named, min(stage.named_rows, len(named)), replace=False)
        return rng.permutation(np.concatenate([drawn, extra, labelled]))

    def _batches(
        self, rows: npt.NDArray[np.intp], stage: Stage, rng: np.random.Generator
    ) -> Iterator[tuple[Tensor, npt.NDArray[np.intp]]]:
        sampler = CropSampler(self.template, stage.size_px, rng)
        points = self.data.samples.landmarks
        for chosen in rows.reshape(-1, stage.batch):
            crops = []
            for row in chosen:
                picture = self.data.pictures[row]
                crops.append(sampler(picture, points[row] * picture.shape[1::-1]))
            yield torch.from_numpy(np.stack(crops)[..., None]), chosen

    def _own_labels(self) -> tuple[Floats, Floats, Floats]:
        samples = self.data.samples
        return samples.expression.copy(), samples.valence_arousal.copy(), samples.action_units

    def _distill(self, number: int) -> None:
        """Give faces without votes what the network so far sees in their gray 48-px copies, its home ground.

        A label that such a face already has (LFW's, noisy) counts half.
        """
        rows = np.flatnonzero(~self.data.voted)
        seen = self._answers(rows, self.folder / f"distilled-{number}.npz")
        expression, affect, _ = self._labels
        given = self.data.samples.expression[rows]
        known = ~np.isnan(given).any(axis=1, keepdims=True)
        expression[rows] = np.where(known, 0.5 * given + 0.5 * seen["expression"], seen["expression"])
        affect[rows] = seen["valence_arousal"]

    def _self_teach(self, number: int, share: float) -> None:
        rows = np.flatnonzero(self.data.voted)
        seen = self._answers(rows, self.folder / f"self-taught-{number}.npz")
        expression = self._labels[0]
        expression[rows] = (1 - share) * expression[rows] + share * seen["expression"]

    def _answers(self, rows: npt.NDArray[np.intp], path: Path) -> dict[str, Floats]:
        """What the averaged network sees in gray 48-px copies of these rows; kept, so that resuming changes nothing."""
        if not path.is_file():
            size = self.recipe.model.input_px
            copies = [resize_face(gray_48_copy(self.data.pictures[row]), size) for row in rows]
            outputs = predict(self.result, np.stack(copies)[..., None])
            np.savez(path, expression=outputs["expression"], valence_arousal=outputs["valence_arousal"])
        with np.load(path) as seen:
            return dict(seen)

    def _path(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _load(self) -> dict[str, Any]:
        content: dict[str, Any] = torch.load(self._path(), weights_only=True)
        return content

    def _resume(self) -> tuple[int, int]:
        """Restore the last checkpoint: the stage and epoch to go on with."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._path().is_file():
            return 0, 0
        content = self._load()
        if content["recipe"] != repr(dataclasses.asdict(self.recipe)):
            raise MienError(f"{self._path()} belongs to other settings; remove it or choose another folder")
        self.network.load_state_dict(content["network"])
        self.average.load_state_dict(content["average"])
        self.seconds = content["seconds"]
        logger.info("going on after stage %d epoch %d", content["stage"] + 1, content["epoch"])
        return content["stage"], content["epoch"]

    def _save(self, stage: int, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        content = {
            "recipe": repr(dataclasses.asdict(self.recipe)),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "stage": stage,
            "epoch": epoch,
            "seconds": self.seconds,
        }
        partial = self._path().with_suffix(".partial")
        torch.save(content, partial)
        partial.replace(self._path())


def predict(network: AffectNetwork, crops: npt.NDArray[np.uint8], batch: int = 128) -> dict[str, Floats]:
    """Probabilities and values for (N, S, S, 1) crops: ``expression``, ``valence_arousal``, ``action_units``."""
    network.eval()
    parts: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, len(crops), batch):
            outputs = network(torch.from_numpy(crops[start : start + batch]))
            parts.append((outputs.expression.softmax(1), outputs.valence_arousal, outputs.action_units.sigmoid()))
    names = ("expression", "valence_arousal", "action_units")
    return {name: torch.cat([part[i] for part in parts]).numpy() for i, name in enumerate(names)}


def _mix(crops: Tensor, targets: tuple[Tensor, ...], share: float) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Each face blended with another of the batch, labels alike: a label that one of both lacks stays unknown."""
    order = torch.randperm(len(crops))
    blended = share * crops.to(torch.float32) + (1 - share) * crops[order]
    mixed = tuple(share * column + (1 - share) * column[order] for column in targets)
    return blended.round().to(torch.uint8), mixed


def _hill(progress: float, warmup: float) -> float:
    """One cycle: a straight line up, a cosine down to a hundredth."""
    if progress < warmup:
        return 0.05 + 0.95 * progress / warmup
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for kernels and matrices, none for biases and normalisation."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
