# SPDX-License-Identifier: Apache-2.0
"""``mien report``."""

from pathlib import Path

import pytest

from tests.helpers.affect_tables import steady, write_frames


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_frames(tmp_path / "t.parquet", {"gone.mp4": steady(4, 25, (0, "fear", 0.1, 0.2))})


def test_a_page_is_written_and_missing_videos_are_noted(mien, table: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "r.html"
    ended = mien("report", table, "--out", page)
    assert ended.code == 0
    assert "note: no key frames of gone.mp4: the file is not there; name it with --video" in ended.err
    assert ended.err.endswith(f"wrote {page}\n")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    ended = mien("report", table, table, "--out", page, "--no-frames")
    assert ended.code == 0
    assert ended.err.startswith(f"note: {table}: action units count as present from 0.5, since neither")
    assert ended.err.count("\n") == 2
    assert ended.err.endswith(f"wrote {page}\n")
    assert "gone.mp4 and 1 more" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["t.parquet", "--out", "r.pdf"], 2, "must end in .html"),
        (["t.parquet", "--out", "r.html", "--video", "a.mp4", "--no-frames"], 2, "videos are for key frames"),
        (["gone.csv", "--out", "r.html"], 3, "gone.csv"),
        (["--out", "r.html"], 2, "TABLE"),
    ],
)
def test_refusals(mien, table: Path, monkeypatch, arguments: list[str], code: int, message: str) -> None:
    monkeypatch.chdir(table.parent)
    ended = mien("report", *arguments)
    assert ended.code == code
    assert message in ended.err
    assert not list(table.parent.glob("r.*"))
