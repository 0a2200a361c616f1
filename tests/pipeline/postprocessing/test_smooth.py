# SPDX-License-Identifier: Apache-2.0
"""Tables in, smoothed tables out: tracks and sources stay apart, decisions follow the probabilities."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.affect import Kernel, Smoothing, box_mean, fill_gaps
from mien.core import ConfigError, Faces, Frame, InputError
from mien.pipeline import smooth_file, smooth_table
from mien.pipeline.postprocessing.smooth import _PartSmoother
from mien.results import TableWriter, read_table, save_table, table_metadata, table_schema

LABELS, UNITS = ("neutral", "happiness", "fear"), ("AU01", "AU12")


def _faces(track_ids: list[int], rng: np.random.Generator) -> Faces:
    n = len(track_ids)
    return Faces(
        boxes=np.tile(np.float32([0, 0, 9, 9]), (n, 1)),
        track_ids=track_ids,
        expression=rng.dirichlet(np.ones(3), n),
        valence=rng.uniform(-1, 1, n),
        arousal=rng.uniform(-1, 1, n),
        action_units=rng.uniform(size=(n, 2)),
        action_unit_intensity=rng.uniform(0, 5, size=(n, 2)),
        expression_labels=LABELS,
        action_unit_labels=UNITS,
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two clips with the same track numbers; track 0 of the first is lost for two frames, one frame has no face."""
    rng = np.random.default_rng(0)
    path = tmp_path / "faces.parquet"
    schema = table_schema(expression_labels=LABELS, action_unit_labels=UNITS, intensity_labels=UNITS)
    with TableWriter(path, schema) as writer:
        for index, tracks in enumerate([[0, 1], [0], [1], [], [1, 0], [0, 1]]):
            faces = _faces(tracks, rng) if tracks else Faces.empty(LABELS, UNITS)
            writer.append("a.mp4", Frame(index=index, time_s=index / 25, faces=faces))
        for index in range(4):
            writer.append("b.mp4", Frame(index=index, time_s=index / 25, faces=_faces([0, -1], rng)))
    return path


