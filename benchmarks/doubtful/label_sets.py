# SPDX-License-Identifier: Apache-2.0
"""Doubtful labels of faces and digits, and the truth beside them: single votes, wrong classes, hidden sets, halves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import EXPRESSIONS, Float32, Indices
from mien.datasets import FaceSamples, affect_map, load_ferplus, load_pictures, load_votes, picture_file
from mien.evaluation.face_crops import decode_pictures
from mien.faces import resize_face, to_colour
from mien.training.data.open_sources import labelled_faces
from mien.training.data.training_images import TrainingImages
from mien.training.data.training_set import TrainingSet

TASKS = ("expression", "valence_arousal", "action_units")
RATES = (0.2, 0.3, 0.4)
"""Shares of wrong labels of the digits."""

DIGIT_PX = 16
"""Side of the digits, which have 8 px."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Experiment:
    """What one experiment trains and measures on.

    Attributes:
        train: samples with doubtful labels; a missing one is NaN.
        test: other samples, with the truth.
        facts: sentences about the labels, for the page.
    """

    train: TrainingSet
    test: TrainingSet
    facts: tuple[str, ...] = ()


def single_votes(data: Path, n: int, seed: int) -> Experiment:
    """Faces with one vote each, drawn from the votes for expressions; valence and arousal mapped from that vote.

    Args:
        data: folder of the open face sets.
        n: number of training faces.
        seed: of the draw of faces and votes.
    """
    faces, rng = _drawn_faces(data, n, seed), np.random.default_rng([seed, 1])
    path = picture_file(data, "ferplus", "train")
    votes_of = dict(zip(load_pictures(path).names, load_votes(path)[:, : len(EXPRESSIONS)], strict=True))
    votes = np.array([votes_of[name] for name in faces.names], dtype=np.float64)
    shares = votes / votes.sum(axis=1, keepdims=True)
    drawn = (rng.random((n, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=len(EXPRESSIONS) - 1)
    noisy = np.eye(len(EXPRESSIONS), dtype=np.float32)[drawn]
    wrong = float((drawn != faces.expression.argmax(axis=1)).mean())
    train = _of_faces(replace(faces, expression=noisy, valence_arousal=affect_map(data)(noisy).astype(np.float32)))
    return Experiment(
        train=without(train, "action_units"),
        test=_of_faces(load_ferplus(data, "valid")),
        facts=(f"{wrong:.3f} of the drawn votes are not for the expression with most votes",),
    )


def noisy_digits(n: int, rate: float, seed: int) -> Experiment:
    """scikit-learn's digits, of whose training labels a share is another class, each other class alike.

    Args:
        n: number of training samples, always the same; all others are for the test.
        rate: share of wrong labels.
        seed: of the draw of wrong labels.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    rng = np.random.default_rng([seed, round(1000 * rate)])
    order = np.random.default_rng(0).permutation(len(found.target))
    pictures = [
        resize_face((15 * picture).clip(0, 255).astype(np.uint8), DIGIT_PX).reshape(DIGIT_PX, DIGIT_PX)
        for picture in found.images[order]
    ]
    truth = found.target[order]
    label = truth.copy()
    wrong = rng.permutation(n)[: round(rate * n)]
    label[wrong] = (truth[wrong] + rng.integers(1, 10, len(wrong))) % 10
    names = tuple(f"digit {row}" for row in order)

    def part(rows: slice, classes: npt.NDArray[np.integer]) -> TrainingSet:
        own = pictures[rows]
        return TrainingSet(
            groups=names[rows],
            inputs=TrainingImages.of(names[rows], own, "gray"),
            targets={"expression": np.eye(10, dtype=np.float32)[classes[rows]]},
            labels={"expression": tuple(f"{digit}" for digit in range(10))},
            keypoints=np.full((len(own), 5, 2), np.nan, np.float32),
            primary=np.ones(len(own), dtype=bool),
        )

    return Experiment(train=part(slice(n), label), test=part(slice(n, None), truth))


def hidden_thirds(data: Path, n: int, seed: int) -> Experiment:
    """Faces of which each keeps one of three label sets, by a hash: two thirds of every set are hidden."""
    train = _of_faces(_drawn_faces(data, n, seed))
    third = np.array([hash_number(name) % len(TASKS) for name in train.groups])
    targets = {task: _masked(train.targets[task], third == number) for number, task in enumerate(TASKS)}
    return Experiment(train=replace(train, targets=targets), test=_of_faces(load_ferplus(data, "valid")))


def unlabelled_faces(data: Path, n: int, seed: int) -> TrainingSet:
    """Faces without any label."""
    train = _of_faces(_drawn_faces(data, n, seed))
    return replace(train, targets={task: np.full_like(values, np.nan) for task, values in train.targets.items()})


def two_halves(data: Path, n: int, seed: int) -> Experiment:
    """Faces with expressions on half A and action units on half B, by a hash."""
    train = without(_of_faces(_drawn_faces(data, n, seed)), "valence_arousal")
    in_a = np.array([hash_number(name) % 2 == 0 for name in train.groups])
    kept = {"expression": in_a, "action_units": ~in_a}
    targets = {task: _masked(train.targets[task], rows) for task, rows in kept.items()}
    return Experiment(
        train=replace(train, targets=targets),
        test=without(_of_faces(load_ferplus(data, "valid")), "valence_arousal"),
    )


def without(samples: TrainingSet, *tasks: str) -> TrainingSet:
    """The samples without some tasks."""

    def kept(values: Mapping[str, object]) -> dict[str, object]:
        return {task: value for task, value in values.items() if task not in tasks}

    return replace(samples, targets=kept(samples.targets), labels=kept(samples.labels))  # type: ignore[arg-type]


def hash_number(name: str) -> int:
    """A number that is always the same for a name."""
    return int.from_bytes(hashlib.sha256(f"doubtful {name}".encode()).digest()[:6], "big")


def _masked(values: Float32, rows: npt.NDArray[np.bool_]) -> Float32:
    return np.where(rows[:, None], values, np.float32(np.nan)).astype(np.float32)


def _drawn_faces(data: Path, n: int, seed: int) -> FaceSamples:
    """Some faces of FER+ train, without replacement."""
    faces = load_ferplus(data, "train")
    rows: Indices = np.sort(np.random.default_rng(seed).permutation(len(faces))[:n])
    return faces.take(rows)


def _of_faces(faces: FaceSamples) -> TrainingSet:
    """Faces with their pixels decoded and all their labels."""
    pictures = [to_colour(picture, "gray") for picture in decode_pictures(faces)]
    return labelled_faces(faces, TrainingImages.of(faces.names, pictures, "gray"))
