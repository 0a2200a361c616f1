# SPDX-License-Identifier: Apache-2.0
"""OpenFace CSVs by mien: a round trip, scripts written for OpenFace, and tables that are read piece by piece."""

import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mien.core import ConfigError, Faces, Frame, InputError
from mien.results import (
    OpenFacePlan,
    TableWriter,
    iter_pieces,
    openface_header,
    read_openface,
    read_table,
    save_table,
    table_schema,
    to_intensity,
    write_openface,
    write_openface_files,
)
from mien.results.openface.openface_columns import GROUPS

UNITS = ("AU01", "AU12", "AU24")


def make_table(path: Path, track_ids: list[list[int]], n_landmarks: int = 68, source: str = "a/clip.mp4") -> pa.Table:
    """A table with these tracks in each frame."""
    rng = np.random.default_rng(0)
    schema = table_schema(expression_labels=(), action_unit_labels=UNITS, n_landmarks=n_landmarks)
    with TableWriter(path, schema) as writer:
        for index, tracks in enumerate(track_ids):
            n = len(tracks)
            faces = Faces(
                boxes=np.tile(np.float32([0, 0, 90, 90]), (n, 1)),
                confidence=rng.random(n),
                landmarks=rng.uniform(0, 90, (n, n_landmarks, 2)),
                track_ids=tracks,
                pose_rad=rng.uniform(-1, 1, (n, 3)),
                action_units=rng.random((n, 3)),
                action_unit_labels=UNITS,
            )
            writer.append(source, Frame(index=index, time_s=index / 30 + 0.001, faces=faces if n else Faces.empty()))
    return read_table(path)


@pytest.fixture
def table(tmp_path: Path) -> pa.Table:
    """Two tracks, a frame with a face that nobody follows, and a frame without any."""
    return make_table(tmp_path / "t.parquet", [[0, 1], [1], [], [-1], [0]])


def test_round_trip(table: pa.Table, tmp_path: Path) -> None:
    thresholds = {"AU01": 0.2, "AU12": 0.7}
    write_openface(table, tmp_path / "of.csv", thresholds=thresholds)
    back = read_table(tmp_path / "of.csv")
    for name in ("source", "frame", "time_s", "track_id", "success"):
        assert back[name].to_pylist() == table[name].to_pylist(), name
    for name in ("confidence", "pitch_rad", "yaw_rad", "roll_rad", "AU01", "AU12", "lm_x00", "lm_y67"):
        expected, got = table[name].to_pylist(), back[name].to_pylist()
        assert [value is None for value in got] == [value is None for value in expected], name
        assert [v for v in got if v is not None] == pytest.approx([v for v in expected if v is not None], abs=1e-5)
    assert "AU24" not in back.schema.names  # OpenFace has no such column
    assert back["valence"].null_count == len(back)
    # Once more: what was read from OpenFace's columns is written to them as it was.
    write_openface(back, tmp_path / "again.csv", thresholds=thresholds)
    first, second = (pd.read_csv(tmp_path / name) for name in ("of.csv", "again.csv"))
    pd.testing.assert_frame_equal(first, second, atol=1e-5)


def test_a_script_written_for_openface_works(table: pa.Table, tmp_path: Path) -> None:
    write_openface(table, tmp_path / "of.csv", groups=["aus"])
    df = pd.read_csv(tmp_path / "of.csv")
    smiles = table["AU12"].drop_null().to_numpy()
    assert df[df.success == 1].AU12_r.mean() == pytest.approx(to_intensity(smiles, 0.5).mean(), rel=1e-5)
    assert df[(df.confidence > 0.0) & (df.face_id == 1)].AU12_c.tolist() == [float(smiles[k] >= 0.5) for k in (1, 2)]
    assert df.frame.tolist() == [1, 1, 2, 3, 4, 5]
    assert df.face_id.tolist() == [0, 1, 1, 0, -1, 0]
    assert df.loc[df.success == 0, ["confidence", "frame"]].to_numpy().tolist() == [[0, 3]]
    assert df.filter(regex="AU.*_r").shape[1] == 17
    assert ((df.AU12_r.dropna() >= 1) == (df.AU12_c.dropna() == 1)).all()


