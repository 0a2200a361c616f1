# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import (
    AnalyzerConfig,
    ConfigError,
    FeatureOptions,
    JobOptions,
    Outputs,
    VideoOptions,
    option_info,
    row_options,
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


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AnalyzerConfig(threads=0), "threads must be from 1 to 1,024, got 0"),
        (lambda: AnalyzerConfig(threads="2"), "threads must be from 1 to 1,024, got '2'"),
        (lambda: AnalyzerConfig(min_quality=-0.1), "min_quality must be from 0 to 1, got -0.1"),
        (lambda: AnalyzerConfig(min_quality=float("nan")), "min_quality must be from 0 to 1, got nan"),
        (lambda: AnalyzerConfig(faces="best"), "faces must be all, largest"),
        (lambda: AnalyzerConfig(faces="person=p1"), "persons are named in a table"),
        (lambda: VideoOptions(every=0), "every must be from 1 to 1,000,000, got 0"),
        (lambda: VideoOptions(every=True), "every must be from 1 to 1,000,000, got True"),
        (lambda: VideoOptions(start_s=-1), "start_s must be from 0 to 100,000,000, got -1"),
        (lambda: VideoOptions(start_s=float("nan")), "start_s must be from 0 to 100,000,000, got nan"),
        (lambda: VideoOptions(start_s=3, stop_s=3), "the range from 3 s to 3 s is empty"),
        (lambda: VideoOptions(stop_s=0), "the range from 0 s to 0 s is empty"),
        (lambda: VideoOptions(stop_s=float("nan")), "stop_s must be from 0 to 100,000,000, got nan"),
        (lambda: Outputs(anonymous=True), "anonymous changes the overlay; name a file for it"),
        (lambda: VideoOptions(stop_s=float("inf")), "stop_s must be from 0 to 100,000,000, got inf"),
        (lambda: VideoOptions(start_s=-float("inf")), "start_s must be from 0 to 100,000,000, got -inf"),
        (lambda: VideoOptions(every=10**400), "every must be from 1 to 1,000,000, got 1000"),
        (lambda: VideoOptions(every=2.5), "every must be a whole number from 1 to 1,000,000, got 2.5"),
        (lambda: AnalyzerConfig(threads=100_000), "threads must be from 1 to 1,024, got 100000"),
        (lambda: JobOptions(workers=10**6), "workers must be from 1 to 1,024, got 1000000"),
        (lambda: Outputs(table=""), "table is empty; name a file or a folder"),
        (lambda: Outputs(report="a\0.html"), "report holds a null character"),
        (lambda: JobOptions(workers=0), "workers must be from 1 to 1,024, got 0"),
        (lambda: FeatureOptions(crops=True, audio="egemaps"), "crops have no sound"),
    ],
)
def test_what_makes_no_sense_is_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        build()


def test_numbers_of_numpy_count_as_numbers() -> None:
    assert VideoOptions(every=np.int64(2), stop_s=np.float32(1.5)).every == 2


def test_an_object_is_no_name() -> None:
    assert not AnalyzerConfig(landmark_model=Path("net")).holds_objects
    assert AnalyzerConfig(landmark_model=object()).holds_objects
    assert AnalyzerConfig(detector=object()).holds_objects


def test_rows_depend_on_what_decides_their_content_alone() -> None:
    decisive = {
        "detector",
        "landmark_model",
        "runtime",
        "faces",
        "min_quality",
        "va",
        "views",
        "landmarks",
        "intervals",
    }
    decisive |= {"start_s", "stop_s", "every", "smooth", "adaptive"}
    assert set(row_options(AnalyzerConfig(), VideoOptions(), Outputs(), JobOptions())) == decisive


def test_a_voice_is_not_anonymous() -> None:
    with pytest.raises(ConfigError, match="a voice is not anonymous"):
        Outputs(overlay="o.mp4", anonymous=True, sound=True)
    with pytest.raises(ConfigError, match="sound is for the overlay"):
        Outputs(sound=True)
