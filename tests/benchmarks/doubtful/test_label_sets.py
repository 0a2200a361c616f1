# SPDX-License-Identifier: Apache-2.0
"""Doubtful labels: one vote a face, wrong digits, hidden thirds and halves, on a few made faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("sklearn", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.doubtful import label_sets
from benchmarks.doubtful.label_sets import (
    TASKS,
    hidden_thirds,
    noisy_digits,
    single_votes,
    two_halves,
    unlabelled_faces,
)
from mien.core import EXPRESSIONS
from mien.datasets import FaceSamples, Pictures

N = 60


def made_faces(_folder: Path, split: str) -> FaceSamples:
    """Gray faces, nine votes of ten for one expression and one for neutral."""
    rng = np.random.default_rng(len(split))
    n = N if split == "train" else 12
    shares = 0.9 * np.eye(8, dtype=np.float32)[rng.integers(1, 8, n)]
    shares[:, 0] = 0.1
    picture = cv2.imencode(".png", np.full((48, 48), 90, np.uint8))[1].tobytes()
    return FaceSamples(
        names=tuple(f"{split} {row}" for row in range(n)),
        images=(picture,) * n,
        expression=shares,
        valence_arousal=rng.uniform(-1, 1, (n, 2)).astype(np.float32),
        action_units=rng.integers(0, 2, (n, 3)).astype(np.float32),
        action_unit_labels=("AU01", "AU04", "AU12"),
        keypoints=np.zeros((n, 5, 2), np.float32),
    )


@pytest.fixture(autouse=True)
def faces(monkeypatch: pytest.MonkeyPatch) -> FaceSamples:
    own = made_faces(Path(), "train")
    votes = np.concatenate([np.round(10 * own.expression), np.full((N, 2), 3)], axis=1).astype(np.int64)
    monkeypatch.setattr(label_sets, "load_ferplus", made_faces)
    monkeypatch.setattr(label_sets, "load_votes", lambda _: votes)
    monkeypatch.setattr(label_sets, "load_pictures", lambda _: Pictures(own.names, own.images))
    monkeypatch.setattr(label_sets, "affect_map", lambda _: lambda shares: shares[:, :2])
    return own


def test_a_vote_is_one_of_the_votes_of_the_face_and_maps_to_its_affect(faces: FaceSamples) -> None:
    found = single_votes(Path(), 40, seed=1)
    drawn = found.train.targets["expression"]
    assert (drawn.sum(axis=1) == 1).all()
    given = dict(zip(faces.names, faces.expression, strict=True))
    assert all(given[name][row.argmax()] > 0 for name, row in zip(found.train.groups, drawn, strict=True))
    assert np.array_equal(found.train.targets["valence_arousal"], drawn[:, :2])
    assert set(found.train.labels) == {"expression", "valence_arousal"}
    assert len(found.test) == 12
    wrong = np.mean([given[name].argmax() != row.argmax() for name, row in zip(found.train.groups, drawn, strict=True)])
    assert 0 < wrong < 0.4
    assert f"{wrong:.3f} of the drawn votes" in found.facts[0]
    again, other = single_votes(Path(), 40, seed=1), single_votes(Path(), 40, seed=2)
    assert np.array_equal(again.train.targets["expression"], drawn)
    assert other.train.groups != again.train.groups


def test_a_share_of_the_digits_has_another_class() -> None:
    found, other = noisy_digits(200, 0.3, seed=1), noisy_digits(200, 0.3, seed=2)
    clean = noisy_digits(200, 0.0, seed=1)
    changed = (found.train.targets["expression"] != clean.train.targets["expression"]).any(axis=1)
    assert changed.sum() == 60
    assert (found.train.targets["expression"].sum(axis=1) == 1).all()
    assert found.train.groups == other.train.groups
    assert np.array_equal(found.test.targets["expression"], clean.test.targets["expression"])
    assert not set(found.train.groups) & set(found.test.groups)
    assert not np.array_equal(found.train.targets["expression"], other.train.targets["expression"])
    assert len(found.test) == 1597


def test_every_face_keeps_one_label_set_of_three() -> None:
    train = hidden_thirds(Path(), N, seed=1).train
    known = np.stack([train.known(task) for task in TASKS])
    assert (known.sum(axis=0) == 1).all()
    assert (known.sum(axis=1) > N / 6).all()
    test = hidden_thirds(Path(), N, seed=1).test
    assert all(test.known(task).all() for task in TASKS)


def test_halves_have_one_label_set_each() -> None:
    train = two_halves(Path(), N, seed=1).train
    known = np.stack([train.known(task) for task in ("expression", "action_units")])
    assert (known.sum(axis=0) == 1).all()
    assert known.any(axis=1).all()
    assert set(train.labels) == {"expression", "action_units"}


def test_the_pretext_sees_no_label() -> None:
    train = unlabelled_faces(Path(), 30, seed=1)
    assert len(train) == 30
    assert not any(train.known(task).any() for task in TASKS)
    assert train.labels["expression"] == EXPRESSIONS
