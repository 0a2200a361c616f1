# SPDX-License-Identifier: Apache-2.0
"""Scores of tables by video and track."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import InputError
from mien.datasets import load_affwild2_va
from mien.evaluation import (
    PREDICTION_FORMATS,
    TablePredictor,
)
from mien.evaluation.challenge.table_scores import VideoScores, load_video_scores
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


def _scores(frames: list[int], tracks: list[int], centre_x: list[float], area: list[float]) -> VideoScores:
    values = np.arange(len(frames), dtype=float)
    return VideoScores.of(
        np.array(frames), {"valence": values}, np.array(tracks), np.array(centre_x, float), np.array(area, float)
    )


def test_the_main_face_is_that_of_the_longest_track_then_the_largest() -> None:
    scores = _scores([1, 1, 2, 2, 3, 3], [7, 4, 4, 7, -1, -1], [0] * 6, [9, 1, 1, 9, 2, 3])
    # Both tracks have two rows: the larger face; untracked faces: the larger one.
    assert scores.main.tolist() == [True, False, False, True, False, True]
    longer = _scores([1, 1, 2, 3], [7, 4, 4, 4], [0] * 4, [9, 1, 1, 1])
    assert longer.main.tolist() == [False, True, True, True]


def test_sides_are_divided_between_the_two_largest_faces() -> None:
    scores = _scores([1, 1, 1, 2], [1, 2, 3, 1], [10, 90, 95, 12], [50, 60, 1, 50])
    left, right = scores.side(left=True), scores.side(left=False)
    assert left.frames.tolist() == [1, 2]
    assert left.columns["valence"].tolist() == [0, 3]
    assert right.frames.tolist() == [1, 1]
    assert right.main.tolist() == [True, False]


def test_a_video_with_one_face_at_a_time_has_no_sides() -> None:
    scores = _scores([1, 2], [1, 1], [10, 90], [50, 60])
    assert scores.side(left=True) is scores


def test_rows_without_a_value_are_left_out_and_missing_columns_can_be_zero() -> None:
    scores = _scores([2, 1], [1, 1], [0, 0], [1, 1])
    scores.columns["valence"][0] = np.nan
    frames, values = scores.known_rows(["valence"], main_only=True)
    assert (frames.tolist(), values.tolist()) == ([1], [[1.0]])
    assert scores.with_zeros(["AU23"]).columns["AU23"].tolist() == [0, 0]


def test_a_folder_of_tables(tmp_path: Path) -> None:
    write_tables(tmp_path / "a", {"v": [table_faces([0.5])], "w": [table_faces([0.1])]})
    videos = load_video_scores(tmp_path / "a", ["valence", "AU23", "pose"], per_frame=True)
    assert sorted(videos) == ["v", "w"]
    assert videos["v"].frames.tolist() == [1]
    assert np.isnan(videos["v"].columns["pose"]).all()
    (tmp_path / "a" / "copy.parquet").write_bytes((tmp_path / "a" / "v.parquet").read_bytes())
    with pytest.raises(InputError, match="the video v is in another table"):
        load_video_scores(tmp_path / "a", ["valence"], per_frame=True)
    with pytest.raises(InputError, match="holds no tables"):
        load_video_scores(tmp_path, ["valence"], per_frame=True)
