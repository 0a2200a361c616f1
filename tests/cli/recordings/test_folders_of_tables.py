# SPDX-License-Identifier: Apache-2.0
"""Whatever takes a table also takes the folder that ``mien analyze`` wrote."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mien.results import RunManifest, read_table
from tests.helpers.affect_tables import steady, write_frames


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tables of two clips of one name, as a run leaves them, and a table of another origin."""
    folder = tmp_path / "results"
    folder.mkdir()
    now = datetime(2026, 5, 1, tzinfo=UTC)
    for place in ("anna", "ben"):
        path = folder / f"{place}_clip.mp4.csv"
        write_frames(path, {f"clips/{place}/clip.mp4": steady(12, 10, (0, "fear", 0.1, 0.9))})
        RunManifest(bundle_name="tiny", bundle_sha256="ab" * 32, arguments={}, started=now, finished=now).save(path)
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    return folder


def test_summarize_tells_clips_of_one_name_apart(mien, folder: Path, tmp_path: Path) -> None:
    ended = mien("summarize", folder, "--out", tmp_path / "s.csv")
    assert ended.code == 0, ended.err
    assert "anna/clip.mp4" in ended.out
    assert "ben/clip.mp4" in ended.out
    with (tmp_path / "s.csv").open() as file:
        sources = [row["source"] for row in csv.DictReader(file)]
    assert sources == ["clips/anna/clip.mp4"] * 2 + ["clips/ben/clip.mp4"] * 2


@pytest.mark.parametrize(
    "command", [["convert"], ["smooth", "--va", "3"], ["compound", "--half-width", "0"], ["tracks", "--merge", "0=x"]]
)
def test_new_tables_hold_all_of_a_folder(mien, folder: Path, tmp_path: Path, command: list[str]) -> None:
    name, *options = command
    more = ["--source", "clips/anna/clip.mp4"] if name == "tracks" else []
    ended = mien(name, folder, *options, *more, "--out", tmp_path / "new.jsonl")
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text().splitlines()]
    assert [row["source"] for row in rows] == ["clips/anna/clip.mp4"] * 12 + ["clips/ben/clip.mp4"] * 12


def test_other_outputs_hold_all_of_a_folder(mien, folder: Path, tmp_path: Path) -> None:
    assert mien("tracks", folder).out.count("clip.mp4") == 2
    assert mien("report", folder, "--out", tmp_path / "r.html", "--no-frames").code == 0
    assert "clip.mp4 and 1 more" in (tmp_path / "r.html").read_text("utf-8")
    assert mien("convert", folder, "--to", "openface", "--out", tmp_path / "of").code == 0
    assert len(list((tmp_path / "of").glob("*.csv"))) == 2


def test_a_new_table_in_the_folder_is_not_read_as_one_of_the_run(mien, folder: Path) -> None:
    for name in ("first.csv", "second.csv"):
        assert mien("convert", folder, "--out", folder / name).code == 0
        assert read_table(folder / name).num_rows == 24


@pytest.mark.parametrize("name", ["summarize", "report", "smooth", "tracks", "convert", "compound"])
def test_a_folder_without_tables_is_named(mien, tmp_path: Path, name: str) -> None:
    options = {"report": ["--out", "r.html"], "smooth": ["--va", "3", "--out", "x.csv"]}
    options |= {each: ["--out", "x.csv"] for each in ("convert", "compound")}
    (tmp_path / "empty").mkdir()
    ended = mien(name, tmp_path / "empty", *(str(tmp_path / o) if "." in o else o for o in options.get(name, [])))
    assert ended.code == 3
    assert "is a folder without a table of mien analyze" in ended.err
