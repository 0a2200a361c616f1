# SPDX-License-Identifier: Apache-2.0
"""Baselines of persons: a known face at rest is subtracted, other persons stay as they are and are named."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.affect import Smoothing
from mien.core import Faces, Frame, InputError
from mien.pipeline import calibrate_file, calibrate_table
from mien.results import TableWriter, name_persons, read_table, save_table, table_metadata, table_schema

LABELS, UNITS = ("neutral", "happiness"), ("AU04", "AU12")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Track 0 rests in frames 0 to 11 and smiles after, track 1 takes over at rest; track 2 never rests."""
    path = tmp_path / "t.parquet"
    schema = table_schema(expression_labels=LABELS, action_unit_labels=UNITS)
    with TableWriter(path, schema) as writer:
        for index in range(30):
            rest = index < 12
            tracks = [0 if index < 20 else 1, 2]
            faces = Faces(
                boxes=np.tile(np.float32([0, 0, 9, 9]), (2, 1)),
                track_ids=tracks,
                expression=[[0.8, 0.2] if rest else [0.1, 0.9], [0.2, 0.8]],
                valence=[-0.4 if rest else 0.5, 0.3],
                arousal=[0.1, 0.1],
                action_units=[[0.3, 0.05 if rest else 0.9], [0.6, 0.6]],
                expression_labels=LABELS,
                action_unit_labels=UNITS,
            )
            writer.append("a.mp4", Frame(index=index, time_s=index / 25, faces=faces))
        writer.append("a.mp4", Frame(index=30, time_s=1.2, faces=Faces.empty()))
    return path


def values(table: pa.Table, name: str, track: int) -> list[float]:
    return [row[name] for row in table.to_pylist() if row["track_id"] == track]


def test_rest_becomes_zero_and_others_are_named(table: Path, tmp_path: Path) -> None:
    done = calibrate_file(table, tmp_path / "c.parquet", Smoothing())
    assert done.calibrated == (("a.mp4", "track 0"),)
    assert done.untouched == (("a.mp4", "track 2", 0), ("a.mp4", "track 1", 0))
    before, after = read_table(table), read_table(tmp_path / "c.parquet")
    assert values(after, "AU12", 0) == pytest.approx([0.0] * 12 + [0.85] * 8)
    assert values(after, "AU04", 0) == pytest.approx([0.0] * 20, abs=1e-7)
    assert values(after, "valence", 0) == pytest.approx([0.0] * 12 + [0.9] * 8)
    for name in ("AU12", "valence", "arousal"):
        assert values(after, name, 2) == pytest.approx(values(before, name, 2))
    changed = ["AU04", "AU12", "valence", "arousal"]
    assert after.drop(changed).equals(before.drop(changed))
    assert [after[name].null_count for name in changed] == [1] * 4
    about = json.loads(table_metadata(after.schema)["baseline"])
    assert about["subjects"][0]["levels"] == pytest.approx({"AU04": 0.3, "AU12": 0.05, "valence": -0.4, "arousal": 0.1})


def test_named_tracks_share_one_rest(table: Path) -> None:
    named = name_persons(read_table(table), {"patient": [0, 1]})
    after, done = calibrate_table(named)
    assert done.calibrated == (("a.mp4", "patient"),)
    assert values(after, "AU12", 1) == pytest.approx([0.85] * 10)


def test_rest_is_judged_before_smoothing(table: Path, tmp_path: Path) -> None:
    calibrate_file(table, tmp_path / "c.parquet", Smoothing(expr=50, au=50))
    after = read_table(tmp_path / "c.parquet")
    levels = json.loads(table_metadata(after.schema)["baseline"])["subjects"][0]["levels"]
    assert levels["AU12"] == pytest.approx(0.05)
    assert values(after, "AU12", 0) == pytest.approx([(12 * 0.05 + 8 * 0.9) / 20 - 0.05] * 20)
    assert "smoothing" in table_metadata(after.schema)


def test_refusals(table: Path, tmp_path: Path) -> None:
    calibrate_file(table, tmp_path / "c.parquet", Smoothing())
    with pytest.raises(InputError, match=r"c\.parquet: the baseline is subtracted already"):
        calibrate_file(tmp_path / "c.parquet", tmp_path / "d.parquet", Smoothing())
    rows = read_table(table)
    nobody = rows.filter(rows["track_id"].is_null())
    save_table(tmp_path / "nobody.csv", nobody)
    with pytest.raises(InputError, match=r"nobody\.csv: the table has no tracks"):
        calibrate_file(tmp_path / "nobody.csv", tmp_path / "d.parquet", Smoothing())
    place = rows.schema.get_field_index("expression_neutral")
    without = rows.set_column(place, rows.schema.field(place), pa.nulls(len(rows), pa.float32()))
    with pytest.raises(InputError, match="no probability of neutral"):
        calibrate_table(without)
    assert not (tmp_path / "d.parquet").exists()


def test_smoothing_is_optional(table: Path, tmp_path: Path) -> None:
    assert calibrate_file(str(table), str(tmp_path / "c.csv")) == calibrate_file(table, tmp_path / "d.csv", Smoothing())
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "d.csv").read_bytes()


@pytest.mark.parametrize("order", ["kept", "reversed"])
def test_parts_give_what_the_whole_gives(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    rows = name_persons(read_table(table), {"patient": [0, 1]})
    if order == "reversed":
        rows = rows.take(pa.array(range(len(rows) - 1, -1, -1)))
    save_table(tmp_path / "named.parquet", rows)
    whole, done = calibrate_table(rows)
    monkeypatch.setattr("mien.results.tables.table_stream.ROWS_PER_PART", 1)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 3)
    monkeypatch.setattr("mien.pipeline.postprocessing.person_baseline._VALUES_AT_ONCE", 12)  # a column in each pass
    assert calibrate_file(tmp_path / "named.parquet", tmp_path / "c.parquet") == done
    assert read_table(tmp_path / "c.parquet").equals(whole, check_metadata=True)
