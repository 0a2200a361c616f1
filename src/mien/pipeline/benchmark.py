# SPDX-License-Identifier: Apache-2.0
"""Measures the speed of every stage, side by side in one run on one clip."""

from __future__ import annotations

import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien._version import __version__
from mien.affect import opencv_on_one_thread
from mien.core import AnalyzerConfig, PathName, check_number, refuse_unused, with_shortcuts
from mien.inference import Memory, machine_name
from mien.pipeline.bench_stages import WHOLE_STAGE, BenchData, BenchStage, EndToEnd

MAX_REPEATS = 1000
"""Highest number of repetitions of a benchmark: hours on a short clip."""

BENCH_OPTIONS = ("model", "landmark_model", "runtime", "threads")
"""Fields of `AnalyzerConfig` that `bench` uses."""


@dataclass(frozen=True, kw_only=True)
class StageTiming:
    """Speed of one stage.

    Attributes:
        name: Name of the stage.
        unit: Name of the counted unit, such as ``"frames"``.
        n: Number of units per repetition.
        seconds: Median time of a repetition, in seconds.
        spread: (slowest - fastest) / median of the repetitions.
        cpu_seconds: Median CPU time of all threads and processes, in seconds; it grows less than ``seconds`` where
            other programs keep the machine busy.
        to_decoding: Rate relative to decoding alone in this run; None where the units differ.
    """

    name: str
    unit: str
    n: int
    seconds: float
    spread: float
    cpu_seconds: float
    to_decoding: float | None = None

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.n / self.seconds


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """Result of `bench`.

    Attributes:
        clip: Path of the video.
        width: Width of a frame in pixels.
        height: Height of a frame in pixels.
        n_frames: Number of frames of the clip.
        faces_per_frame: Mean number of faces per frame.
        scans_per_frame: Full runs of the detector per frame.
        searches_per_frame: Coarse runs of the detector per frame, beside faces that are known.
        stages: Stages in the order of the data; those without work in this clip are absent.
        memory: Memory of a process that runs ``mien analyze`` on this clip, shortly before its end; None where the
            system does not give it.
        machine: Processor, usable cores and operating system.
        versions: Versions of mien and Python, and the runtime.
        bundle: Name of the bundle and the beginning of its digest.
        duration_s: Time that the frames of the clip take, in seconds; None if that is unknown.
    """

    clip: str
    width: int
    height: int
    n_frames: int
    faces_per_frame: float
    scans_per_frame: float
    searches_per_frame: float
    stages: tuple[StageTiming, ...]
    memory: Memory | None
    machine: str
    versions: str
    bundle: str
    duration_s: float | None = None

    @property
    def hour_s(self) -> float | None:
        """Seconds that one hour of such video takes once models are loaded; None if the clip's duration is unknown."""
        whole = next((stage for stage in self.stages if stage.name == WHOLE_STAGE), None)
        return None if whole is None or not self.duration_s else 3600 * whole.seconds / self.duration_s

    def in_words(self) -> str:
        """What the numbers mean for a user, in one sentence; empty where that is unknown.

        Examples:
            >>> stage = StageTiming(name=WHOLE_STAGE, unit="frames", n=300, seconds=0.9, spread=0, cpu_seconds=1.2)
            >>> facts = dict.fromkeys(("clip", "machine", "versions", "bundle"), "")
            >>> numbers = dict.fromkeys(("width", "height", "n_frames", "faces_per_frame"), 1)
            >>> numbers |= dict.fromkeys(("scans_per_frame", "searches_per_frame"), 1)
            >>> BenchReport(stages=(stage,), memory=None, duration_s=10.8, **facts, **numbers).in_words()
            'one hour of this video takes about 5 minutes here'
        """
        if self.hour_s is None:
            return ""
        number, unit = self.hour_s, "second"
        for longer, size in (("minute", 90), ("hour", 90)):
            if number >= size:
                number, unit = number / 60, longer
        rounded = float(f"{number:.2g}")
        return f"one hour of this video takes about {rounded:g} {unit}{'' if rounded == 1 else 's'} here"

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers, with rates."""
        content = asdict(self)
        for stage, plain in zip(self.stages, content["stages"], strict=True):
            plain["rate"] = stage.rate
        content["hour_s"] = self.hour_s
        return content


def bench(
    clip: PathName,
    *,
    repeats: int = 3,
    analyzer: AnalyzerConfig | None = None,
    **shortcuts: Any,
) -> BenchReport:
    """Measure decoding, each stage on data in memory, all stages together, and ``mien analyze`` as a command.

    The stages take turns in each repetition, so that a machine that warms up or gets busy affects all alike.

    Args:
        clip: Video with faces; without a face most stages have no work.
        repeats: Number of repetitions; medians are reported.
        analyzer: Model, landmark model, runtime and threads; the other fields are refused.
        **shortcuts: Fields of `AnalyzerConfig` by name, such as ``threads=1``.

    Raises:
        InputError: The clip cannot be read.
        ConfigError: ``repeats`` is not from 1 to `MAX_REPEATS`, or an option is unknown or has no effect.
        ModelError: A model is missing or damaged.
        MissingExtraError: The runtime is not installed.
        MienError: The command fails where the same run in Python does not.
        TypeError: `AnalyzerConfig` has no field of that name.
    """
    check_number("repeats", repeats, 1, MAX_REPEATS)
    (config,) = with_shortcuts(shortcuts, analyzer or AnalyzerConfig())
    refuse_unused(config, BENCH_OPTIONS, "bench")
    data = BenchData(Path(clip), config)
    runs = EndToEnd(Path(clip), config, len(data.frames))
    stages = [*data.stages(), *runs.stages()]
    times: list[list[tuple[float, float]]] = [[] for _ in stages]
    with opencv_on_one_thread():  # as in a video: else its helpers still spin while the next stage is timed
        for _ in range(repeats):
            for stage, seconds in zip(stages, times, strict=True):
                seconds.append(_timed(stage))
    decoding = stages[0].n / statistics.median(wall for wall, _ in times[0])
    bundle = data.analyzer.bundle
    return BenchReport(
        clip=os.fspath(clip),
        width=data.info.width,
        height=data.info.height,
        n_frames=len(data.frames),
        faces_per_frame=statistics.fmean(len(frame.faces) for frame in data.frames),
        scans_per_frame=data.scans_per_frame,
        searches_per_frame=data.searches_per_frame,
        stages=tuple(_timing(stage, seconds, decoding) for stage, seconds in zip(stages, times, strict=True)),
        memory=runs.memory,
        machine=machine_name(),
        versions=f"mien {__version__}, Python {platform.python_version()}, {config.runtime}",
        bundle=f"{bundle.spec.name} {bundle.digest[:12]}",
        duration_s=data.duration_s,
    )


def _timed(stage: BenchStage) -> tuple[float, float]:
    """Wall time and CPU time of one repetition, in seconds."""
    started, cpu_started = time.perf_counter(), _cpu_s()
    stage.run()
    return time.perf_counter() - started, _cpu_s() - cpu_started


def _cpu_s() -> float:
    """CPU seconds of this process and of its finished child processes (not on Windows)."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _timing(stage: BenchStage, times: list[tuple[float, float]], decoding: float) -> StageTiming:
    walls = [wall for wall, _ in times]
    middle = statistics.median(walls)
    return StageTiming(
        name=stage.name,
        unit=stage.unit,
        n=stage.n,
        seconds=middle,
        spread=(max(walls) - min(walls)) / middle,
        cpu_seconds=statistics.median(cpu for _, cpu in times),
        to_decoding=stage.n / middle / decoding if stage.unit == "frames" else None,
    )
