# SPDX-License-Identifier: Apache-2.0
"""F1 of action units against the teacher: unknown rows, shared units, and the official threshold."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from mien.core import Faces
from mien.datasets import FaceSamples
from mien.evaluation.protocols.face_metrics import action_unit_metrics, unit_f1


def _samples(units: np.ndarray, labels: tuple[str, ...]) -> FaceSamples:
    n = len(units)
    return FaceSamples(
        names=tuple(f"{i}.png" for i in range(n)),
        images=(b"",) * n,
        expression=np.full((n, 8), 1 / 8, np.float32),
        valence_arousal=np.zeros((n, 2), np.float32),
        action_units=units.astype(np.float32),
        action_unit_labels=labels,
        keypoints=np.zeros((n, 5, 2), np.float32),
    )


def _faces(units: np.ndarray, labels: tuple[str, ...]) -> Faces:
    return Faces(boxes=np.zeros((len(units), 4)), action_units=units, action_unit_labels=labels)


def test_f1_agrees_with_scikit_learn_on_known_rows() -> None:
    rng = np.random.default_rng(0)
    truth, scores = rng.random((60, 2)), rng.random((60, 2))
    truth[::3, 1] = np.nan
    # The bundle has its units in another order, and one that the teacher does not have.
    faces = _faces(np.stack([scores[:, 1], rng.random(60), scores[:, 0]], axis=1), ("AU12", "AU09", "AU04"))
    found = {m.name: m.value for m in action_unit_metrics(_samples(truth, ("AU04", "AU12")), faces)}
    known = ~np.isnan(truth[:, 1])
    expected = [
        sklearn_metrics.f1_score(truth[:, 0] >= 0.5, scores[:, 0] >= 0.5),
        sklearn_metrics.f1_score(truth[known, 1] >= 0.5, scores[known, 1] >= 0.5),
    ]
    assert found["F1 AU04 against the teacher"] == pytest.approx(expected[0])
    assert found["F1 AU12 against the teacher"] == pytest.approx(expected[1])
    assert found["mean AU F1 against the teacher"] == pytest.approx(np.mean(expected))
    assert len(found) == 3


def test_present_is_from_one_half_on() -> None:
    f1 = unit_f1(_samples(np.array([[0.5], [0.49]]), ("AU12",)), _faces(np.array([[0.5], [0.49]]), ("AU12",)))
    assert f1["AU12"](np.arange(2)) == 1


def test_rows_that_the_teacher_does_not_know_give_nan() -> None:
    f1 = unit_f1(_samples(np.array([[np.nan]]), ("AU12",)), _faces(np.array([[0.9]]), ("AU12",)))
    assert np.isnan(f1["AU12"](np.arange(1)))


def test_without_a_shared_unit_there_is_no_metric() -> None:
    assert action_unit_metrics(_samples(np.ones((3, 1)), ("AU04",)), _faces(np.ones((3, 1)), ("AU12",))) == []
