# SPDX-License-Identifier: Apache-2.0
"""The order of frames, and parts that split none."""

import pyarrow as pa
import pytest

from mien.results.tables.frame_order import FrameOrder, in_frame_order, whole_frames
from mien.results.tables.recording import source_runs


def rows(*frames: tuple[str, int]) -> pa.Table:
    return pa.table({"source": pa.array([name for name, _ in frames], pa.string()), "frame": [at for _, at in frames]})


def order_of(table: pa.Table) -> FrameOrder:
    order = FrameOrder()
    for source, part in source_runs([table.slice(at, 2) for at in range(0, len(table), 2)]):
        order.add(source, part)
    return order


@pytest.mark.parametrize(
    ("frames", "ascending", "contiguous"),
    [
        ([("a", 0), ("a", 0), ("a", 2), ("b", 0)], True, True),
        ([("a", 0), ("b", 5), ("a", 1), ("b", 6)], True, False),
        ([("a", 0), ("b", 0), ("a", 0)], False, False),  # frame 0 of a is in two places
        ([("a", 1), ("a", 0)], False, True),
        ([("a", 0), ("a", 3), ("a", 2)], False, True),
    ],
)
def test_whether_frames_ascend(frames: list[tuple[str, int]], *, ascending: bool, contiguous: bool) -> None:
    order = order_of(rows(*frames))
    assert (order.ascending, order.contiguous) == (ascending, contiguous)


@pytest.mark.parametrize("n_rows", [1, 2, 3, 100])
def test_parts_end_with_a_frame(n_rows: int) -> None:
    table = rows(("a", 0), ("a", 0), ("a", 0), ("a", 1), ("b", 1), ("b", 1), ("b", 2))
    parts = list(whole_frames((table.slice(at, 2) for at in range(0, 8, 2)), n_rows))
    assert pa.concat_tables(parts).equals(table)
    ends = [part.slice(len(part) - 1).to_pylist()[0] for part in parts]
    assert [(end["source"], end["frame"]) for end in ends] == sorted({(end["source"], end["frame"]) for end in ends})


def test_a_table_without_rows_is_one_part() -> None:
    (part,) = whole_frames([rows()], 1)
    assert len(part) == 0


def test_rows_in_order_keep_their_order_within_a_frame() -> None:
    assert in_frame_order(rows(("b", 1), ("a", 0), ("b", 0), ("b", 1))).tolist() == [2, 0, 3, 1]
