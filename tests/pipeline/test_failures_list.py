# SPDX-License-Identifier: Apache-2.0
"""``failures.csv`` beside a single table: what could not be read, kept while true; a file of the user stays."""

import csv
import threading
from pathlib import Path

import pytest

from mien import analyze
from mien.results import locked_folder


def _listed(folder: Path) -> list[str]:
    with (folder / "failures.csv").open(newline="") as file:
        return [Path(row["source"]).name for row in csv.DictReader(file)]


def _empty(path: Path) -> Path:
    path.touch()
    return path


def test_failures_of_a_single_table_are_listed_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    analyze(_empty(tmp_path / "a.mp4"), out / "a.csv")
    analyze([_empty(tmp_path / "b.jpg"), tmp_path / "a.mp4"], out / "b.parquet")
    assert _listed(out) == ["b.jpg", "a.mp4"]
    (tmp_path / "b.jpg").unlink()  # then it is no failure of that folder any longer
    analyze(_empty(tmp_path / "c.mp4"), out / "c.csv")
    assert _listed(out) == ["a.mp4", "c.mp4"]
    assert sorted(path.name for path in out.iterdir()) == ["failures.csv"]


def test_runs_with_different_tables_lose_nothing_of_each_other(
    tmp_path: Path, photo: Path, encoded_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> list[tuple[str, str]]:
        with (out / "failures.csv").open(newline="") as file:
            return [(row["table"], row["source"]) for row in csv.DictReader(file)]

    out, first, second = tmp_path / "out", tmp_path / "first", tmp_path / "second"
    for folder in (out, first, second):
        folder.mkdir()
    damaged, content = first / "clip.mp4", bytearray(encoded_clip)
    hole = slice(len(content) * 6 // 10, len(content) * 7 // 10)
    content[hole] = bytes(hole.stop - hole.start)
    damaged.write_bytes(content)
    monkeypatch.chdir(first)
    analyze(["clip.mp4", _empty(Path("a.mp4"))], out / "t1.csv")
    monkeypatch.chdir(second)  # from where the same name is another file, or none
    analyze(_empty(Path("a.mp4")), out / "t2.csv")
    assert rows() == [("t1.csv", "a.mp4"), ("t1.csv", "clip.mp4"), ("t2.csv", "a.mp4")]
    analyze(damaged, out / "t3.csv", stop_s=0.1)  # whole as far as it is read
    analyze([photo], out)
    assert ("t1.csv", "clip.mp4") in rows()
    analyze(photo, out / "t1.csv")
    assert [table for table, _ in rows()] == ["t2.csv"]


def test_a_list_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    there = _empty(tmp_path / "there.mp4")
    (tmp_path / "failures.csv").write_text(f"source,error,message\r\n{there},InputError,empty\r\n")
    analyze(_empty(tmp_path / "a.mp4"), tmp_path / "a.csv")
    assert _listed(tmp_path) == ["there.mp4", "a.mp4"]


def test_no_folder_is_made_for_failures_alone(tmp_path: Path) -> None:
    analyze(_empty(tmp_path / "a.mp4"), tmp_path / "new" / "a.csv")
    assert not (tmp_path / "new").exists()


def test_a_file_of_the_user_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "failures.csv").write_text("mine\n")
    result = analyze(_empty(tmp_path / "a.mp4"), tmp_path / "a.csv")
    assert (tmp_path / "failures.csv").read_text() == "mine\n"
    assert any("not mien's list of failures" in message for message in result.messages)
    assert not analyze(tmp_path / "a.mp4", tmp_path / "Failures.csv").messages


def test_the_list_waits_for_another_run_that_ends(tmp_path: Path) -> None:
    ended = threading.Event()
    with locked_folder(tmp_path):
        run = threading.Thread(target=lambda: (analyze(_empty(tmp_path / "a.mp4"), tmp_path / "a.csv"), ended.set()))
        run.start()
        ended.wait(0.3)
    run.join()
    assert _listed(tmp_path) == ["a.mp4"]
