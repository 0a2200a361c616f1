# SPDX-License-Identifier: Apache-2.0
"""Tables as streams of whole frames."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.results import TableStream, open_stream, read_table
from mien.results.tables import table_stream
from tests.helpers.affect_tables import NOBODY, faces, write_frames

TWO = faces((0, "fear", 0.1, 0.2), (1, "anger", 0.3, 0.9))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    frames = [(0.0, TWO), (0.1, faces((1, "anger", 0.3, 0.9))), (0.2, NOBODY)]
    return write_frames(tmp_path / "t.parquet", {"a.mp4": frames, "b.mp4": frames[2:]})


def test_the_facts_of_a_first_pass(path: Path) -> None:
    stream = open_stream(path)
    assert (stream.n_rows, list(stream.sources)) == (5, ["a.mp4", "b.mp4"])
    facts = stream.sources["a.mp4"]
    assert (facts.n_rows, facts.last_row_of_track) == (4, {0: 0, 1: 2})
    assert (facts.last_value["time_s"], facts.last_value["AU12"]) == (3, 2)
    assert "AU12" not in stream.sources["b.mp4"].last_value
    assert {"AU12", "expression_fear"} <= stream.filled
    assert "pitch_rad" not in stream.filled


@pytest.mark.parametrize("shuffled", [False, True])
def test_parts_come_in_the_order_of_frames_and_are_put_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, shuffled: bool
) -> None:
    table = read_table(path)
    if shuffled:
        table = table.take(np.array([4, 2, 1, 3, 0]))
    monkeypatch.setattr(table_stream, "ROWS_PER_PART", 1)
    stream = TableStream.of(lambda: iter([table.slice(0, 2), table.slice(2)]))
    parts = list(stream.parts())
    frames = pa.concat_tables(parts).to_pandas()[["source", "frame"]]
    assert frames.groupby("source")["frame"].apply(lambda frame: frame.is_monotonic_increasing).all()
    assert (stream.row is None) == (not shuffled)
    assert pa.concat_tables(list(stream.restored(stream.parts()))).equals(table)


def test_sources_that_alternate_can_be_put_in_order(path: Path) -> None:
    table = read_table(path).take(np.array([0, 4, 2, 3]))
    assert open_stream(table).row is None
    assert open_stream(table, by_source=True).row is not None
    (part,) = open_stream(table, by_source=True).parts()
    assert part["source"].to_pylist() == ["a.mp4"] * 3 + ["b.mp4"]
    named = table.append_column("row", pa.array([7] * 4))
    (part,) = open_stream(named, by_source=True).parts()
    assert part["row"].to_pylist() == [7] * 4, "a column of the user's own stays"
