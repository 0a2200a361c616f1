# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.affect import AdaptiveRate, Smoothing
from mien.core import (
    AnalyzerConfig,
    ConfigError,
    FeatureOptions,
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

KINDS = (AnalyzerConfig, VideoOptions, Outputs, JobOptions, FeatureOptions)
FIELDS = [(kind, one) for kind in KINDS for one in fields(kind)]


@pytest.mark.parametrize(("kind", "one"), FIELDS, ids=lambda value: getattr(value, "name", None))
def test_every_field_says_what_the_command_line_and_resume_need(kind: type, one: Any) -> None:
    info = option_info(one)
    assert info.help.endswith(".")
    assert info.help[0].isupper()
    assert info.flag.startswith("--")
    assert bool(info.metavar) is not isinstance(one.default, bool)
    assert f"{one.name}: {info.help}" in (kind.__doc__ or "")


def test_no_name_and_no_flag_occurs_twice() -> None:
    for names in ([one.name for _, one in FIELDS], [option_info(one).flag for _, one in FIELDS]):
        assert len(set(names)) == len(names)


def test_a_field_that_was_not_made_by_option_is_a_mistake_of_the_programmer() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Plain:
        every: int = field(default=1, metadata={"option": "text"})

    with pytest.raises(TypeError, match="every was not made by option"):
        option_info(fields(Plain)[0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AnalyzerConfig(threads=0), "threads must be at least 1, got 0"),
        (lambda: AnalyzerConfig(threads="2"), "threads must be at least 1, got '2'"),
        (lambda: AnalyzerConfig(min_quality=-0.1), "min_quality must be from 0 to 1, got -0.1"),
        (lambda: AnalyzerConfig(min_quality=float("nan")), "min_quality must be from 0 to 1, got nan"),
        (lambda: AnalyzerConfig(faces="best"), "faces must be all, largest"),
        (lambda: AnalyzerConfig(faces="person=p1"), "persons are named in a table"),
        (lambda: VideoOptions(every=0), "every must be at least 1, got 0"),
        (lambda: VideoOptions(every=True), "every must be at least 1, got True"),
        (lambda: VideoOptions(start_s=-1), "start_s must be at least 0, got -1"),
        (lambda: VideoOptions(start_s=float("nan")), "start_s must be at least 0, got nan"),
        (lambda: VideoOptions(start_s=3, stop_s=3), "the range from 3 s to 3 s is empty"),
        (lambda: VideoOptions(stop_s=0), "the range from 0 s to 0 s is empty"),
        (lambda: VideoOptions(stop_s=float("nan")), "the range from 0 s to nan s is empty"),
        (lambda: Outputs(anonymous=True), "anonymous changes the overlay; name a file for it"),
        (lambda: JobOptions(workers=0), "workers must be at least 1, got 0"),
        (lambda: FeatureOptions(crops=True, audio="egemaps"), "crops have no sound"),
    ],
)
def test_what_makes_no_sense_is_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        build()


def test_numbers_of_numpy_count_as_numbers() -> None:
    assert VideoOptions(every=np.int64(2), stop_s=np.float32(1.5)).every == 2


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
    with pytest.raises(ConfigError, match="every must be at least 1"):
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


def test_an_object_is_no_name() -> None:
    assert not AnalyzerConfig(landmark_model=Path("net")).holds_objects
    assert AnalyzerConfig(landmark_model=object()).holds_objects
    assert AnalyzerConfig(detector=object()).holds_objects


def test_rows_depend_on_what_decides_their_content_alone() -> None:
    decisive = {"detector", "landmark_model", "runtime", "faces", "min_quality", "landmarks"}
    decisive |= {"start_s", "stop_s", "every", "smooth", "adaptive"}
    assert set(row_options(AnalyzerConfig(), VideoOptions(), Outputs(), JobOptions())) == decisive


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
