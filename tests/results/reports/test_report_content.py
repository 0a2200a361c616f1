# SPDX-License-Identifier: Apache-2.0
"""The contents of a report, piece by piece."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mien.results import Moment, Picture
from mien.results.reports import report_content as content
from mien.results.summaries.source_parts import iter_parts
from tests.helpers.affect_tables import NOBODY, faces, steady, write_frames


def pictured(_: Path, source: str, moments: Sequence[Moment]) -> Mapping[Moment, Picture]:
    return {moment: Picture(jpeg=f"{source} {moment.frame}".encode(), width=320, height=180) for moment in moments}


def text_of(image: str) -> str:
    return base64.b64decode(image.partition(",")[2]).decode()


def content_of(path: Path, frames: list, source: str = "clips/a.mp4", **options: Any) -> content.ReportContent:
    table = write_frames(path, {source: frames})
    gathered = content.ReportContent(len(frames), pictured, **options)
    gathered.add(table, iter_parts(table), {})
    return gathered


def test_every_track_and_every_row_of_the_summary_has_a_picture(tmp_path: Path) -> None:
    frames = [(index / 10, faces((7, "fear", 0, 0), (3, "anger", 0, 0))) for index in range(8)]
    frames += [(0.8, faces((7, "fear", 0, 0)))]
    (source,) = content_of(tmp_path / "t.parquet", frames).values()["sources"]
    assert [face["name"] for face in source["subjects"]] == ["track 7", "track 3"]
    assert all(text_of(face["portrait"]["image"]).startswith("clips/a.mp4 ") for face in source["subjects"])
    assert source["table"]["subjects"] == [None, 0, 1]
    assert [row[0] for row in source["table"]["rows"]] == ["all faces", "track 7", "track 3"]
    assert len(source["strip"]) == 8  # the last two of nine places show the last frame
    assert source["strip_ratio"] == pytest.approx(16 / 9)


def test_the_title_is_the_name_of_the_clip(tmp_path: Path) -> None:
    frames = steady(3, 10, (0, "fear", 0.1, 0.3))
    assert content_of(tmp_path / "t.parquet", frames).title == "a.mp4"
    assert content_of(tmp_path / "w.parquet", frames, source="C:\\clips\\b.mp4").title == "b.mp4"
    table = write_frames(tmp_path / "u.parquet", {"x/a.mp4": frames, "photo.jpg": frames[:1], "c.mp4": frames})
    gathered = content.ReportContent(9, None)
    gathered.add(table, iter_parts(table), {})
    assert gathered.title == "a.mp4 and 2 more"
    assert content.ReportContent(0, None).title == ""


def test_a_recording_without_a_face_says_how_many_frames(tmp_path: Path) -> None:
    (source,) = content_of(tmp_path / "t.parquet", [(index / 10, NOBODY) for index in range(5)]).values()["sources"]
    assert (source["n_frames"], source["n_faces"], source["subjects"]) == (5, 0, [])
    assert len(source["strip"]) == 4  # what the camera saw instead


def test_units_have_names(tmp_path: Path) -> None:
    values = content_of(tmp_path / "t.parquet", steady(20, 10, (0, "fear", 0, 0.9))).values()
    assert values["unit_names"] == {"AU01": "AU01 inner brow raiser", "AU12": "AU12 lip corner puller"}
    assert values["sources"][0]["table"]["rows"][1][-1].startswith("AU12 lip corner puller 100%")


def test_what_plays_a_recording(tmp_path: Path) -> None:
    frames = steady(3, 10, (0, "fear", 0.1, 0.3))
    linked = content_of(tmp_path / "t.parquet", frames, playback=lambda _, source: f"../{source}")
    assert linked.values()["sources"][0]["video"] == "../clips/a.mp4"
    assert linked.linked == ["../clips/a.mp4"]
    held = content_of(tmp_path / "u.parquet", frames, playback=lambda *_: "data:video/mp4;base64,AA==")
    assert held.linked == []


def test_pictures_are_asked_for_and_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_MAX_IMAGES", 4)
    monkeypatch.setattr(content, "_MAX_STRIP_IMAGES", 12)
    asked: list[tuple[str, int]] = []

    def pictures(table: Path, source: str, moments: Sequence[Moment]) -> Mapping[Moment, Picture]:
        asked.append((f"{table.name}: {source}", sum(moment.box is not None for moment in moments)))
        return dict.fromkeys(moments, Picture(jpeg=b"jpeg", width=4, height=3))

    gathered = content.ReportContent(9, pictures)
    for name in ("a", "b", "c"):
        frames = [(0.0, faces((0, "fear", 0, 0))), (0.1, faces((0, "anger", 0, 0)))]
        table = write_frames(tmp_path / f"{name}.parquet", {name: frames})
        gathered.add(table, iter_parts(table), {"AU12": 0.3})
    # A portrait and two peaks each, one call for all of them; the strip of each recording is a part of what remains.
    assert asked == [("a.parquet: a", 3), ("b.parquet: b", 1), ("c.parquet: c", 0)]
    assert [len(source["strip"]) for source in gathered.values()["sources"]] == [1, 1, 1]
    values = gathered.values()
    assert values["sources"][0]["thresholds"] == {"AU01": 0.5, "AU12": 0.3}
    assert values["expressions"][0] == "neutral"
    assert values["sources"][0]["subjects"][0]["frames"][0]["image"] == "data:image/jpeg;base64,anBlZw=="


def test_photos_of_one_name_are_told_apart(tmp_path: Path) -> None:
    photo = [(0.0, faces((-1, "fear", 0, 0)))]
    table = write_frames(tmp_path / "t.parquet", dict.fromkeys(("a/x.jpg", "b/x.jpg", "b/y.jpg"), photo))
    gathered = content.ReportContent(3, None)
    gathered.add(table, iter_parts(table), {})
    assert [source["name"] for source in gathered.values()["sources"]] == ["a/x.jpg", "b/x.jpg", "y.jpg"]
