# SPDX-License-Identifier: Apache-2.0
"""``mien compound``."""

from pathlib import Path

from tests.helpers.affect_tables import NOBODY, steady, write_frames


def test_every_frame_gets_a_row(mien, tmp_path: Path) -> None:
    frames = steady(4, 25, (0, "fear", 0.1, 0.2))
    table = write_frames(tmp_path / "t.parquet", {"a.mp4": frames, "b.mp4": [(0.0, NOBODY)]})
    ended = mien("compound", table, "--out", tmp_path / "c.csv", "--half-width", "1")
    assert (ended.code, ended.out) == (
        0,
        f"wrote {tmp_path / 'c.csv'}: 5 frames, 1 of sources in which no face has expressions\n",
    )
    header, *rows = (tmp_path / "c.csv").read_text().splitlines()
    assert header.startswith("source,frame,time_s,compound,compound_fearfully_surprised")
    assert len(rows) == 5
    assert rows[0].split(",")[3].startswith('"fearfully')


def test_a_smoothed_table_needs_half_width_0(mien, tmp_path: Path) -> None:
    table = write_frames(tmp_path / "t.parquet", {"a.mp4": steady(4, 25, (0, "fear", 0.1, 0.2))})
    mien("smooth", table, "--out", tmp_path / "s.parquet", "--expr", "2")
    ended = mien("compound", tmp_path / "s.parquet", "--out", tmp_path / "c.csv")
    assert ended.code == 3
    assert "smoothed already; choose half-width 0" in ended.err
    assert mien("compound", tmp_path / "s.parquet", "--out", tmp_path / "c.csv", "--half-width", "0").code == 0


def test_wrong_usage(mien, tmp_path: Path) -> None:
    assert mien("compound", tmp_path / "gone.csv", "--out", tmp_path / "c.csv").code == 3
    assert mien("compound", tmp_path / "gone.csv", "--out", tmp_path / "c.xlsx").code == 2
    assert mien("compound", tmp_path / "gone.csv", "--out", tmp_path / "c.csv", "--half-width", "-1").code == 2
