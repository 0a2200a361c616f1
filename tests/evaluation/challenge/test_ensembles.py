# SPDX-License-Identifier: Apache-2.0
"""`TablePredictor`: left and right tracks, lists longer or shorter than a video, and blends."""

from pathlib import Path

import numpy as np
import pytest

from mien.affect import Smoothing, box_mean
from mien.core import ConfigError, InputError
from mien.datasets import create_example, load_affwild2_va, load_dataset
from mien.evaluation import (
    PREDICTION_FORMATS,
    TablePredictor,
)
from mien.evaluation.protocols import challenges
from tests.helpers.scored_tables import table_faces, write_tables, write_va_tree


@pytest.mark.parametrize("n_listed", [3, 4, 5])
def test_pitfall_13_lists_may_be_a_frame_longer_or_shorter_than_the_video(n_listed: int, tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.1 * i]) for i in range(4)]})
    samples = load_affwild2_va(write_va_tree(tmp_path, {"v": [0] * n_listed}), "valid")
    got = TablePredictor([tables]).predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
    assert got == pytest.approx([0, 0.1, 0.2, 0.3, 0.3][:n_listed], abs=1e-6)


def test_a_video_without_a_table_is_named(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.1])]})
    with pytest.raises(InputError, match="video x_left of the list"):
        challenges.evaluate_va(TablePredictor([tables]), write_va_tree(tmp_path, {"x_left": [0.1]}))
    with pytest.raises(ConfigError, match="at least one folder"):
        TablePredictor([])


def test_models_of_different_length_are_blended_with_their_last_value(tmp_path: Path) -> None:
    long = write_tables(tmp_path / "long", {"v": [table_faces([va]) for va in (0.0, 0.4, 0.8)]})
    short = write_tables(tmp_path / "short", {"v": [table_faces([0.2])]})
    samples = load_affwild2_va(write_va_tree(tmp_path, {"v": [0] * 3}), "valid")
    equal = TablePredictor([long, short]).predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
    assert equal == pytest.approx([0.1, 0.3, 0.5], abs=1e-6)
    weighted = TablePredictor([long, short], weights={"va": (0.75, 0.25)})
    assert weighted.predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0] == pytest.approx(
        [0.05, 0.35, 0.65], abs=1e-6
    )
    assert weighted.digest != TablePredictor([short, long]).digest


def test_a_lost_face_is_interpolated_before_smoothing(tmp_path: Path) -> None:
    nobody = table_faces([0.0])[:0]
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.0]), nobody, nobody, table_faces([0.9])]})
    samples = load_affwild2_va(write_va_tree(tmp_path, {"v": [0] * 4}), "valid")
    dense = np.array([0.0, 0.3, 0.6, 0.9])
    got = TablePredictor([tables]).predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
    assert got == pytest.approx(dense, abs=1e-6)
    smooth = TablePredictor([tables], smoothing=Smoothing(va=1)).predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
    assert smooth == pytest.approx(box_mean(dense[:, None], 1)[:, 0], abs=1e-6)


def test_smoothing_counts_frames_or_positions_in_the_list(tmp_path: Path) -> None:
    """Over a list with every 10th frame a window of frames has hardly a neighbour, one of positions has them all."""
    values = np.random.default_rng(0).uniform(-1, 1, 400)
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([value]) for value in values]})
    listed = np.arange(1, 401, 10)
    rows = "".join(f"v/{frame:05d}.jpg,0.1,0.1,-1{',-1' * 12}\n" for frame in listed)
    (tmp_path / "validation_set_annotations.txt").write_text("image,valence,arousal,expression,aus\n" + rows)
    samples = load_dataset("affwild2-mtl", tmp_path, "valid")
    own = values.astype(np.float32)[listed - 1]
    for window, expected in (
        ("frames", box_mean(values.astype(np.float32), 10)[listed - 1]),
        ("rows", box_mean(own, 10)),
    ):
        tuned = TablePredictor([tables], smoothing=Smoothing.parse(f"va=10,window={window}"))
        assert tuned.predict_frames(PREDICTION_FORMATS["mtl"], samples)[:, 0] == pytest.approx(expected, abs=1e-6)


def test_a_track_without_any_face_has_no_prediction_and_is_left_out_of_the_score(tmp_path: Path) -> None:
    nobody = table_faces([0.0])[:0]
    seen = [table_faces([value]) for value in (0.1, 0.5)]
    tables = write_tables(tmp_path / "tables", {"v": seen, "w": [nobody] * 2})
    data = write_va_tree(tmp_path, {"v": [0.1, 0.5], "w": [0.9, -0.9]})
    samples = load_affwild2_va(data, "valid")
    values = TablePredictor([tables]).predict_frames(PREDICTION_FORMATS["va"], samples)
    assert np.isnan(values).all(axis=1).tolist() == [False, False, True, True]
    report = challenges.evaluate_va(TablePredictor([tables]), data)
    assert report.dropped["in tracks without a face"] == 2
    assert report.metrics[1].n == 2
    assert report.metrics[1].value == pytest.approx(1, abs=1e-6)
    assert str(report.coverage) == "2 of 4 rows (50.0 %) have a face, 1 of 2 tracks; none in w"


def test_tables_without_any_face_give_no_number(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.0])[:0]] * 2})
    with pytest.raises(InputError, match="no face in any table"):
        challenges.evaluate_va(TablePredictor([tables]), write_va_tree(tmp_path, {"v": [0] * 2}))


def test_the_weight_of_a_model_without_a_face_goes_to_the_others(tmp_path: Path) -> None:
    nobody = table_faces([0.0])[:0]
    blind = write_tables(tmp_path / "blind", {"v": [nobody] * 2, "w": [table_faces([0.0])]})
    seeing = write_tables(tmp_path / "seeing", {"v": [table_faces([0.4])] * 2, "w": [table_faces([0.4])]})
    samples = load_affwild2_va(write_va_tree(tmp_path, {"v": [0] * 2, "w": [0]}), "valid")
    for weights in ({}, {"va": (1.0, 0.0)}):
        blend = TablePredictor([blind, seeing], weights=weights)
        values = blend.predict_frames(PREDICTION_FORMATS["va"], samples)[:, 0]
        assert values == pytest.approx([0.4, 0.4, 0.0 if weights else 0.2], abs=1e-6)


def test_what_tables_do_not_predict(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="weights are for va, expr, au, not for pose"):
        TablePredictor([tmp_path], weights={"pose": (1.0,)})
    create_example("emi", tmp_path)
    samples = load_dataset("emi", tmp_path, "train")
    with pytest.raises(ConfigError, match="affect tables hold no predictions of emi"):
        TablePredictor([tmp_path]).predict_clips(PREDICTION_FORMATS["emi"], samples)
