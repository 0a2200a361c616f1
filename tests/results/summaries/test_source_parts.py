# SPDX-License-Identifier: Apache-2.0
"""Summaries of sources that come in several parts."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError
from mien.results import read_table, summarize_table
from tests.helpers.affect_tables import NOBODY, Row, faces, write_frames


def assert_close(got: Row, right: Row) -> None:
    assert got.keys() == right.keys()
    for name, value in right.items():
        expected = pytest.approx(value, rel=1e-6, abs=1e-7) if isinstance(value, float) else value
        assert got[name] == expected, name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two faces that come and go over 400 frames with a gap, and a second source."""
    random = np.random.default_rng(5)
    wave = np.sin(np.arange(400) / 9)
    frames = []
    for index, value in enumerate(wave):
        labels = [("happiness", 0), ("fear", 1)][: 1 + (index % 50 > 20)]
        found = [(track, name if value > 0 else "anger", value, (value + 1) / 2) for name, track in labels]
        time_s = index / 25 + (3 if index > 250 else 0)
        frames.append((time_s, NOBODY if random.random() < 0.1 else faces(*found)))
    return write_frames(tmp_path / "t.parquet", {"a.mp4": frames, "b.mp4": frames[:30]})


@pytest.mark.parametrize("window_s", [None, 1.5])
@pytest.mark.parametrize("n_rows", [7, 64])
def test_parts_give_what_the_whole_gives(
    path: Path, window_s: float | None, n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = summarize_table(path, window_s=window_s)
    monkeypatch.setattr("mien.results.summaries.source_parts.EXACT_ROWS", n_rows)
    monkeypatch.setattr("mien.results.summaries.distribution.EXACT_ROWS", n_rows)
    monkeypatch.setattr("mien.results.summaries.source_parts.ROWS_PER_GROUP", 5)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 5)
    for table in (path, read_table(path)):
        parts = summarize_table(table, window_s=window_s)
        for name in ("windows", "events", "transitions"):
            for right, got in zip(getattr(whole, name).to_pylist(), getattr(parts, name).to_pylist(), strict=True):
                assert_close(got, right)


def test_rows_out_of_order_give_the_same(path: Path) -> None:
    table = read_table(path)
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    ordered = summarize_table(table).windows.to_pylist()
    found = {(row["source"], row["track_id"]): row for row in summarize_table(shuffled).windows.to_pylist()}
    assert len(found) == len(ordered)
    for row in ordered:
        assert_close(found[row["source"], row["track_id"]], row)


def test_windows_have_a_highest_number(tmp_path: Path) -> None:
    one = faces((0, "fear", 0.0, 0.1))
    path = write_frames(tmp_path / "t.parquet", {"a.mp4": [(0.0, one), (1e9, one)]})
    with pytest.raises(ConfigError, match="choose longer ones"):
        summarize_table(path, window_s=1e-3)
