# SPDX-License-Identifier: Apache-2.0
"""Tracks and possible identity switches, in one part or in many."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSIONS, Faces, Frame
from mien.results import (
    TableWriter,
    TrackSurvey,
    list_possible_id_switches,
    list_tracks,
    open_stream,
    read_table,
    table_schema,
)
from mien.results.tables import table_stream


def write_tracks(path: Path, frames: list[dict[int, float]]) -> Path:
    """A table with the faces of each frame as ``{track: left edge}``; boxes are 10 px wide."""
    with TableWriter(path, table_schema()) as writer:
        for index, found in enumerate(frames):
            boxes = np.array([[x, 0, x + 10, 10 + track] for track, x in found.items()], np.float32).reshape(-1, 4)
            expression = np.full((len(found), 8), 0.125)
            many = Faces(boxes=boxes, track_ids=list(found), expression=expression, expression_labels=EXPRESSIONS)
            writer.append("a.mp4", Frame(index=index, time_s=index / 25, faces=many if found else Faces.empty()))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Tracks 0 and 1 change sides over 60 frames, one of which has nobody; 2 is seen in every second frame."""
    frames = [{0: 2.0 * at, 1: 90.0 - at} | ({2: 200.0} if at % 2 else {}) for at in range(60)]
    frames[30] = {}
    return write_tracks(tmp_path / "t.parquet", frames)


def test_where_and_how_often_a_track_is_seen(path: Path) -> None:
    zero, one, two = list_tracks(read_table(path))
    assert (zero.first_frame, zero.last_frame, zero.n_rows) == (0, 59, 59)
    assert zero.coverage == pytest.approx(59 / 60)
    assert two.coverage == pytest.approx(30 / 59)
    assert (one.width_px, one.height_px) == pytest.approx((10, 11))
    assert zero.place_first_px == pytest.approx((14, 5))  # the mean of frames 0 to 9
    assert zero.place_last_px == pytest.approx((2 * 54.5 + 5, 5))


def test_tracks_that_change_sides(path: Path, tmp_path: Path) -> None:
    (switch,) = list_possible_id_switches(read_table(path))
    assert (switch.track_ids, switch.first_s, switch.last_s) == ((0, 1), 0.0, pytest.approx(59 / 25))
    once = write_tracks(tmp_path / "u.parquet", [{0: 0, 1: 50}])
    assert list_possible_id_switches(read_table(once)) == (), "one frame has no beginning and end"
    twice = write_tracks(tmp_path / "v.parquet", [{0: 0, 1: 50}, {0: 50, 1: 0}])
    assert len(list_possible_id_switches(read_table(twice))) == 1


@pytest.mark.parametrize("n_rows", [1, 7, 40])
def test_parts_give_what_the_whole_gives(path: Path, monkeypatch: pytest.MonkeyPatch, n_rows: int) -> None:
    table = read_table(path)
    monkeypatch.setattr(table_stream, "ROWS_PER_PART", n_rows)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 3)
    found = TrackSurvey.of(open_stream(path).parts())
    assert found.id_switches == list_possible_id_switches(table)
    for got, right in zip(found.tracks, list_tracks(table), strict=True):
        for name, value in vars(right).items():
            expected = value if isinstance(value, str | int | None) else pytest.approx(value, rel=1e-12, nan_ok=True)
            assert getattr(got, name) == expected
