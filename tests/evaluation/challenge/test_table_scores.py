# SPDX-License-Identifier: Apache-2.0
"""Scores of tables by video and track."""

from pathlib import Path

import pytest

from mien.datasets import load_affwild2_va
from mien.evaluation import (
    PREDICTION_FORMATS,
    TablePredictor,
)
from tests.helpers.scored_tables import table_faces, write_tables, write_va_tree


def test_pitfall_12_left_and_right_are_the_sides_of_one_raw_video(tmp_path: Path) -> None:
    two = [table_faces([0.1 * i, -0.1 * i], x=[200, 10]) for i in range(3)]
    alone = [table_faces([0.7], x=[195])]  # the face at the left is lost here
    tables = write_tables(tmp_path / "tables", {"v": [*two, *alone], "w": two})
    data = write_va_tree(tmp_path, {"v_left": [0] * 4, "v_right": [0] * 4, "w": [0] * 3, "w_right": [0] * 3})
    samples = load_affwild2_va(data, "valid")
    got = TablePredictor([tables]).predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
    own = {track: got[rows] for track, rows in samples.track_rows()}
    assert own["v_left"] == pytest.approx([0, -0.1, -0.2, -0.2], abs=1e-6)
    assert own["v_right"] == pytest.approx([0, 0.1, 0.2, 0.7], abs=1e-6)
    assert own["w_right"] == pytest.approx([0, 0.1, 0.2], abs=1e-6)
    assert own["w"] == pytest.approx([0, -0.1, -0.2], abs=1e-6)  # the other one of the two
