# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from mien.affect import AdaptiveRate, Smoothing
from mien.core import (
    AnalyzerConfig,
    ConfigError,
    JobOptions,
    Outputs,
    VideoOptions,
    option,
    option_info,
    options_json,
    read_options,
    refuse_unused,
    row_options,
    with_shortcuts,
)


def test_a_field_that_was_not_made_by_option_is_a_mistake_of_the_programmer() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Plain:
        every: int = field(default=1, metadata={"option": "text"})

    with pytest.raises(TypeError, match="every was not made by option"):
        option_info(fields(Plain)[0])


def test_shortcuts_go_to_the_options_that_have_them_and_leave_the_rest() -> None:
    given = VideoOptions(stop_s=3.0)
    analyzer, video = with_shortcuts({"every": 2, "threads": 1}, AnalyzerConfig(), given)
    assert (analyzer, video) == (AnalyzerConfig(threads=1), VideoOptions(every=2, stop_s=3.0))
    assert given.every == 1
    assert with_shortcuts({}, given) == (given,)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evry", "unknown option 'evry'; did you mean 'every'?"),
        ("zzz", "unknown option 'zzz'; known are adaptive, every"),
    ],
)
def test_an_unknown_shortcut_names_near_ones(name: str, message: str) -> None:
    with pytest.raises(TypeError) as error:
        with_shortcuts({name: 1}, VideoOptions())
    assert str(error.value).startswith(message)


def test_a_shortcut_is_checked_like_a_field() -> None:
    with pytest.raises(ConfigError, match="every must be from 1 to"):
        with_shortcuts({"every": 0}, VideoOptions())


def test_options_without_effect_are_refused() -> None:
    refuse_unused(VideoOptions(every=2), ("every",), "features")
    with pytest.raises(ConfigError, match="features has no use for smooth='va=5'; leave it out"):
        refuse_unused(VideoOptions(every=2, smooth="va=5"), ("every",), "features")


def test_json_holds_paths_settings_and_objects_as_text() -> None:
    class OwnDetector:
        pass

    plain = options_json(
        AnalyzerConfig(model=Path("a") / "b", detector=OwnDetector()),
        VideoOptions(smooth=Smoothing(va=5), adaptive=AdaptiveRate(strides=(25, 1))),
    )
    assert plain["model"] == str(Path("a") / "b")
    assert plain["detector"] == "OwnDetector"
    assert plain["smooth"] == str(Smoothing(va=5))
    assert plain["adaptive"] == "25,1@0.8"
    assert plain["threads"] is None


def test_options_come_back_from_json() -> None:
    analyzer = AnalyzerConfig(threads=2, landmark_model=None, min_quality=0.25)
    video = VideoOptions(start_s=1.5, every=3, smooth="va=5")
    outputs = Outputs(table="t.parquet", overlay="o.mp4", anonymous=True)
    arguments = {"inputs": ["a.mp4"], **options_json(analyzer, video, outputs, JobOptions())}
    assert read_options(AnalyzerConfig, arguments) == analyzer
    assert read_options(VideoOptions, arguments) == video
    assert read_options(Outputs, arguments) == outputs


def test_names_of_earlier_versions_are_read() -> None:
    arguments = {"points": "none", "out": "t.parquet", "every": 2, "detector_sha256": None}
    assert read_options(AnalyzerConfig, arguments) == AnalyzerConfig(landmark_model=None)
    assert read_options(Outputs, arguments) == Outputs(table="t.parquet")


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="the arguments of the run: every must be int, got 'two'"):
        read_options(VideoOptions, {"every": "two"})


def test_a_new_field_needs_no_second_place() -> None:
    @dataclass(frozen=True, kw_only=True)
    class MirroredVideo(VideoOptions):
        mirror: bool = field(default=False, metadata=option("Mirror every frame.", "--mirror"))

    (video,) = with_shortcuts({"mirror": True}, MirroredVideo())
    assert video.mirror
    assert options_json(video)["mirror"] is True
    assert row_options(video)["mirror"] is True
    assert read_options(MirroredVideo, options_json(video)) == video
