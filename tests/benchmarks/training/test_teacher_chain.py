# SPDX-License-Identifier: Apache-2.0
"""The chain from teachers to students: recipes, the mean of predictions as a file, the page."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.training import face_starts, teacher_chain
from benchmarks.training.ablation import load_plan
from benchmarks.training.teacher_chain import FILE, OWN, PLAN, SHARED, VOTES, student_recipe, teacher_page, write_mean
from mien.core import EXPRESSIONS
from mien.inference import load_spec
from mien.training.data.prediction_files import read_predictions
from tests.helpers.synthetic_data import create_recipe, create_samples


def test_students_differ_in_their_teacher_alone(tmp_path: Path) -> None:
    students = load_plan(face_starts.PLAN)
    recipes = {name: student_recipe(students, name, 2, tmp_path) for name in (VOTES, SHARED, OWN)}
    (own,), (shared,) = recipes[OWN].targets, recipes[SHARED].targets
    assert recipes[VOTES].targets == ()
    assert own == dataclasses.replace(shared, path=str(tmp_path / FILE))
    plain = {name: dataclasses.replace(recipe, targets=(), name="") for name, recipe in recipes.items()}
    assert plain[VOTES] == plain[SHARED] == plain[OWN]
    (row,) = load_plan(PLAN).rows
    teacher = load_plan(PLAN).recipe(row, 1, tmp_path)
    assert (teacher.model.input_px, teacher.ema_decay, len(teacher.stages)) == (64, 0.99, 2)
    assert teacher.data.sources[0].epoch_share == 0.14


def test_the_file_has_the_mean_of_the_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = create_recipe()
    samples = create_samples(6, recipe)
    monkeypatch.setattr(teacher_chain, "load_training_data", lambda *_: SimpleNamespace(train_set=samples))
    bundles = [Path("mien-light"), Path("mien-accurate")]
    for n in (1, 2):
        write_mean(bundles[:n], recipe, tmp_path, tmp_path / f"{n}.parquet")
    one, both = (
        read_predictions(tmp_path / f"{n}.parquet", {"expression": EXPRESSIONS}).tasks["expression"][1] for n in (1, 2)
    )
    assert one.shape == (6, 8)
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-5)
    assert np.abs(both - one).max() > 1e-3


def test_the_page_has_teachers_and_students() -> None:
    figures = {
        name: {s: dict.fromkeys(face_starts.COLUMNS, base + 0.001 * s * s * (name == OWN)) for s in (1, 2, 3)}
        for name, base in ((VOTES, 0.6), (SHARED, 0.65), (OWN, 0.61))
    }
    spec = load_spec("mien-light")
    text = "\n".join(teacher_page({1: spec, 2: spec}, figures, 28385))
    assert "(1 epoch at 48 px and 1 epoch at 64 px of 3,764 FER+ faces each)" in text
    assert "2 epochs at 48 px of 3,974 FER+ faces, FER+ valid" in text
    assert "| votes alone | 3 | 0.600 (0.000) |" in text
    assert spec.provenance in text
    (accuracy,) = (metric.value for metric in spec.metrics if metric.name == "accuracy, plurality")
    assert f"| 2 | {accuracy:.3f} [" in text
    assert "in equal shares: +0.050 [+0.050, +0.050], n = 3, supported" in text
    del figures[OWN][1], figures[OWN][2]
    text = "\n".join(teacher_page({1: spec}, figures, 28385))
    assert "| votes and this teacher, in equal shares | 1 | - | - | - |" in text
    assert "- votes and this teacher, in equal shares: not run" in text
