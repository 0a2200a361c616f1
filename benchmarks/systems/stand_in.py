# SPDX-License-Identifier: Apache-2.0
"""FER+ in the place of the sets of the papers: two halves, one written as AffectNet, the other read as a new task."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import EXPRESSION_ORDERS, EXPRESSIONS, DatasetError, Indices, columns_by_name
from mien.datasets import FaceSamples, load_ferplus
from mien.results import atomic_write

HALVES = ("a", "b")

_IMAGES = "Manually_Annotated_Images"
_HEADER = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_SIDE_PX = 48
_AFFECTNET_FACES = {
    "neutral": 74_874,
    "happiness": 134_415,
    "surprise": 14_090,
    "sadness": 25_459,
    "anger": 24_882,
    "disgust": 3_803,
    "fear": 6_378,
    "contempt": 3_750,
}  # of the training set as the papers select it


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What all networks have in common.

    Attributes:
        faces: number of training faces, with the class frequencies of AffectNet.
        valid: largest number of further faces of each class, of the same half, on which the recipe selects its epoch.
        size_px: side of the crops; the faces have 48 px.
        batch: rows per step; 48 or 64 as published would leave 42 steps an epoch, of 5,993 on AffectNet.
        epochs: epochs of the heads alone, and of everything; published are 3 and 6.
        peak_lr: learning rate of both stages; the published 1e-4 of the second one is for a net that knows faces
            and for 36,000 steps.
        pretext_faces: number of faces of the pretext.
        pretext_epochs: epochs of the pretext.
    """

    faces: int = 2000
    valid: int = 50
    size_px: int = 48
    batch: int = 16
    epochs: tuple[int, int] = (1, 6)
    peak_lr: float = 1e-3
    pretext_faces: int = 8000
    pretext_epochs: int = 2


def half_of(name: str) -> str:
    """The half of a FER+ training face, by a hash of its name."""
    return HALVES[hash_of(name)[0] % 2]


def in_half(samples: FaceSamples, half: str) -> FaceSamples:
    """The faces of a half in the order of a hash of their names, which is random and always the same."""
    rows = [row for row, name in enumerate(samples.names) if half_of(name) == half]
    return samples.take(np.array(sorted(rows, key=lambda row: hash_of(samples.names[row])), dtype=np.intp))


def hash_of(name: str) -> bytes:
    """A hash of the name of a face, for choices that never change."""
    return hashlib.sha256(f"systems {name}".encode()).digest()


def write_affectnet(data: Path, folder: Path, half: str, budget: Budget) -> None:
    """Write faces of a half in the layout of AffectNet's classic release, so that the recipes read them unchanged.

    One-hot expressions by plurality, valence and arousal mapped from the votes, the whole picture as face box.

    Args:
        data: folder of the open face sets.
        folder: folder to write; one that is complete is left unchanged.
        half: ``"a"`` or ``"b"``.
        budget: number of faces.
    """
    if (folder / "training.csv").is_file():
        return
    faces = in_half(load_ferplus(data, "train"), half)
    train, valid = drawn_rows(faces, budget)
    # The training list is written last: its file says that the folder is complete.
    splits = {"validation": faces.take(valid), "training": faces.take(train)}
    (folder / _IMAGES / half).mkdir(parents=True, exist_ok=True)
    classes = columns_by_name(EXPRESSION_ORDERS["affectnet"], EXPRESSIONS)
    for split, own in splits.items():
        for name, image in zip(own.names, own.images, strict=True):
            (folder / _IMAGES / half / name).with_suffix(".png").write_bytes(image)
        with atomic_write(folder / f"{split}.csv") as file:
            lines = [_HEADER, *_rows(own, half, classes[own.expression.argmax(axis=1)])]
            file.write("".join(_line(line) for line in lines).encode())


def class_sizes(n_faces: int) -> dict[str, int]:
    """Number of faces of each expression with the class frequencies of AffectNet's training set.

    The recipes' class weights are for these. In FER+ contempt is rarer: there the rarest class weighs more than 70
    times the commonest, and its share of the smoothed label alone outweighs the label itself.

    Examples:
        >>> class_sizes(2000)["contempt"], sum(class_sizes(2000).values())
        (26, 2000)
    """
    total = sum(_AFFECTNET_FACES.values())
    sizes = {name: round(n_faces * n / total) for name, n in _AFFECTNET_FACES.items()}
    sizes["happiness"] += n_faces - sum(sizes.values())
    return sizes


def drawn_rows(faces: FaceSamples, budget: Budget) -> tuple[Indices, Indices]:
    """Rows to train on and to select on: the first faces of each class are for selection, the next for training.

    A class that is too rare for both has fewer faces for selection.

    Raises:
        DatasetError: a class has not enough faces to train on.
    """
    label = faces.expression.argmax(axis=1)
    train, valid = [], []
    for name, n in class_sizes(budget.faces).items():
        own = np.flatnonzero(label == EXPRESSIONS.index(name))
        n_valid = min(budget.valid, len(own) - n)
        if n_valid < 1:
            raise DatasetError(f"FER+ has {len(own)} faces of {name} in this half; the budget needs more than {n}")
        valid.append(own[:n_valid])
        train.append(own[n_valid : n_valid + n])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(valid))


def _rows(faces: FaceSamples, half: str, classes: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> list[list[str]]:
    return [
        [
            f"{half}/{Path(name).stem}.png",
            *map(str, (0, 0, _SIDE_PX, _SIDE_PX)),
            "",
            str(number),
            *(f"{value:.6f}" for value in np.clip(affect, -1, 1)),
        ]
        for name, number, affect in zip(faces.names, classes, faces.valence_arousal, strict=True)
    ]


def _line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
