# SPDX-License-Identifier: Apache-2.0
"""Rows of the LSD chain: what each network starts from and trains on, and the recipe that does it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.training import Recipe, load_recipe
from mien.training.engine.trainer import CHECKPOINT
from mien.training.recipes.settings import DataSettings, SourceSettings

SHARP = "span-x4"
"""Super-resolution network of most rows; the published one is in a row of its own, since it takes 50 times as long."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What all rows have in common.

    Attributes:
        faces: number of synthetic faces, and of real ones in the rows that train on these.
        face_px: side of the faces, before super-resolution.
        size_px: side of the input of the networks.
        batch: rows per step; 64 as published would leave 23 steps an epoch, of 4,332 in the challenge.
        imagenet_lr: learning rate of rows from ImageNet when everything is trained; the published 1e-4 is for a net
            that knows faces.
        pretrain_epochs: epochs of the multi-task net on FER+: of its heads, and of everything.
    """

    faces: int = 1500
    face_px: int = 48
    size_px: int = 64
    batch: int = 16
    imagenet_lr: float = 1e-3
    pretrain_epochs: tuple[int, int] = (1, 3)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network.

    Attributes:
        name: of the row.
        step: of the chain, for the table.
        images: what it trains on.
        network: super-resolution network of the training images; empty for none.
        start: weights that it starts from.
    """

    name: str
    step: str
    images: Literal["synthetic", "real"]
    network: str = ""
    start: Literal["imagenet", "mien-light", "mt-emotieffnet"] = "imagenet"

    @property
    def folder(self) -> str:
        """Name of the folder of its training images."""
        return f"{self.images}-{self.network}" if self.network else self.images


ROWS: tuple[Row, ...] = (
    Row(name="synthetic", step="(a)", images="synthetic"),
    Row(name="light", step="(c)", images="synthetic", start="mien-light"),
    Row(name="light-span", step="(b, c)", images="synthetic", network=SHARP, start="mien-light"),
    Row(name="synthetic-span", step="(b)", images="synthetic", network=SHARP),
    Row(name="real", step="real faces", images="real"),
    Row(name="real-span", step="(b), real faces", images="real", network=SHARP),
    Row(name="synthetic-bicubic", step="(b), baseline", images="synthetic", network="bicubic"),
    Row(name="light-x4plus", step="(b, c)", images="synthetic", network="realesrgan-x4plus", start="mien-light"),
    Row(name="mt", step="(c)", images="synthetic", start="mt-emotieffnet"),
    Row(name="mt-span", step="(b, c)", images="synthetic", network=SHARP, start="mt-emotieffnet"),
)
"""Rows in the order in which they are trained, seed by seed."""


def recipe_of(row: Row, seed: int, budget: Budget, work: Path) -> Recipe:
    """The recipe of a row: that of the challenge, at the size of the budget.

    Every epoch is kept beside the checkpoint, so no stage selects one; see `chain_scores`.
    """
    published = load_recipe("lsd-mt-emotieffnet" if row.start == "mt-emotieffnet" else "lsd-mien-light")
    stages = [dataclasses.replace(stage, keep="last", batch=budget.batch) for stage in published.stages]
    if row.start == "imagenet":
        stages[-1] = dataclasses.replace(stages[-1], peak_lr=budget.imagenet_lr)
    start = "imagenet" if row.start == "imagenet" else str(start_path(row.start, work))
    return dataclasses.replace(
        published,
        name=f"chain-{row.name}",
        seed=seed,
        data=DataSettings(sources=(SourceSettings(name="lsd", folder=row.folder),), expressions="lsd_6"),
        model=dataclasses.replace(published.model, start=start, input_px=budget.size_px),
        stages=tuple(stages),
        published=(),
    )


def pretrain_recipe(budget: Budget) -> Recipe:
    """The multi-task net on FER+, whose weights the authors trained on AffectNet: a stand-in for them.

    Adam without SAM, which would take twice as long.
    """
    published = load_recipe("mt-emotieffnet")
    epochs = budget.pretrain_epochs
    return dataclasses.replace(
        published,
        name="chain-mt-pretrain",
        data=DataSettings(sources=(SourceSettings(name="open-ferplus"),)),
        model=dataclasses.replace(published.model, input_px=budget.size_px),
        stages=tuple(
            dataclasses.replace(stage, epochs=n, keep="last", peak_lr=1e-3)
            for stage, n in zip(published.stages, epochs, strict=True)
        ),
        optimizer=dataclasses.replace(published.optimizer, sam_rho=0.0),
        augmentation=dataclasses.replace(published.augmentation, flip=0.5),
        published=(),
    )


def start_path(start: str, work: Path) -> Path:
    """Checkpoint that rows of this start begin with."""
    return work / "starts" / start / CHECKPOINT


def row_file(row: str, seed: int, work: Path) -> Path:
    """File of the logits of a finished row."""
    return work / "rows" / row / f"{seed}" / "logits.npz"


def pretrained_file(start: str, work: Path) -> Path:
    """File of the logits before fine-tuning."""
    return work / "rows" / f"pretrained-{start}" / "logits.npz"
