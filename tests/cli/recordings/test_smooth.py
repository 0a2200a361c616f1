# SPDX-License-Identifier: Apache-2.0
"""``mien smooth``, with and without a baseline."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import Faces, Frame
from mien.results import TableWriter, read_table, table_metadata, table_schema

LABELS, UNITS = ("neutral", "happiness"), ("AU12",)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Track 0 rests in 12 of 20 frames, track 2 never does."""
    path = tmp_path / "t.parquet"
    with TableWriter(path, table_schema(expression_labels=LABELS, action_unit_labels=UNITS)) as writer:
        for index in range(20):
            rest = index < 12
            faces = Faces(
                boxes=np.tile(np.float32([0, 0, 9, 9]), (2, 1)),
                track_ids=[0, 2],
                expression=[[0.8, 0.2] if rest else [0.1, 0.9], [0.2, 0.8]],
                valence=[-0.4 if rest else 0.5, 0.3],
                arousal=[0.1, 0.1],
                action_units=[[0.05 if rest else 0.9], [0.6]],
                expression_labels=LABELS,
                action_unit_labels=UNITS,
            )
            writer.append("a.mp4", Frame(index=index, time_s=index / 25, faces=faces))
    return path


def test_tracks_are_smoothed(mien, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "smooth.parquet"
    ended = mien("smooth", table, "--out", out, "--expr", "50", "--va", "50", "--au", "3")
    assert (ended.code, ended.out) == (0, f"wrote {out}: 2 tracks smoothed\n")
    assert read_table(out).num_rows == read_table(table).num_rows
    assert "au=3" in table_metadata(read_table(out).schema)["smoothing"]


def test_a_baseline_is_subtracted_and_others_are_named(mien, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    ended = mien("smooth", table, "--out", out, "--baseline", "person")
    assert ended.code == 0
    assert "note: a.mp4: track 2 looks neutral in 0 frames, too few; its values stay as they were" in ended.err
    assert ended.out == f"wrote {out}: baseline of 1 subtracted\n"
    rows = read_table(out).to_pylist()
    assert [row["AU12"] for row in rows if row["track_id"] == 0][-1] == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--out", "x.csv"], 2, "nothing"),
        (["--out", "x.xlsx", "--va", "1"], 2, "must end in"),
        (["--out", "x.csv", "--va", "-1"], 2, "-1"),
        (["--out", "x.csv", "--kernel", "box", "--va", "1"], 2, "box"),
        (["--va", "1"], 2, "--out"),
    ],
)
def test_refusals(mien, table: Path, monkeypatch, arguments: list[str], code: int, message: str) -> None:
    monkeypatch.chdir(table.parent)
    ended = mien("smooth", table.name, *arguments)
    assert ended.code == code
    assert message in ended.err
    assert not list(table.parent.glob("x*"))


def test_a_table_that_is_not_there(mien, tmp_path: Path) -> None:
    assert mien("smooth", tmp_path / "gone.csv", "--out", tmp_path / "x.csv", "--va", "1").code == 3
