# SPDX-License-Identifier: Apache-2.0
"""Ranks of action units on faces whose brows and mouths are known."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import ACTION_UNIT_SIDES, EXPRESSIONS, Faces
from mien.datasets import VOTES
from mien.evaluation.protocols.action_units.unit_ranks import evaluate_au_ranks
from tests.helpers.open_face_sets import FlatFaceAnalyzer, flat_face, metrics_by_name, template_landmarks, write_teacher

_N = 120


class _KnownUnits(FlatFaceAnalyzer):
    """Gives each image the score of its row: AU25 is the gap, AU04 is anger, AU01 fires on a quarter."""

    spec = SimpleNamespace(name="known", action_unit_thresholds={"AU01": 0.7})

    def __init__(self, gap: np.ndarray, angry: np.ndarray, smile: np.ndarray | None = None) -> None:
        super().__init__()
        self._sides = np.full((_N, len(ACTION_UNIT_SIDES)), np.nan)
        if smile is not None:
            self._sides[:, ACTION_UNIT_SIDES.index("AU12_left")] = smile
            self._sides[:, ACTION_UNIT_SIDES.index("AU12_right")] = 1.0
        self._scores = np.stack([np.arange(_N) % 4 / 3, angry * 1.0, gap], axis=1)

    def crops(self, images: Sequence[Any], *, aligned: bool = False) -> Faces:
        assert len(images) == _N
        assert not aligned
        return Faces(
            boxes=np.zeros((_N, 4)), expression=np.full((_N, 8), 1 / 8), valence=np.zeros(_N), arousal=np.zeros(_N),
            action_units=self._scores, expression_labels=EXPRESSIONS, action_unit_labels=("AU01", "AU04", "AU25"),
            action_unit_sides=self._sides,
        )  # fmt: skip


def _write(folder: Path, angry: np.ndarray, gap: np.ndarray) -> None:
    names = [f"{row}.png" for row in range(_N)]
    votes = {name: np.zeros(_N, np.int64) for name in VOTES}
    votes["anger"], votes["neutral"] = np.where(angry, 6, 1), np.where(angry, 4, 9)
    (folder / "ferplus").mkdir()
    pq.write_table(
        pa.table({"name": names, "image": [flat_face(False, False)] * _N, **votes}), folder / "ferplus/valid.parquet"
    )
    write_teacher(folder / "teacher/ferplus_valid.parquet", names, np.zeros(_N), np.zeros(_N), lost=10)
    path = folder / "teacher/ferplus_valid.parquet"
    table = pq.read_table(path)
    points = np.stack([template_landmarks()] * _N)
    points[:, [65, 66, 67], 1] += gap[:, None]
    rows = [None if row < 10 else points[row].ravel().tolist() for row in range(_N)]
    pq.write_table(
        table.set_column(table.schema.get_field_index("points"), "points", pa.array(rows, pa.list_(pa.float32()))), path
    )


def test_known_scores_give_known_ranks(tmp_path: Path) -> None:
    angry = np.arange(_N) % 2 == 0
    gap = np.random.default_rng(0).random(_N) + 2.0 * angry  # angry mouths are open: within an expression they vary
    _write(tmp_path, angry, gap)
    report = evaluate_au_ranks(_KnownUnits(gap, angry), tmp_path)
    metrics = metrics_by_name(report)
    assert metrics["AUC AU04, anger"].value == 1.0
    assert metrics["AUC AU04, anger"].n == 60
    assert metrics["false alarms AU01, neutral"].value == pytest.approx(0.5)  # rows 1, 5, ... at 1/3; 3, 7, ... at 1
    assert metrics["false alarms AU04, neutral"].value == 0.0
    assert metrics["rank correlation AU25"].value == pytest.approx(1.0)
    assert metrics["rank correlation AU25"].n == _N - 10
    assert metrics["rank correlation within expression AU25"].value == pytest.approx(1.0)
    assert "rank correlation within expression AU01" not in metrics  # all brows are alike: nothing was measured
    assert report.dropped["geometry: no landmarks"] == 10


def test_a_score_that_only_knows_the_expression_has_no_rank_within_it(tmp_path: Path) -> None:
    angry = np.arange(_N) % 2 == 0
    rng = np.random.default_rng(1)
    gap = rng.random(_N) + 2.0 * angry
    _write(tmp_path, angry, gap)
    metrics = metrics_by_name(evaluate_au_ranks(_KnownUnits(angry + 0.3 * rng.random(_N), angry), tmp_path))
    assert metrics["rank correlation AU25"].value > 0.6
    assert abs(metrics["rank correlation within expression AU25"].value) < 0.25


def test_sides_are_ranked_by_the_teacher_and_left_out_where_a_bundle_gives_none(tmp_path: Path) -> None:
    angry = np.arange(_N) % 2 == 0
    gap, smile = np.random.default_rng(0).random((2, _N))
    _write(tmp_path, angry, gap)
    path = tmp_path / "teacher/ferplus_valid.parquet"
    table = pq.read_table(path)
    names = json.loads(table.schema.metadata[b"blendshapes"])
    shapes = [[float(value) if name == "mouthSmileLeft" else 0.0 for name in names] for value in smile]
    column = table.schema.get_field_index("blendshapes")
    changed = pa.array([None, *shapes[1:]], table.schema.field(column).type)
    pq.write_table(table.set_column(column, "blendshapes", changed), path)
    metrics = metrics_by_name(evaluate_au_ranks(_KnownUnits(gap, angry, smile), tmp_path))
    assert metrics["rank correlation left minus right AU12"].value == pytest.approx(1.0)
    assert "rank correlation left minus right AU45" not in metrics
    plain = metrics_by_name(evaluate_au_ranks(_KnownUnits(gap, angry), tmp_path))
    assert not any("left minus right" in name for name in plain)
