# SPDX-License-Identifier: Apache-2.0
"""Portraits, peaks and the frame strip of a recording."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core import Faces
from mien.results.reports.face_series import face_signals, series_columns
from mien.results.reports.moments import FrameStrip, KeyMoments, Picture
from mien.results.summaries.source_parts import Part, iter_parts
from mien.results.tables.schema import expression_columns
from tests.helpers.affect_tables import NOBODY, faces, steady, write_frames


def part_of(path: Path, frames: list[tuple[float, Faces]]) -> Part:
    (part,) = iter_parts(write_frames(path, {"a.mp4": frames}))
    return part


def key_moments(part: Part) -> KeyMoments:
    recording = part.recording
    labels = expression_columns(recording.table.schema)
    found = KeyMoments(labels)
    signals = face_signals(recording.table.schema, labels)
    found.add(recording, recording.rows_of(recording.subjects[0]), series_columns(recording, signals))
    return found


def test_moments_are_the_peaks_of_expressions(tmp_path: Path) -> None:
    frames = [(0.0, faces((0, "fear", 0, 0))), (0.1, faces((0, "anger", 0, 0))), (0.2, faces((0, "fear", 0, 0)))]
    found = key_moments(part_of(tmp_path / "t.parquet", frames))
    moments = found.chosen(5)
    assert [(moment.frame, moment.label) for moment in moments] == [(0, "fear 0.86"), (1, "anger 0.86")]
    assert moments[0].box == (0, 0, 9, 9)
    assert [moment.label for moment in found.chosen(1)] == ["anger 0.86"]


def test_the_portrait_is_where_quality_is_highest(tmp_path: Path) -> None:
    def seen(quality: float, confidence: float) -> Faces:
        one = faces((0, "fear", 0, 0))
        return replace(one, quality=np.array([quality]), confidence=np.array([confidence]))

    frames = [(0.0, seen(0.2, 0.9)), (0.1, seen(0.7, 0.5)), (0.2, seen(np.nan, 1.0))]
    portrait = key_moments(part_of(tmp_path / "t.parquet", frames)).portrait()
    assert portrait is not None
    assert portrait.frame == 1
    unknown = [(0.0, seen(np.nan, 0.5)), (0.1, seen(np.nan, 0.8))]
    portrait = key_moments(part_of(tmp_path / "u.parquet", unknown)).portrait()
    assert portrait is not None
    assert portrait.frame == 1  # by the detector's confidence


def test_a_face_without_a_clear_expression_has_a_portrait_and_no_moments(tmp_path: Path) -> None:
    one = faces((0, "fear", 0, 0))
    flat = replace(one, expression=np.full((1, 8), 0.125))
    found = key_moments(part_of(tmp_path / "t.parquet", [(0.0, flat), (0.1, flat)]))
    assert found.chosen(5) == []
    assert found.portrait() is not None


@pytest.mark.parametrize("rows_per_group", [3, 1000])
def test_a_frame_strip_has_frames_at_equal_distances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_per_group: int
) -> None:
    monkeypatch.setattr("mien.results.summaries.source_parts.EXACT_ROWS", rows_per_group)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", rows_per_group)
    frames = steady(10, 10, (0, "fear", 0.0, 0.1)) + [(1 + index / 10, NOBODY) for index in range(10)]
    path = write_frames(tmp_path / "t.parquet", {"a.mp4": frames})
    strip = None
    for part in iter_parts(path):
        strip = strip or FrameStrip(part, 4)
        strip.add(part)
    assert strip is not None
    assert [moment.frame for moment in strip.moments] == [3, 8, 13, 18]  # the first ones at or after 0.25, 0.75, ... s
    assert {moment.box for moment in strip.moments} == {None}


def test_a_short_recording_shows_every_frame_once(tmp_path: Path) -> None:
    part = part_of(tmp_path / "t.parquet", steady(3, 10, (0, "fear", 0.0, 0.1)))
    strip = FrameStrip(part, 40)
    strip.add(part)
    assert [moment.frame for moment in strip.moments] == [1, 2]
    none = FrameStrip(part, 0)
    none.add(part)
    assert none.moments == []


def test_the_ratio_of_a_picture() -> None:
    assert Picture(jpeg=b"", width=160, height=90).ratio == pytest.approx(16 / 9)
