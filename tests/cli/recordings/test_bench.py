# SPDX-License-Identifier: Apache-2.0
"""``mien bench`` as the shell sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mien.inference import Memory
from mien.pipeline import BenchReport, benchmark

REPORT = BenchReport(
    clip="clip.mp4",
    width=640,
    height=480,
    n_frames=20,
    faces_per_frame=1.5,
    scans_per_frame=0.1,
    searches_per_frame=0.2,
    stages=(
        benchmark.StageTiming(
            name="decode to RGB", unit="frames", n=20, seconds=0.5, spread=0.1, cpu_seconds=0.6, to_decoding=1.0
        ),
        benchmark.StageTiming(name="affect network", unit="faces", n=10, seconds=0.1, spread=0.0, cpu_seconds=0.1),
    ),
    memory=Memory(resident_mb=80.0, peak_mb=95.0),
    machine="a machine, 2 cores",
    versions="mien 1",
    bundle="mien-light 0123",
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Arguments of `bench`, which measures nothing here."""
    calls: list[dict[str, Any]] = []

    def bench(clip: Path, **options: Any) -> BenchReport:
        calls.append({"clip": clip, **options})
        return REPORT

    monkeypatch.setattr("mien.pipeline.bench", bench)
    return calls


def test_the_table_has_a_line_per_stage(mien: Any, asked: list[dict[str, Any]]) -> None:
    ended = mien("bench", "clip.mp4", "--repeats", 5, "--threads", 1)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0] == "clip.mp4: 20 frames of 640 x 480, 1.50 faces per frame, one scan in 10 frames"
    assert "medians of 5" in lines[1]
    assert "40.0 frames/s" in lines[2]
    assert "1.000 x decoding" in lines[2]
    assert "x decoding" not in lines[3], "faces are not compared with frames"
    assert lines[4] == "memory of the command: 80 MB near its end, 95 MB at most"
    assert asked[0]["clip"] == Path("clip.mp4")
    assert (asked[0]["repeats"], asked[0]["threads"], asked[0]["model"]) == (5, 1, "mien-light")


def test_json_reads_back(mien: Any, asked: list[dict[str, Any]]) -> None:
    content = json.loads(mien("bench", "clip.mp4", "--json").out)
    assert asked[0]["landmark_model"] == "mien-points"
    assert content["stages"][0]["rate"] == 40.0
    assert content["memory"]["peak_mb"] == 95.0


def test_wrong_usage(mien: Any, tmp_path: Path) -> None:
    assert mien("bench", tmp_path / "gone.mp4", "--repeats", "0").code == 2
    ended = mien("bench", tmp_path / "gone.mp4")
    assert ended.code == 3
    assert "gone.mp4" in ended.err


def test_the_last_line_is_a_sentence_that_a_person_understands(mien: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = benchmark.StageTiming(
        name=benchmark.WHOLE_STAGE, unit="frames", n=300, seconds=0.9, spread=0.0, cpu_seconds=1.0
    )
    report = replace(REPORT, stages=(*REPORT.stages, stage), duration_s=10.8)
    monkeypatch.setattr("mien.pipeline.bench", lambda *_, **__: report)
    assert mien("bench", "clip.mp4").out.endswith("one hour of this video takes about 5 minutes here\n")
    assert json.loads(mien("bench", "clip.mp4", "--json").out)["hour_s"] == pytest.approx(300)


@pytest.mark.parametrize(
    ("hour_s", "words"), [(45, "45 seconds"), (3540, "59 minutes"), (7200, "2 hours"), (86.4, "86 seconds")]
)
def test_times_in_words(hour_s: float, words: str) -> None:
    stage = replace(REPORT.stages[0], name=benchmark.WHOLE_STAGE, seconds=hour_s)
    report = replace(REPORT, stages=(stage,), duration_s=3600.0)
    assert report.in_words() == f"one hour of this video takes about {words} here"
    assert replace(report, duration_s=None).in_words() == ""
