# SPDX-License-Identifier: Apache-2.0
"""Summaries of tables with the thresholds of their bundles; a bad table among others is a failure."""

from pathlib import Path

import pyarrow.csv
import pytest

import mien
from mien.core import ConfigError
from mien.inference import load_spec
from mien.pipeline import (
    bundle_thresholds,
    convert_file,
    convert_to_elan,
    convert_to_openface,
    summarize_files,
    write_report,
)
from tests.helpers.affect_tables import faces, write_frames


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory, encoded_clip: bytes) -> Path:
    """A folder with ``clip.mp4`` and its table as ``clip.parquet`` and ``clip.csv``, with manifests."""
    folder = tmp_path_factory.mktemp("analysed")
    (folder / "clip.mp4").write_bytes(encoded_clip)
    for ending in ("parquet", "csv"):
        mien.analyze(folder / "clip.mp4", folder / f"clip.{ending}", threads=1)
    return folder


def test_the_table_carries_the_thresholds_of_its_bundle(analysed: Path) -> None:
    task = load_spec().task("action_units")
    assert task is not None
    expected = dict(zip(task.labels, task.thresholds, strict=True))
    assert bundle_thresholds(analysed / "clip.csv") == expected
    result = summarize_files([analysed / "clip.parquet", analysed / "clip.csv"])
    first, second = (
        [row for row in result.summary.windows.to_pylist() if row["table"].endswith(ending)]
        for ending in (".parquet", ".csv")
    )
    assert {row["smoothing"] for row in (*first, *second)} == {"mean over 0.4 s before and after each frame"}
    assert [row | {"table": ""} for row in first] == [row | {"table": ""} for row in second]
    for event in result.summary.events.to_pylist():
        assert event["threshold"] == expected.get(event["signal"], 0.5)


def test_a_table_that_lost_its_thresholds_is_named(analysed: Path, tmp_path: Path) -> None:
    """A CSV without its manifest, as ``mien convert`` writes it, gave other rates than its Parquet table in silence."""
    bare = tmp_path / "bare.csv"
    convert_file(analysed / "clip.parquet", bare)
    kept = (analysed / "clip.parquet", analysed / "clip.csv")
    assert not any("0.5" in note for note in summarize_files(kept).notes)
    (note,) = (note for note in summarize_files([*kept, bare, bare]).notes if "0.5" in note)
    assert note.startswith(f"{bare}: action units count as present from 0.5, since neither the table nor a manifest")
    for messages in (
        write_report(bare, tmp_path / "r.html", frames=False),
        convert_to_openface(bare, tmp_path / "of.csv").messages,
        convert_to_elan(bare, tmp_path / "e.eaf").messages,
    ):
        assert note in messages
    assert write_report(kept, tmp_path / "r.html", frames=False) == ()


def test_one_table_is_summarised_by_the_thresholds_of_its_bundle(analysed: Path) -> None:
    parquet, csv = (mien.summarize(analysed / f"clip.{ending}", window_s=0.4) for ending in ("parquet", "csv"))
    assert csv.windows.equals(parquet.windows)
    assert csv.events.equals(parquet.events)
    kept = mien.summarize(mien.read_table(analysed / "clip.parquet"), window_s=0.4)
    assert kept.windows.equals(parquet.windows)
    assert mien.summarize(str(analysed / "clip.csv")).windows.num_rows == 2
    with pytest.raises(ConfigError, match="longer than 0 s"):
        mien.summarize(analysed / "clip.csv", window_s=0)


def test_a_bad_table_is_a_failure_and_the_others_go_on(analysed: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.parquet").touch()
    out = tmp_path / "new" / "summary.csv"
    tables = [tmp_path / "gone.parquet", analysed / "clip.parquet", tmp_path / "empty.parquet"]
    result = summarize_files(tables, out=out, events=tmp_path / "events.jsonl")
    assert [failure.path for failure in result.failures] == [str(tables[0]), str(tables[2])]
    written = pyarrow.csv.read_csv(out)
    assert written.num_rows == 2
    assert set(written["table"].to_pylist()) == {str(tables[1])}
    assert (tmp_path / "events.jsonl").exists()


def test_nothing_is_written_if_nothing_could_be_read(tmp_path: Path) -> None:
    result = summarize_files([tmp_path / "gone.csv"], out=tmp_path / "s.csv")
    assert (len(result.failures), result.written, result.summary.windows.num_columns) == (1, (), 0)
    assert not (tmp_path / "s.csv").exists()


def test_outputs_replace_neither_tables_nor_each_other(analysed: Path, tmp_path: Path) -> None:
    table = analysed / "clip.csv"
    with pytest.raises(ConfigError, match=r"--out .*clip\.csv and TABLE .*clip\.csv are the same file"):
        summarize_files([table], out=table)
    with pytest.raises(ConfigError, match=r"--events .* and --out .* are the same file"):
        summarize_files([table], out=tmp_path / "x.csv", events=tmp_path / "x.csv")
    with pytest.raises(ConfigError, match="must end in"):
        summarize_files([table], out=tmp_path / "x.xlsx")


def flickering(path: Path, **metadata: str) -> Path:
    """40 frames at 20 a second of a neutral face that is happy in every fifth frame."""
    labels = ["happiness" if index % 5 == 2 else "neutral" for index in range(40)]
    frames = [(index / 20, faces((0, label, 0.0, 0.1))) for index, label in enumerate(labels)]
    return write_frames(path, {"a.mp4": frames}, **metadata)


def happy_share(path: Path, smooth: str | None) -> tuple[float, str | None]:
    (row, *_) = mien.summarize(path, smooth=smooth).windows.to_pylist()
    return round(row["expression_happiness_share"], 6), row["smoothing"]


def test_summaries_do_not_flicker_unless_raw_values_are_wanted(tmp_path: Path) -> None:
    table = flickering(tmp_path / "a.parquet")
    before = table.read_bytes()
    assert happy_share(table, "none") == (0.2, None)
    assert happy_share(table, None) == (0.2, None)
    assert happy_share(table, "0.4s") == (0.0, "mean over 0.4 s before and after each frame")
    (row, *_) = mien.summarize(mien.read_table(table)).windows.to_pylist()
    assert row["expression_happiness_share"] == 0
    assert row["n_transitions"] == 0
    assert table.read_bytes() == before
    with pytest.raises(ConfigError, match="smoothing is name=value"):
        mien.summarize(table, smooth="lots")


def test_a_smoothed_table_is_not_smoothed_again(tmp_path: Path) -> None:
    table = flickering(tmp_path / "a.parquet", smoothing="expr=1")
    share, said = happy_share(table, "0.4s")
    assert (share, said) == (0.2, "of the table: expr=1")
    assert summarize_files([table]).notes[0] == "The table itself is smoothed (expr=1)."


def test_many_frames_in_a_millisecond_and_hours_in_a_track_are_summarised(tmp_path: Path) -> None:
    one = faces((0, "neutral", 0.0, 0.1))
    fast = write_frames(tmp_path / "fast.parquet", {"a.mp4": [(index / 4000, one) for index in range(50)]})
    assert mien.summarize(fast).windows.to_pylist()[0]["n_face_frames"] == 50
    long = write_frames(tmp_path / "long.parquet", {"a.mp4": [(float(hour) * 3600, one) for hour in range(12)]})
    assert mien.summarize(long).windows.to_pylist()[0]["n_face_frames"] == 12
