# SPDX-License-Identifier: Apache-2.0
"""`bench`: how fast every stage is, side by side in one run on one clip."""

from __future__ import annotations

import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien._version import __version__
from mien.affect.analyzer import opencv_on_one_thread
from mien.core import ConfigError
from mien.faces import DEFAULT_LANDMARK_MODEL
from mien.inference import DEFAULT_BUNDLE, Memory, machine_name
from mien.pipeline.bench_stages import BenchData, BenchSettings, BenchStage, EndToEnd


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One measured stage.

    Attributes:
        name: of the stage.
        unit: what is counted.
        n: units a repetition.
        seconds: median over the repetitions.
        spread: (slowest - fastest) / median of the repetitions.
        cpu_seconds: median of what all threads and processes worked together; grows less than ``seconds`` where other
            programs keep the machine busy.
        to_decoding: rate relative to decoding alone in this run; None where the units differ.
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
        """Units a second."""
        return self.n / self.seconds


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """What `bench` measured.

    Attributes:
        clip: the file.
        width: pixels.
        height: pixels.
        n_frames: of the clip.
        faces_per_frame: mean.
        scans_per_frame: how often the detector looked at a whole frame.
        searches_per_frame: how often it searched more coarsely, beside the faces that it knew.
        stages: in the order of the data; those that this clip has nothing for are absent.
        memory: of a process that is ``mien analyze`` on this clip, shortly before its end; None where the system does
            not tell.
        machine: processor, cores that may be used, system.
        versions: of mien, Python and the runtime.
        bundle: name and beginning of the digest.
    """

    clip: str
    width: int
    height: int
    n_frames: int
    faces_per_frame: float
    scans_per_frame: float
    searches_per_frame: float
    stages: tuple[Stage, ...]
    memory: Memory | None
    machine: str
    versions: str
    bundle: str

    def to_json(self) -> dict[str, Any]:
        """Plain lists, dicts and numbers, with rates."""
        content = asdict(self)
        for stage, plain in zip(self.stages, content["stages"], strict=True):
            plain["rate"] = stage.rate
        return content


def bench(
    clip: str | os.PathLike[str],
    *,
    repeats: int = 3,
    model: str | Path = DEFAULT_BUNDLE,
    landmark_model: str = DEFAULT_LANDMARK_MODEL,
    runtime: str = "onnxruntime",
    threads: int | None = None,
) -> BenchReport:
    """Measure decoding, each stage on material in memory, the whole way, and `mien analyze` as a command.

    The stages take turns in each repetition, so that a machine that warms up or gets busy spoils all alike.

    Args:
        clip: a video; one with faces, or most stages have nothing to do.
        repeats: repetitions; medians are reported.
        model: name or folder of a bundle.
        landmark_model: name or folder of a landmark net, or ``"none"``.
        runtime: see `mien.inference.RUNTIMES`.
        threads: of each model; None for every core.

    Raises:
        InputError: the clip cannot be read.
        ConfigError: ``repeats`` is below 1.
        ModelError: a model is missing or damaged.
        MissingExtraError: the runtime is not installed.
        MienError: the command fails where the same by Python does not.
    """
    if repeats < 1:
        raise ConfigError(f"repeats must be at least 1, got {repeats}")
    settings = BenchSettings(
        clip=Path(clip), model=model, landmark_model=landmark_model, runtime=runtime, threads=threads
    )
    material = BenchData(settings)
    runs = EndToEnd(settings, len(material.answers))
    works = [*material.works(), *runs.works()]
    times: list[list[tuple[float, float]]] = [[] for _ in works]
    with opencv_on_one_thread():  # as in a video: else its helpers still spin while the next stage is timed
        for _ in range(repeats):
            for work, seconds in zip(works, times, strict=True):
                seconds.append(_timed(work))
    decoding = works[0].n / statistics.median(wall for wall, _ in times[0])
    bundle = material.analyzer.bundle
    return BenchReport(
        clip=os.fspath(clip),
        width=material.info.width,
        height=material.info.height,
        n_frames=len(material.answers),
        faces_per_frame=statistics.fmean(len(frame.faces) for frame in material.answers),
        scans_per_frame=material.scans_per_frame,
        searches_per_frame=material.searches_per_frame,
        stages=tuple(_stage(work, seconds, decoding) for work, seconds in zip(works, times, strict=True)),
        memory=runs.memory,
        machine=machine_name(),
        versions=f"mien {__version__}, Python {platform.python_version()}, {runtime}",
        bundle=f"{bundle.spec.name} {bundle.digest[:12]}",
    )


def _timed(work: BenchStage) -> tuple[float, float]:
    """Seconds that one repetition took by the clock, and by the processor."""
    started, cpu_started = time.perf_counter(), _cpu_s()
    work.run()
    return time.perf_counter() - started, _cpu_s() - cpu_started


def _cpu_s() -> float:
    """CPU seconds of this process and of those that it started and that are over (not on Windows)."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _stage(work: BenchStage, times: list[tuple[float, float]], decoding: float) -> Stage:
    walls = [wall for wall, _ in times]
    middle = statistics.median(walls)
    return Stage(
        name=work.name,
        unit=work.unit,
        n=work.n,
        seconds=middle,
        spread=(max(walls) - min(walls)) / middle,
        cpu_seconds=statistics.median(cpu for _, cpu in times),
        to_decoding=work.n / middle / decoding if work.unit == "frames" else None,
    )
