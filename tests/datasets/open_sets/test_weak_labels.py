# SPDX-License-Identifier: Apache-2.0
"""Labels without annotators: votes to valence and arousal, blendshapes to action units."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSIONS
from mien.datasets import (
    AU_RULES,
    AffectMap,
    TeacherOutputs,
    action_unit_probabilities,
    affect_map,
    expression_shares,
    load_ratings,
)
from mien.metrics import ccc

BLENDSHAPES = (
    *("browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft", "browDownRight", "eyeWideLeft"),
    *("eyeWideRight", "mouthSmileLeft", "mouthSmileRight", "eyeSquintLeft", "eyeSquintRight", "eyeBlinkLeft"),
    *("eyeBlinkRight", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthFrownLeft", "mouthFrownRight", "mouthShrugLower"),
    *("mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "jawOpen"),
)


def outputs(*faces: dict[str, float], found: bool = True, lip_gap: float = 0.0) -> TeacherOutputs:
    shapes = np.array([[face.get(name, 0.0) for name in BLENDSHAPES] for face in faces], np.float32)
    landmarks = np.zeros((len(faces), 68, 2), np.float32)
    landmarks[:, 42:48, 0] = 1.0  # eye distance 1
    landmarks[:, 65:68, 1] = lip_gap
    return TeacherOutputs(np.full(len(faces), found), shapes, BLENDSHAPES, landmarks)


def share(**votes: float) -> np.ndarray:  # type: ignore[type-arg]  # shape (1, 8)
    return np.array([[votes.get(name, 0.0) for name in EXPRESSIONS]])


SMILE = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}


def probability(label: str, teacher: TeacherOutputs, expression: np.ndarray | None = None) -> float:  # type: ignore[type-arg]
    known = np.full((len(teacher.found), 8), np.nan) if expression is None else expression
    return float(action_unit_probabilities(teacher, known)[0, list(AU_RULES).index(label)])


def test_a_smile_is_au12_unless_annotators_see_sadness() -> None:
    assert probability("AU12", outputs(SMILE)) == 1
    assert probability("AU12", outputs(SMILE), share(happiness=1.0)) == 1
    assert probability("AU12", outputs(SMILE), share(sadness=0.9, neutral=0.1)) == 0  # the crying mouth
    assert np.isnan(probability("AU12", outputs(SMILE), share(anger=0.9, neutral=0.1)))  # a snarl: unknown


def test_au06_needs_smile_and_squint() -> None:
    assert probability("AU06", outputs(SMILE)) == 0
    assert probability("AU06", outputs({**SMILE, "eyeSquintLeft": 0.6, "eyeSquintRight": 0.6})) == 1
    assert not AU_RULES["AU06"].observed


def test_lips_part_comes_from_the_landmarks() -> None:
    assert probability("AU25", outputs({}, lip_gap=0.0)) == 0
    assert probability("AU25", outputs({}, lip_gap=0.2)) == 1


def test_without_a_face_everything_is_unknown() -> None:
    assert np.isnan(action_unit_probabilities(outputs(SMILE, found=False), share(happiness=1.0))).all()


def test_single_votes_are_dropped_and_unusable_faces_are_unknown() -> None:
    votes = np.zeros((3, 10), int)
    votes[0, :3] = (6, 3, 1)
    votes[1, 8:] = (6, 4)  # unknown wins
    votes[2, :8] = 1  # nothing but single votes
    shares = expression_shares(votes)
    np.testing.assert_allclose(shares[0, :3], (6 / 9, 3 / 9, 0), atol=1e-6)
    assert np.isnan(shares[1:]).all()


def test_the_map_recovers_a_quadratic_and_stays_in_range() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(8, 0.3), 2000)
    truth = np.stack([shares[:, 1] - shares[:, 3] * shares[:, 4], 0.5 * shares[:, 2] ** 2], axis=1)
    fitted = AffectMap.fit(shares[:1000], truth[:1000], ridge=1e-6)
    np.testing.assert_allclose(fitted(shares[1000:]), truth[1000:], atol=1e-3)
    assert np.abs(AffectMap.fit(shares, 9 * truth)(shares)).max() <= 1


def test_the_map_holds_on_the_other_set_of_images(shared_data: Path) -> None:
    """The numbers of docs/how-to/training.md; linear regression reaches 0.93 and 0.73 here."""
    votes, ratings, image_set = load_ratings(shared_data / "affectnet_c25/ratings.parquet")
    rows = image_set == 1
    guess = affect_map(shared_data)(votes[rows] / votes[rows].sum(axis=1, keepdims=True))
    assert ccc(guess[:, 0], ratings[rows, 0]) == pytest.approx(0.954, abs=0.002)
    assert ccc(guess[:, 1], ratings[rows, 1]) == pytest.approx(0.838, abs=0.002)