def test_what_is_not_measured_is_empty_and_said(table: pa.Table, tmp_path: Path) -> None:
    write_openface(table, tmp_path / "of.csv", thresholds={"AU12": 0.3})
    df, about = pd.read_csv(tmp_path / "of.csv"), json.loads((tmp_path / "of.csv.about.json").read_text())
    assert about["empty"] == [name for name in df.columns if df[name].isna().all()]
    assert {*GROUPS["gaze"], *GROUPS["3Dfp"], "pose_Tx", "AU28_c", "AU09_r"} <= set(about["empty"])
    assert about["action_unit_thresholds"] == {"AU01": 0.5, "AU12": 0.3}
    assert "no calibrated intensity" in about["columns"]["AUxx_r"]


@pytest.mark.parametrize(("tracks", "n_rows"), [([[-1, -1, -1]], 3), ([[]], 0)])
def test_a_picture_has_the_columns_of_pictures(tracks: list[list[int]], n_rows: int, tmp_path: Path) -> None:
    table = make_table(tmp_path / "t.parquet", tracks, source="photo.jpg")
    times = pa.array([0.0] * len(table))
    table = table.set_column(table.schema.get_field_index("time_s"), table.schema.field("time_s"), times)
    write_openface(table, tmp_path / "of.csv", groups=["aus"])
    df = pd.read_csv(tmp_path / "of.csv")
    assert list(df.columns) == list(openface_header("image", ["aus"]))
    assert df.face.tolist() == list(range(n_rows))
    back = read_openface(tmp_path / "of.csv")
    assert back["success"].to_pylist() == table["success"].to_pylist()
    assert back["frame"].to_pylist() == [0] * max(n_rows, 1)
    assert back["track_id"].null_count == len(back)


def test_two_sources_are_two_files(table: pa.Table, tmp_path: Path) -> None:
    other = make_table(tmp_path / "u.parquet", [[0]], source="b.mp4")
    with pytest.raises(ConfigError, match="holds one source, this table has 2"):
        write_openface(pa.concat_tables([table, other]), tmp_path / "of.csv")
    assert not (tmp_path / "of.csv").exists()


def sources_of(*names: str, n_rows: int = 5) -> pa.Table:
    """A table with rows of these sources, one after the other; a name may come again."""
    schema = table_schema(expression_labels=(), action_unit_labels=UNITS)
    counts: dict[str, int] = {}
    rows = []
    for name in names:
        for _ in range(n_rows):
            index = counts[name] = counts.get(name, -1) + 1
            about = {"source": name, "frame": index, "time_s": index / 25, "success": True, "track_id": 0}
            rows.append({**about, "AU12": (index % 10) / 10})
    return pa.Table.from_pylist(rows, schema)


@pytest.mark.parametrize("names", [("a.mp4", "b.mp4", "c.mp4"), ("a.mp4", "b.mp4", "a.mp4")])
def test_pieces_of_any_size_give_the_files_of_the_whole(names: tuple[str, ...], tmp_path: Path) -> None:
    table = sources_of(*names)
    for n_rows in (1, 4, 5, 7, 100):
        pieces = [table.slice(start, n_rows) for start in range(0, len(table), n_rows)]
        plan = OpenFacePlan.of(pieces)
        assert plan.sources == tuple(dict.fromkeys(names))
        assert plan.contiguous is (len(set(names)) == len(names))
        write_openface_files(plan, pieces, {name: tmp_path / str(n_rows) / f"{name}.csv" for name in names})
        for name in plan.sources:
            rows = table.filter(pa.array([source == name for source in table["source"].to_pylist()]))
            write_openface(rows, tmp_path / "whole.csv")
            for ending in ("", ".about.json"):
                found = (tmp_path / str(n_rows) / f"{name}.csv{ending}").read_text()
                assert found == (tmp_path / f"whole.csv{ending}").read_text(), (n_rows, name)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_memory_holds_a_few_rows_of_a_long_table(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 100)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_JSON_PIECE", 100)
    monkeypatch.setattr("mien.results.tables.table_decoder.BYTES_PER_CSV_PIECE", 5_000)
    path = tmp_path / f"t{ending}"
    table = sources_of("a.mp4", "b.mp4", n_rows=1000)
    save_table(path, table)
    alive: list[weakref.ref[pa.Table]] = []
    most_rows, most_alive = 0, 0

    def watched() -> Iterator[pa.Table]:
        nonlocal most_rows, most_alive
        for piece in iter_pieces(path):
            alive.append(weakref.ref(piece))
            most_rows = max(most_rows, len(piece))
            most_alive = max(most_alive, sum(one() is not None for one in alive))
            yield piece

    plan = OpenFacePlan.of(watched())
    write_openface_files(plan, watched(), {name: tmp_path / f"{name}.csv" for name in plan.sources})
    assert most_rows <= 200
    assert most_alive <= 3
    assert len(alive) >= 40
    assert len(pd.read_csv(tmp_path / "b.mp4.csv")) == 1000


