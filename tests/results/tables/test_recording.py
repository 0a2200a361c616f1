# SPDX-License-Identifier: Apache-2.0
"""One source on its own clock."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.core import InputError
from mien.results import read_table
from mien.results.tables.recording import UNTRACKED, Recording, Subject
from tests.helpers.affect_tables import NOBODY, faces, write_frames


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Frames at 0, 0.1, 0.2, 5.0 and 5.1 s; track 3 in four of them, track 1 in one, nobody in the second."""
    three = (3, "fear", 0.0, 0.1)
    frames = [
        (0.0, faces(three)),
        (0.1, NOBODY),
        (0.2, faces(three, (1, "anger", 0.5, 0.2))),
        (5.0, faces(three)),
        (5.1, faces(three)),
    ]
    return Recording.from_table("a", read_table(write_frames(tmp_path / "t.parquet", {"a": frames})))


def test_a_frame_stands_for_the_time_until_the_next_but_not_across_a_gap(recording: Recording) -> None:
    assert recording.frame_time_s.tolist() == [0.0, 0.1, 0.2, 5.0, 5.1]
    assert recording.gap_s == 0.5
    assert recording.hold_s == pytest.approx([0.1, 0.1, 0.5, 0.1, 0.1])
    assert recording.end_s == pytest.approx(5.2)
    assert recording.row_time_s.tolist() == [0.0, 0.1, 0.2, 0.2, 5.0, 5.1]
    assert recording.row_hold_s == pytest.approx([0.1, 0.1, 0.5, 0.5, 0.1, 0.1])


def test_subjects_come_by_their_number_of_rows(recording: Recording) -> None:
    assert [subject.name for subject in recording.followed()] == ["track 3", "track 1"]
    assert recording.subject_of_row.tolist() == [0, -1, 0, 1, 0, 0]
    rows = recording.rows_of(recording.subjects[0])
    assert [piece.tolist() for piece in recording.pieces(rows)] == [[0, 2], [4, 5]]
    assert recording.pieces(np.array([], dtype=np.intp)) == []


def test_numbers_of_a_column_that_is_not_there_are_unknown(recording: Recording) -> None:
    assert np.isnan(recording.numbers("AU99")).all()
    assert np.isnan(recording.numbers("AU12")).tolist() == [False, True, False, False, False, False]


def test_rows_in_any_order_give_the_same(recording: Recording) -> None:
    shuffled = Recording.from_table("a", recording.table.take(pa.array([5, 3, 0, 4, 2, 1])))
    assert shuffled.row_time_s.tolist() == recording.row_time_s.tolist()
    assert shuffled.frame_of_row.tolist() == recording.frame_of_row.tolist()


def test_names_of_subjects() -> None:
    assert (Subject(4).name, Subject(None, "patient").name, UNTRACKED.name) == ("track 4", "patient", "untracked")


@pytest.mark.parametrize("column", ["frame", "time_s", "success"])
def test_rows_without_a_place_in_time_are_refused(recording: Recording, column: str) -> None:
    at = recording.table.schema.names.index(column)
    field = recording.table.schema.field(column)
    holes = recording.table.set_column(at, field, pa.nulls(len(recording.table), field.type))
    with pytest.raises(InputError, match=f"a: 6 rows have no {column}"):
        Recording.from_table("a", holes)


@pytest.mark.parametrize(("value", "message"), [(float("inf"), "no number"), (7.0, "two times")])
def test_a_senseless_time_is_refused(recording: Recording, value: float, message: str) -> None:
    at = recording.table.schema.names.index("time_s")
    times = pa.array([*recording.row_time_s[:3].tolist(), value, *recording.row_time_s[4:].tolist()])
    wrong = recording.table.set_column(at, recording.table.schema.field(at), times)
    with pytest.raises(InputError, match=message):
        Recording.from_table("a", wrong)
