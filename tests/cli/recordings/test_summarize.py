# SPDX-License-Identifier: Apache-2.0
"""``mien summarize`` as the shell sees it."""

from pathlib import Path


def test_the_essentials_are_shown(mien, clip: Path, tmp_path: Path) -> None:
    strange = clip.rename(clip.with_name("a [red]b.mp4"))
    mien("analyze", strange, "--out", tmp_path / "t.csv")
    ended = mien("summarize", tmp_path / "t.csv", "--out", tmp_path / "s.csv", "--window", "0.5")
    assert ended.code == 0
    for word in ("a [red]b.mp4", "all faces", "track 0", "100%", "happiness 100%", "0.5 - "):
        assert word in ended.out, word
    assert ended.err.endswith(f"wrote {tmp_path / 's.csv'}\n")
    assert (tmp_path / "s.csv").read_text().startswith("table,source,scope,")


def test_what_is_no_table_is_named(mien, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    ended = mien("summarize", tmp_path / "t.csv")
    assert ended.code == 3
    assert f"failed: {tmp_path / 't.csv'} is no affect table of mien" in ended.err
    assert ended.out == ""


def test_a_window_of_no_length_is_wrong_usage(mien, tmp_path: Path) -> None:
    ended = mien("summarize", tmp_path / "t.csv", "--window", "0")
    assert ended.code == 2
    assert "a window must be longer than 0 s" in ended.err
