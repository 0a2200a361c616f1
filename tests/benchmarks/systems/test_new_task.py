# SPDX-License-Identifier: Apache-2.0
"""The unseen half is a task with other classes in another domain, the same every time."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.new_task import another_domain, load_new_task, majority_classes, split_half
from benchmarks.systems.stand_in import half_of
from mien.core import EXPRESSION_ORDERS
from mien.datasets import VOTES
from tests.helpers.open_face_sets import flat_face, write_open_sets

LABELS = EXPRESSION_ORDERS["affwild2_8"]


def test_no_majority_and_contempt_are_other() -> None:
    cases = {
        "happiness": {"happiness": 6, "neutral": 4},
        "sadness": {"sadness": 7, "unknown": 3},
        "other": {"happiness": 5, "neutral": 5},
    }
    votes = np.array([[given.get(name, 0) for name in VOTES] for given in cases.values()])
    assert [LABELS[number] for number in majority_classes(votes)] == list(cases)
    contempt = np.array([[10 * (name == "contempt") for name in VOTES], [10 * (name == "unknown") for name in VOTES]])
    assert [LABELS[number] for number in majority_classes(contempt)] == ["other", "other"]


def test_the_other_domain_is_the_same_every_time() -> None:
    face = flat_face(smiles=True, frowns=False)
    one, two = another_domain(face, "a.png"), another_domain(face, "a.png")
    assert np.array_equal(one, two)
    assert not np.array_equal(one, another_domain(face, "b.png"))


def test_heads_never_see_the_half_of_their_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = load_new_task(write_open_sets(tmp_path), "train")
    assert len(task.names) == 240
    assert {LABELS[number] for number in task.expression.argmax(axis=1)} == {"happiness", "neutral"}
    assert set(np.unique(task.action_units)) <= {0.0, 1.0}
    monkeypatch.setattr("benchmarks.systems.new_task.N_VALID", 20)
    parts = split_half(task, "b")
    assert len(parts["valid"].names) == 20
    names = [*parts["train"].names, *parts["valid"].names]
    assert sorted(names) == sorted(name for name in task.names if half_of(name) == "b")
