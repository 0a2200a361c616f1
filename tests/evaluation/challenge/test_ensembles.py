# SPDX-License-Identifier: Apache-2.0
"""`TablePredictor`: left and right tracks, lists longer or shorter than a video, and blends."""

from pathlib import Path

import pytest

from mien.core import ConfigError, InputError
from mien.datasets import load_affwild2_va
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


def test_a_video_that_nobody_analysed_is_named(tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "tables", {"v": [table_faces([0.1])]})
    with pytest.raises(InputError, match="video x_left of the list"):
        challenges.evaluate_va(TablePredictor([tables]), write_va_tree(tmp_path, {"x_left": [0.1]}))
    with pytest.raises(ConfigError, match="at least one folder"):
        TablePredictor([])
