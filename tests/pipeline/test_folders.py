# SPDX-License-Identifier: Apache-2.0
"""Folders of tables: what is skipped, analysed again or listed as failed, with one worker and with several."""

import csv
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from mien.core import ConfigError, OutputError
from mien.jobs import FakeEngine
from mien.pipeline import RunResult, TablesSkipped
from mien.pipeline import table_run as run
from mien.results import RunManifest, locked_folder, manifest_path, read_table
from tests.helpers.face_clips import N_FRAMES, write_clip, write_photo
from tests.helpers.run_results import code_of


@pytest.fixture
def photos(tmp_path: Path, face: np.ndarray) -> Path:
    """Three small photos, two of them in subfolders under the same name."""
    folder = tmp_path / "photos"
    for number, name in enumerate(["a.png", "one/b.png", "two/b.png"]):
        write_photo(folder / name, np.roll(face, number, axis=1))
    return folder


@pytest.fixture(autouse=True)
def load_models_once(monkeypatch: pytest.MonkeyPatch, loaded: dict[Any, Any]) -> None:
    """Runs inside this process share their models: loading them is not what is tested here."""
    create = run.Analyzer

    def cached(*arguments: Any, **options: Any) -> Any:
        key = arguments, tuple(sorted(options.items()))
        return loaded.setdefault(key, None) or loaded.update({key: create(*arguments, **options)}) or loaded[key]

    monkeypatch.setattr(run, "Analyzer", cached)


@pytest.fixture(scope="module")
def loaded() -> dict[Any, Any]:
    return {}


def analyze(*arguments: Any, **options: Any) -> RunResult:
    return mien.analyze(*arguments, **{"threads": 1, **options})


def written_at(out: Path) -> dict[str, int]:
    """When each table was written."""
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}


def failures(out: Path) -> list[list[str]]:
    with (out / "failures.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_a_second_run_skips_what_is_finished(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = analyze(photos, out)
    before = written_at(out)
    assert set(before) == {"a.parquet", "one_b.png.parquet", "two_b.png.parquet"}
    events: list[Any] = []
    second = analyze(photos, out, on_event=events.append)
    assert events == [TablesSkipped(first.tables, 3)]
    assert written_at(out) == before
    assert second.skipped == second.tables == first.tables
    assert (second.inputs, code_of(second)) == (first.inputs, 0)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*before, *(f"{name}.manifest.json" for name in before)]
    )


def harm_input(photos: Path, _: Path) -> None:
    photo = photos / "a.png"
    photo.write_bytes(photo.read_bytes() + b"x")


def touch_same_size(photos: Path, _: Path) -> None:
    photo = photos / "a.png"
    data = bytearray(photo.read_bytes())
    data[-1] ^= 1  # in the checksum of the last chunk, which no decoder checks
    photo.write_bytes(data)


def harm_table(_: Path, out: Path) -> None:
    table = out / "a.parquet"
    table.write_bytes(table.read_bytes()[:-10])


def lose_table(_: Path, out: Path) -> None:
    (out / "a.parquet").unlink()


def lose_manifest(_: Path, out: Path) -> None:
    manifest_path(out / "a.parquet").unlink()


def harm_manifest(_: Path, out: Path) -> None:
    manifest_path(out / "a.parquet").write_text("{")