def test_a_row_without_a_source_is_an_error() -> None:
    table = sources_of("a.mp4")
    nameless = table.set_column(0, table.schema.field("source"), pa.nulls(len(table), pa.string()))
    with pytest.raises(InputError, match="rows without a source"):
        OpenFacePlan.of([nameless])


def test_a_table_without_rows_is_a_header(tmp_path: Path) -> None:
    write_openface(table_schema(action_unit_labels=UNITS).empty_table(), tmp_path / "none.csv", groups=["aus"])
    assert (tmp_path / "none.csv").read_text() == ",".join(openface_header("sequence", ["aus"])) + "\n"


def test_thresholds_of_the_table_come_before_given_ones(tmp_path: Path) -> None:
    table = sources_of("a.mp4", n_rows=10)
    own = table.replace_schema_metadata({**table.schema.metadata, b"mien.action_unit_thresholds": b'{"AU12": 0.2}'})
    for rows, n_present in ((table, 2), (own, 8)):
        write_openface(rows, tmp_path / "of.csv", thresholds={"AU12": 0.8})
        assert pd.read_csv(tmp_path / "of.csv").AU12_c.sum() == n_present


def test_intensities_fill_the_r_columns_and_come_back(tmp_path: Path) -> None:
    units = ("AU01", "AU12")
    schema = table_schema(expression_labels=(), action_unit_labels=units, intensity_labels=("AU12",))
    with TableWriter(tmp_path / "t.parquet", schema) as writer:
        for index, strength in enumerate((0.0, 2.25, 5.0)):
            faces = Faces(
                boxes=[[0, 0, 9, 9]],
                track_ids=[0],
                action_units=[[0.5, 0.9]],
                action_unit_intensity=[[np.nan, strength]],
                action_unit_labels=units,
            )
            writer.append("clip.mp4", Frame(index=index, time_s=index / 30, faces=faces))
    table = read_table(tmp_path / "t.parquet")
    write_openface(table, tmp_path / "of.csv", thresholds={"AU01": 0.2, "AU12": 0.7})
    written = pd.read_csv(tmp_path / "of.csv")
    assert written["AU12_r"].tolist() == [0.0, 2.25, 5.0]
    assert written["AU12_c"].tolist() == [1, 1, 1]
    assert written["AU01_r"].tolist() == pytest.approx(to_intensity([0.5] * 3, 0.2).tolist())
    about = json.loads((tmp_path / "of.csv.about.json").read_text())
    assert about["intensities"] == ["AU12"]
    back = read_table(tmp_path / "of.csv")
    assert back["AU12_intensity"].to_pylist() == [0.0, 2.25, 5.0]
    assert "AU01_intensity" not in back.schema.names  # a stretched probability is no intensity
    about["intensities"] = "AU12"
    (tmp_path / "of.csv.about.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="intensities is 'AU12', not a list"):
        read_openface(tmp_path / "of.csv")


def test_openfaces_own_intensities_are_columns_of_the_table(tmp_path: Path) -> None:
    text = "frame, face_id, timestamp, confidence, success, AU12_r, AU12_c\n1, 0, 0.0, 0.9, 1, 3.2, 1\n"
    (tmp_path / "of.csv").write_text(text)
    assert read_openface(tmp_path / "of.csv")["AU12_intensity"].to_pylist() == pytest.approx([3.2])
