# SPDX-License-Identifier: Apache-2.0
"""`bench` measures every stage of a real clip, and leaves out those that a clip has nothing for."""

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mien.core import AnalyzerConfig, ConfigError, InputError, MienError
from mien.pipeline.bench_stages import EndToEnd
from mien.pipeline.benchmark import BenchReport, bench
from tests.helpers.face_clips import N_FRAMES, write_clip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, face: npt.NDArray[np.uint8]) -> BenchReport:
    return bench(write_clip(tmp_path_factory.mktemp("bench") / "clip.mp4", face), repeats=1, threads=1)


def test_every_stage_is_measured(report: BenchReport) -> None:
    assert (report.width, report.height, report.n_frames) == (240, 240, N_FRAMES)
    assert report.faces_per_frame == 1
    assert 0 < report.scans_per_frame < 1
    names = [stage.name for stage in report.stages]
    assert len(set(names)) == len(names) == 16
    assert names[0] == "decode, frames dropped"
    assert report.stages[0].to_decoding == 1
    for stage in report.stages:
        assert stage.seconds > 0
        assert stage.rate == pytest.approx(stage.n / stage.seconds)
        assert (stage.to_decoding is None) == (stage.unit != "frames")
    # Faces are counted where faces are what is worked on: one a frame here, and the first is read when it was found.
    counts = {stage.name: stage.n for stage in report.stages}
    assert counts["align, crop and estimate quality"] == N_FRAMES
    assert counts["predict 68 landmarks and pose"] >= N_FRAMES


def test_the_command_is_worked_by_another_process(report: BenchReport) -> None:
    command = next(stage for stage in report.stages if stage.name.startswith("mien analyze"))
    inside = next(stage for stage in report.stages if stage.name.startswith("mien.analyze"))
    assert command.seconds > inside.seconds  # it imports and loads everything that this process has already
    if sys.platform.startswith("linux"):
        assert report.memory is not None
        assert 50 < report.memory.resident_mb <= report.memory.peak_mb


def test_json_has_the_keys_that_readers_know(report: BenchReport) -> None:
    content = json.loads(json.dumps(report.to_json()))
    known = {"clip", "width", "height", "n_frames", "faces_per_frame", "stages", "machine", "versions", "bundle"}
    assert known <= content.keys()
    assert {"name", "unit", "n", "seconds", "spread", "to_decoding", "rate"} <= content["stages"][0].keys()


def test_without_a_face_the_stages_of_faces_are_left_out(tmp_path: Path) -> None:
    empty = write_clip(tmp_path / "empty.mp4", np.full((120, 160, 3), 90, np.uint8), n_frames=5)
    report = bench(empty, repeats=1, threads=1)
    assert report.faces_per_frame == 0
    # Nothing moves: after the first frame nothing is searched.
    assert {stage.unit for stage in report.stages} == {"frames", "scans"}
    assert report.searches_per_frame == 0


def test_without_a_landmark_net(clip: Path) -> None:
    report = bench(clip, repeats=1, threads=1, landmark_model="none")
    assert not any("68" in stage.name for stage in report.stages)
    assert report.faces_per_frame == 1


def test_what_cannot_be_measured(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        bench(tmp_path / "nowhere.mp4")
    with pytest.raises(ConfigError, match="repeats"):
        bench(clip, repeats=0)


def test_a_command_that_fails_says_why(clip: Path) -> None:
    config = AnalyzerConfig(model="no-such-bundle", landmark_model="none")
    _, command = EndToEnd(clip, config, N_FRAMES).stages()
    with pytest.raises(MienError, match="no-such-bundle"):
        command.run()