@pytest.mark.parametrize("change", [harm_input, touch_same_size, harm_table, lose_table, lose_manifest, harm_manifest])
def test_what_changed_is_analysed_again_and_nothing_else(change: Any, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    analyze(photos, out)
    before = written_at(out)
    change(photos, out)
    result = analyze(photos, out)
    after = written_at(out)
    assert [path.name for path in result.skipped] == ["one_b.png.parquet", "two_b.png.parquet"]
    assert {name for name in after if after[name] != before.get(name)} == {"a.parquet"}
    assert read_table(out / "a.parquet").num_rows == 1
    assert analyze(photos, out).skipped == result.tables


@pytest.mark.parametrize("options", [{"landmarks": True}, {"faces": "largest"}, {"every": 2}])
def test_with_other_settings_everything_is_analysed_again(
    options: dict[str, Any], photos: Path, tmp_path: Path
) -> None:
    analyze(photos, tmp_path / "out")
    assert analyze(photos, tmp_path / "out", **options).skipped == ()
    assert len(analyze(photos, tmp_path / "out", **options).skipped) == 3


def test_with_another_version_everything_is_analysed_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze(photos, tmp_path / "out")
    monkeypatch.setattr("mien.pipeline.resume.__version__", "99")
    assert analyze(photos, tmp_path / "out").skipped == ()


def test_threads_and_overlays_change_no_row(photos: Path, tmp_path: Path) -> None:
    analyze(photos / "a.png", tmp_path / "out")
    assert len(analyze(photos / "a.png", tmp_path / "out", threads=2).skipped) == 1
    overlay = tmp_path / "o.png"
    assert analyze(photos / "a.png", tmp_path / "out", overlay=overlay).skipped == ()
    assert overlay.exists()


def test_a_table_keeps_its_name_when_the_folder_grows(photos: Path, tmp_path: Path, face: np.ndarray) -> None:
    out = tmp_path / "out"
    analyze(photos, out)
    write_photo(photos / "a.bmp", face)
    write_photo(photos / "zwei" / "a.png", face)
    result = analyze(photos, out)
    assert len(result.skipped) == 3
    assert [path.name for path in result.tables] == [
        "a.bmp.parquet",
        "a.parquet",
        "one_b.png.parquet",
        "two_b.png.parquet",
        "zwei_a.png.parquet",
    ]
    sources = [read_table(table)["source"][0].as_py() for table in result.tables]
    assert len(set(sources)) == 5, "an input has two tables"


def test_another_input_never_takes_the_place_of_a_table(photos: Path, tmp_path: Path, face: np.ndarray) -> None:
    out = tmp_path / "out"
    analyze(photos / "a.png", out)
    other = write_photo(tmp_path / "elsewhere" / "a.png", face)
    analyze(other, out)
    assert set(written_at(out)) == {"a.parquet", "a.png.parquet"}
    (photos / "a.png").unlink()
    third = write_photo(tmp_path / "third" / "a.png", face)
    assert [path.name for path in analyze(third, out).tables] == ["a.parquet"]


def test_an_interrupted_table_is_finished_by_the_next_run(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(progress: mien.pipeline.Progress) -> None:
        if progress.n_frames == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyze(clip, out, on_progress=interrupt)
    assert RunManifest.load(out / "clip.parquet").stopped
    assert read_table(out / "clip.parquet").num_rows == 12
    result = analyze(clip, out)
    assert result.skipped == ()
    assert read_table(out / "clip.parquet")["frame"].to_pylist() == list(range(N_FRAMES))


def test_failures_are_listed_until_they_are_mended(photos: Path, tmp_path: Path, face: np.ndarray) -> None:
    out = tmp_path / "out"
    bad, gone = photos / "bad.png", tmp_path / "gone.png"
    bad.write_bytes(b"")
    result = analyze([photos, gone], out)
    assert code_of(result) == 1
    reasons = [[failure.path, "InputError", failure.reason] for failure in result.failures]
    header, *rows = failures(out)
    assert header == ["source", "error", "message", "table"]
    assert [row[:3] for row in rows] == reasons
    assert {row[0]: row[3] for row in rows} == {str(bad): "bad.parquet", str(gone): ""}
    assert {row[0] for row in reasons} == {str(bad), str(gone)}
    again = analyze(photos, out)
    assert (code_of(again), len(again.skipped)) == (1, 3)
    assert [row[0] for row in failures(out)[1:]] == [str(bad)]
    other = write_photo(tmp_path / "other.png", face)
    assert code_of(analyze(other, out)) == 0
    assert [row[0] for row in failures(out)[1:]] == [str(bad)], "a run over other inputs forgot what is still true"
    write_photo(bad, face)
    assert code_of(analyze(photos, out)) == 0
    assert not (out / "failures.csv").exists()


def test_a_file_read_in_part_is_listed_and_stays_listed_when_it_is_skipped(
    clip: Path, tmp_path: Path, face: np.ndarray
) -> None:
    whole = write_clip(tmp_path / "cut.mkv", face, 60).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    out = tmp_path / "out"
    first = analyze([clip, tmp_path / "cut.mkv"], out)
    assert code_of(first) == 1
    assert not first.inputs[1].complete
    (row,) = failures(out)[1:]
    assert row[:2] == [str(tmp_path / "cut.mkv"), "PartlyDecoded"]
    assert re.match(r"\d+ of 60 frames lost", row[2])
    second = analyze([clip, tmp_path / "cut.mkv"], out)
    assert (len(second.skipped), code_of(second)) == (2, 1)
    assert failures(out)[1:] == [row]


def test_a_list_of_failures_that_is_not_ours_is_not_replaced(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "failures.csv").write_text("my,own\n1,2\n")
    with pytest.raises(OutputError, match="is not mien's list of failures; move it"):
        analyze(photos, tmp_path)
    assert (tmp_path / "failures.csv").read_text() == "my,own\n1,2\n"


def test_two_runs_over_one_folder(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with locked_folder(out), pytest.raises(OutputError, match="is being written by another run; wait for it"):
        analyze(photos, out)
    assert not out.exists()
    assert code_of(analyze(photos, out)) == 0


def test_wrong_models_leave_no_folder(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no runtime is named"):
        analyze(photos, tmp_path / "out", runtime="nonsense")
    assert not (tmp_path / "out").exists()


def test_several_workers_do_the_same_in_the_same_order(photos: Path, clip: Path, tmp_path: Path) -> None:
    (photos / "bad.png").write_bytes(b"")
    inputs = [photos, clip]
    alone = analyze(inputs, tmp_path / "alone")
    events: list[Any] = []
    together = analyze(inputs, tmp_path / "together", workers=2, on_progress=events.append)
    assert code_of(together) == code_of(alone) == 1
    assert [table.name for table in together.tables] == [table.name for table in alone.tables]
    assert together.inputs == alone.inputs
    assert together.failures == alone.failures
    for table in alone.tables:
        assert read_table(tmp_path / "together" / table.name).equals(read_table(table))
    assert {each.number for each in events} == {0, 2, 3, 4}
    assert (events[-1].n_inputs, max(each.n_inputs_done for each in events)) == (5, 4)
    assert len(analyze(inputs, tmp_path / "alone", workers=2).skipped) == 4, "the number of workers changes no row"


def test_a_lost_worker_is_a_failure_of_its_file(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = analyze(photos, out, engine=FakeEngine({1: "the process died"}))
    assert code_of(result) == 1
    bad = str(photos / "one" / "b.png")
    assert failures(out)[1:] == [[bad, "JobError", f"{bad}: the process died", "one_b.png.parquet"]]
    assert len(result.tables) == 2


def test_an_error_of_mien_on_one_file_does_not_stop_the_others(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.open_run

    def broken(media: Any, selection: Any) -> Any:
        if media.path.name == "a.png":
            raise ZeroDivisionError("a bug")
        return whole(media, selection)

    monkeypatch.setattr(run, "open_run", broken)
    result = analyze(photos, tmp_path / "out")
    assert code_of(result) == 1
    assert [failure.error for failure in result.failures] == ["ZeroDivisionError"]
    assert "please report it: a bug" in result.failures[0].reason
    with pytest.raises(ZeroDivisionError):
        analyze(photos / "a.png", tmp_path / "other")


@pytest.mark.skipif(os.name != "posix", reason="a full disk of this kind is POSIX")
def test_a_place_that_cannot_be_written_stops_the_run(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "one_b.png.parquet").mkdir(parents=True)
    with pytest.raises(OutputError, match="it is a folder"):
        analyze(photos, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one_b.png.parquet"], "found before the work"


def test_workers_need_a_folder(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="several workers cannot share one table; give a folder"):
        analyze(photos, tmp_path / "all.csv", workers=2)
    assert code_of(analyze(photos / "a.png", tmp_path / "one.csv", workers=2)) == 0