def _column(path: Path, name: str, source: str, track: int | None) -> np.ndarray:
    rows = read_table(path).to_pylist()
    return np.array(
        [row[name] for row in rows if (row["source"], row["track_id"]) == (source, track) and row["success"]]
    )


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_every_track_is_smoothed_on_all_its_frames(table: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"smooth.{ending}"
    assert smooth_file(table, out, Smoothing(va=1, au=1)) == 3
    for name in ("valence", "AU12", "AU12_intensity"):
        before = _column(table, name, "a.mp4", 0)
        frames = np.array([0, 1, 4, 5])
        dense = box_mean(fill_gaps(frames, before[:, None], np.arange(6)), 1)[:, 0]
        assert _column(out, name, "a.mp4", 0) == pytest.approx(dense[frames], abs=1e-6)
        assert _column(out, name, "b.mp4", 0) == pytest.approx(box_mean(_column(table, name, "b.mp4", 0), 1), abs=1e-6)


def test_half_widths_in_seconds_go_by_the_timestamps(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "smooth.parquet"
    smooth_file(table, out, Smoothing.parse("va=0.04s"))
    before = _column(table, "valence", "b.mp4", 0)
    dense = fill_gaps(np.array([0, 40, 80, 120]), before[:, None], np.arange(121))
    assert _column(out, "valence", "b.mp4", 0) == pytest.approx(box_mean(dense, 40)[[0, 40, 80, 120], 0], abs=1e-6)
    assert "window=milliseconds" in table_metadata(read_table(out).schema)["smoothing"]


def test_what_was_not_asked_for_and_what_has_no_track_stays(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "smooth.parquet"
    smooth_file(table, out, Smoothing(va=2))
    before, after = read_table(table), read_table(out)
    assert after.drop(["valence", "arousal"]).equals(before.drop(["valence", "arousal"]))
    assert np.array_equal(_column(out, "valence", "b.mp4", None), _column(table, "valence", "b.mp4", None))
    assert after["success"].to_pylist().count(False) == 1


def test_pitfall_19_the_label_is_decided_after_smoothing(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "smooth.parquet"
    smooth_file(table, out, Smoothing(expr=50))
    changed = 0
    for old, new in zip(read_table(table).to_pylist(), read_table(out).to_pylist(), strict=True):
        if new["success"]:
            probabilities = {label: new[f"expression_{label}"] for label in LABELS}
            assert new["expression"] == max(probabilities, key=probabilities.__getitem__)
            assert sum(probabilities.values()) == pytest.approx(1, abs=1e-6)
            assert new["expression_contempt"] is None
            changed += new["expression"] != old["expression"]
        else:
            assert new == old
    assert changed


def test_the_new_table_says_how_it_was_smoothed_and_is_not_smoothed_again(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "smooth.parquet"
    smooth_file(table, out, Smoothing(va=2))
    assert "va=2" in table_metadata(read_table(out).schema)["smoothing"]
    with pytest.raises(InputError, match=r"smooth\.parquet.*already"):
        smooth_file(out, tmp_path / "again.parquet", Smoothing(va=2))


def test_refusals_leave_no_file(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing"):
        smooth_file(table, tmp_path / "x.parquet", Smoothing())
    with pytest.raises(ConfigError, match="must end in"):
        smooth_file(table, tmp_path / "x.xlsx", Smoothing(va=1))
    with pytest.raises(InputError, match="absent"):
        smooth_file(tmp_path / "absent.parquet", tmp_path / "x.parquet", Smoothing(va=1))
    assert not list(tmp_path.glob("x.*"))


def test_a_face_twice_in_a_frame_names_the_table(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    schema = table_schema(expression_labels=LABELS, action_unit_labels=UNITS)
    with TableWriter(path, schema) as writer:
        writer.append("a.mp4", Frame(index=0, time_s=0.0, faces=_faces([2, 2], np.random.default_rng(0))))
    with pytest.raises(InputError, match=r"twice\.parquet.*two rows for track 2 in frame 0"):
        smooth_file(path, tmp_path / "out.parquet", Smoothing(va=1))


@pytest.mark.parametrize("kernel", ["mean", "median", "gaussian"])
@pytest.mark.parametrize("order", ["kept", "reversed"])
def test_parts_give_what_the_whole_gives(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: Kernel, order: str
) -> None:
    settings = Smoothing(expr=2, va=1, au=3, kernel=kernel, sigma=9.0)
    rows = read_table(table)
    whole, n_tracks = smooth_table(rows, settings)
    if order == "reversed":
        backwards = pa.array(range(len(rows) - 1, -1, -1))
        save_table(tmp_path / "r.parquet", rows.take(backwards))
        table, whole = tmp_path / "r.parquet", whole.take(backwards)
    monkeypatch.setattr("mien.results.tables.table_stream.ROWS_PER_PART", 1)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 2)
    assert smooth_file(table, tmp_path / "o.parquet", settings) == n_tracks == 3
    assert read_table(tmp_path / "o.parquet").equals(whole, check_metadata=True)


def test_a_long_table_is_never_held_whole(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0

    def counted(self: _PartSmoother, held: object) -> pa.Table:
        nonlocal most
        most = max(most, sum(len(places) for places in self._places.values()))
        return finished(self, held)

    finished = _PartSmoother._finished
    monkeypatch.setattr(_PartSmoother, "_finished", counted)
    monkeypatch.setattr("mien.results.tables.table_stream.ROWS_PER_PART", 1)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 2)
    rows = read_table(table).to_pylist()[:1]
    long = pa.Table.from_pylist(
        [{**rows[0], "frame": at, "time_s": at / 25} for at in range(300)], read_table(table).schema
    )
    save_table(tmp_path / "l.parquet", long)
    smooth_file(tmp_path / "l.parquet", tmp_path / "o.parquet", Smoothing(va=3))
    assert 0 < most <= 3, "only the rows of the window wait"
