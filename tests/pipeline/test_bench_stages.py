# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import AnalyzerConfig
from mien.pipeline.bench_stages import BATCHES, BenchData, CallRecorder, EndToEnd, command_line_options
from tests.helpers.face_clips import N_FRAMES


class Doubler:
    """A model whose results are easy to foresee."""

    def __init__(self) -> None:
        self.n_calls = 0

    def detect(self, number: int) -> int:
        self.n_calls += 1
        return 2 * number

    def refine(self, number: int) -> int:
        return -number


def test_recorded_calls_are_replayed_without_the_model() -> None:
    model, recorder = Doubler(), CallRecorder()
    recording: Any = recorder.recording(model)
    assert [recording.detect(3), recording.refine(1), recording.detect(4)] == [6, -1, 8]
    assert recorder.calls == [("detect", (3,), 6), ("refine", (1,), -1), ("detect", (4,), 8)]
    for _ in range(2):
        replaying: Any = recorder.replaying(model)
        assert [replaying.detect(0), replaying.refine(0), replaying.detect(0)] == [6, -1, 8]
    assert model.n_calls == 2
    assert not hasattr(recording, "search"), "a model without a coarse search gets none"


def test_only_what_differs_from_the_defaults_is_an_option_of_the_command() -> None:
    assert command_line_options(AnalyzerConfig()) == []
    config = AnalyzerConfig(threads=2, landmark_model=None, model=Path("folder"))
    assert command_line_options(config) == ["--model", "folder", "--landmark-model", "none", "--threads", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, encoded_clip: bytes) -> BenchData:
    path = tmp_path_factory.mktemp("bench") / "clip.mp4"
    path.write_bytes(encoded_clip)
    return BenchData(path, AnalyzerConfig(threads=1))


def test_one_pass_gives_every_stage_its_input(data: BenchData) -> None:
    assert [frame.index for frame in data.frames] == list(range(N_FRAMES))
    assert (data.info.width, data.info.height) == (240, 240)
    assert 0 < data.scans_per_frame < 1


def test_every_stage_can_be_repeated(data: BenchData) -> None:
    stages = {stage.name: stage for stage in data.stages()}
    assert len(stages) == 14
    assert all(stage.n > 0 for stage in stages.values())
    assert {f"affect network and decoding, batch {size}" for size in BATCHES} <= set(stages)
    follow = stages["tracking, cuts and the rest of following"]
    first, second = follow.run(), follow.run()
    assert isinstance(first, list)
    assert isinstance(second, list)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)


def test_the_command_and_the_function_count_the_same_frames() -> None:
    runs = EndToEnd(Path("clip.mp4"), AnalyzerConfig(), 7)
    assert [(stage.unit, stage.n) for stage in runs.stages()] == [("frames", 7)] * 2
    assert runs.memory is None
