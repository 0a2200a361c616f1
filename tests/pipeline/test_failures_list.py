# SPDX-License-Identifier: Apache-2.0
"""``failures.csv`` beside a single table: what could not be read, kept while true; a file of the user stays."""

import csv
import threading
from pathlib import Path

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
