# SPDX-License-Identifier: Apache-2.0
"""Faces of the LSD chain in the layout of the challenge: synthetic and real ones to train on, real ones to test on."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from benchmarks.chain.chain_rows import Budget, Row
from mien.core import EXPRESSION_ORDERS, EXPRESSIONS, MienError
from mien.datasets import load_pictures, load_votes, picture_file
from mien.synthesis import load_synthesis_recipe, synthesize, upscale

SIX = EXPRESSION_ORDERS["lsd_6"]
"""Classes of the challenge, in its order."""

VALID = "valid"
"""Folder of the faces to test on."""

_TRAIN_LAYOUT, _VALID_LAYOUT = "training_set_synthetic_images", "validation_set_real_images"
_SEED = 0


def prepare_faces(row: Row, budget: Budget, data: Path, work: Path) -> None:
    """Make the images that a row needs, unless they are there; an interrupted step continues.

    Raises:
        MienError: Some images failed.
    """
    if row.images == "synthetic":
        recipe = load_synthesis_recipe("lsd")
        degradation = dataclasses.replace(recipe.degradation, low_resolution_share=0.0)
        small = dataclasses.replace(recipe, size_px=budget.face_px, degradation=degradation)
        _refuse(synthesize(small, work / row.images, n=budget.faces, form="lsd").failures)
    else:
        write_real(data, "train", work / row.images, n=budget.faces)
    write_real(data, "valid", work / VALID)
    if row.network:
        _refuse(upscale(work / row.images, work / row.folder, network=row.network).failures)


def write_real(data: Path, split: str, folder: Path, *, n: int | None = None) -> None:
    """Write FER+ faces whose most frequent vote is one of the six classes, in the layout of LSD.

    Args:
        data: folder of the open face sets.
        split: ``"train"`` or ``"valid"``; decides the layout.
        folder: of the images.
        n: number of faces, chosen at random; all if None.
    """
    if folder.is_dir():
        return
    path = picture_file(data, "ferplus", split)
    pictures, top = load_pictures(path), load_votes(path).argmax(axis=1)
    six = [EXPRESSIONS.index(name) for name in SIX]
    rows = np.flatnonzero(np.isin(top, six))
    if n is not None:
        rows = np.sort(np.random.default_rng(_SEED).choice(rows, min(n, len(rows)), replace=False))
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for row in rows:
        place = draft / (_TRAIN_LAYOUT if split == "train" else _VALID_LAYOUT) / EXPRESSIONS[top[row]].upper()
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{Path(pictures.names[row]).stem}.png").write_bytes(pictures.images[row])
    draft.rename(folder)


def _refuse(failures: tuple[tuple[str, str], ...]) -> None:
    if failures:
        raise MienError(f"{len(failures)} images failed, the first: {failures[0][0]}: {failures[0][1]}")
