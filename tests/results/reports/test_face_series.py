# SPDX-License-Identifier: Apache-2.0
"""Series and coverage of faces; a report is the same whatever the size of the parts it is gathered from."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import Faces
from mien.results import Moment, Picture, read_table, render_report, save_table, table_schema
from mien.results.reports.face_series import Coverage, FaceSeries, Signal, face_signals, series_columns
from mien.results.summaries.source_parts import Part, iter_parts
from mien.results.tables.schema import expression_columns
from tests.helpers.affect_tables import NOBODY, UNITS, faces, steady, write_frames


def part_of(path: Path, frames: list[tuple[float, Faces]]) -> Part:
    (part,) = iter_parts(write_frames(path, {"a.mp4": frames}))
    return part


def codes(text: str) -> list[int]:
    return list(base64.b64decode(text))


def test_rows_of_a_face_become_points(tmp_path: Path) -> None:
    frames = [(index / 10, faces((0, "fear", value, 0.2))) for index, value in enumerate([0.0, 0.4, -1.0, 0.2])]
    recording = part_of(tmp_path / "t.parquet", frames).recording
    signals = face_signals(recording.table.schema, expression_columns(recording.table.schema))
    series = FaceSeries(signals, 2)
    series.add(recording, recording.rows_of(recording.subjects[0]), series_columns(recording, signals))
    face = series.packed()
    assert face["n_points"] == 2
    values = np.array(codes(face["values"])).reshape(len(face["channels"]), 2)
    named = dict(zip(face["channels"], values.tolist(), strict=True))
    assert named["valence"] == [150, 75]  # 250 x (mean + 1) / 2
    assert (named["valence_low"], named["valence_high"]) == ([125, 0], [175, 150])
    assert named["AU12_high"] == [50, 50]
    assert np.frombuffer(base64.b64decode(face["end_s"]), "<f4") == pytest.approx([0.2, 0.4])
    assert codes(face["breaks"]) == [1, 0]


def test_coverage_in_stretches(tmp_path: Path) -> None:
    frames = steady(8, 10, (0, "fear", 0.0, 0.1)) + [(0.8 + index / 10, NOBODY) for index in range(8)]
    part = part_of(tmp_path / "t.parquet", frames)
    for n_bins, expected in ((2, [250, 0]), (100, [250, 250, 0, 0])):  # at least four frames each
        coverage = Coverage(part, n_bins)
        coverage.add(part.recording)
        assert codes(coverage.packed()) == expected


def test_a_short_event_stays_when_rows_are_merged() -> None:
    values, first = np.array([0.1, 0.9, 0.2, 0.2]), np.array([0, 2])
    kept = {
        way: Signal(column="a", name="a", merged=way).channels(values, first, merged=True)  # type: ignore[arg-type]
        for way in ("mean", "high", "low", "range")
    }
    assert [one.tolist() for one in kept["mean"]] == [pytest.approx([0.5, 0.2])]
    assert [one.tolist() for one in kept["high"]] == [[0.9, 0.2]]
    assert [one.tolist() for one in kept["low"]] == [[0.1, 0.2]]
    assert [one.tolist() for one in kept["range"]] == [pytest.approx([0.5, 0.2]), [0.1, 0.2], [0.9, 0.2]]
    assert Signal(column="a", name="a", merged="range").names(merged=True) == ["a", "a_low", "a_high"]
    assert Signal(column="a", name="a", merged="range").names(merged=False) == ["a"]


def test_pose_quality_and_eyes_are_signals() -> None:
    with_eyes = table_schema(action_unit_labels=UNITS, n_landmarks=68)
    names = [signal.name for signal in face_signals(with_eyes, ())]
    assert names[-5:] == ["pitch", "yaw", "roll", "quality", "eyes_open"]
    without = [signal.name for signal in face_signals(table_schema(action_unit_labels=UNITS), ())]
    assert without == names[:-1]
    yaw = next(signal for signal in face_signals(with_eyes, ()) if signal.name == "yaw")
    (shares,) = yaw.channels(np.deg2rad([-90.0, 0.0, 45.0]), np.arange(3), merged=False)
    assert shares == pytest.approx([0, 0.5, 0.75])


def images(_: Path, source: str, moments: Sequence[Moment]) -> Mapping[Moment, Picture]:
    return {moment: Picture(jpeg=f"{source}: {moment}".encode(), width=16, height=9) for moment in moments}


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("max_points", [20, 100_000])
def test_parts_give_the_page_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_points: int, shuffled: bool
) -> None:
    random = np.random.default_rng(2)
    frames: list[tuple[float, Any]] = []
    for index in range(300):
        tracks = [track for track in range(3) if (index // 40 + track) % 3 and random.random() < 0.9]
        labels = [("fear", "anger")[int(random.integers(2))] for _ in tracks]
        found = [
            (track, label, random.uniform(-1, 1), random.random()) for track, label in zip(tracks, labels, strict=True)
        ]
        frames.append((index / 25 + (4 if index > 200 else 0), faces(*found) if found else NOBODY))
    sources = {"a.mp4": frames, "b.jpg": frames[:1], "c.mp4": frames[:30]}
    path = write_frames(tmp_path / "t.parquet", sources)
    monkeypatch.setattr("mien.results.reports.report_content._MAX_POINTS", max_points)
    whole = render_report([path], images=images)
    if shuffled:
        table = read_table(path)
        save_table(path, table.take(np.random.default_rng(0).permutation(len(table))))
        whole = render_report([path], images=images)
    monkeypatch.setattr("mien.results.summaries.source_parts.EXACT_ROWS", 16)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 5)
    assert render_report([path], images=images) == whole
