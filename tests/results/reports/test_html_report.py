# SPDX-License-Identifier: Apache-2.0
"""The page of a report; its contents are tested beside, and in a browser with the pipeline."""

import json
from pathlib import Path
from typing import Any

import pytest

from mien.core import ConfigError, InputError
from mien.results import render_report
from tests.helpers.affect_tables import steady, write_frames


def data_of(page: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    return values


def test_the_page_holds_every_table_and_no_mark_is_left(tmp_path: Path) -> None:
    frames = steady(5, 10, (0, "fear", 0.1, 0.3))
    tables = [write_frames(tmp_path / f"{name}.parquet", {f"{name}.mp4": frames}) for name in ("a", "b", "c")]
    page = render_report(tables, thresholds=lambda table: {"AU12": 0.2} if table.stem == "b" else {})
    data = data_of(page)
    assert data["title"] == "a.mp4 and 2 more"
    assert [source["name"] for source in data["sources"]] == ["a.mp4", "b.mp4", "c.mp4"]
    assert [source["thresholds"]["AU12"] for source in data["sources"]] == [0.5, 0.2, 0.5]
    assert not [mark for mark in ("@MEDIA@", "@STYLE@", "@SCRIPT@", "@DATA@") if mark in page]
    assert len(data["facts"]) == 3


def test_a_name_cannot_end_the_data(tmp_path: Path) -> None:
    table = write_frames(tmp_path / "t.parquet", {"</script><b>": steady(3, 10, (0, "fear", 0.1, 0.3))})
    page = render_report([table])
    assert "</script><b>" not in page
    assert data_of(page)["sources"][0]["name"] == "</script><b>"


@pytest.mark.parametrize("name", ["@SCRIPT@", "@STYLE@", "@DATA@", "@MEDIA@"])
def test_a_name_cannot_be_a_mark_of_the_page(tmp_path: Path, name: str) -> None:
    page = render_report([write_frames(tmp_path / "t.parquet", {name: steady(3, 10, (0, "fear", 0.1, 0.3))})])
    assert data_of(page)["sources"][0]["name"] == name
    assert page.endswith("</html>\n")


def test_only_a_page_that_plays_videos_may_load_one(tmp_path: Path) -> None:
    table = write_frames(tmp_path / "t.parquet", {"a.mp4": steady(3, 10, (0, "fear", 0.1, 0.3))})
    silent, playing = render_report([table]), render_report([table], playback=lambda *_: "a%20b.mp4")
    assert "media-src" not in silent
    assert "media-src data: 'self' file:;" in playing
    assert "nothing is loaded or sent" in data_of(silent)["subtitle"]
    assert "a%20b.mp4" in data_of(playing)["subtitle"]


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv"):
        render_report([tmp_path / "gone.csv"])
    with pytest.raises(ConfigError, match="must end in"):
        render_report([tmp_path / "t.xlsx"])
