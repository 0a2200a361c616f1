# SPDX-License-Identifier: Apache-2.0
"""`bench`: how fast every stage is, side by side in one run on one clip."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mien._version import __version__
from mien.affect import Analyzer, cut_faces
from mien.core import ConfigError
from mien.faces import Detections, FaceFollower, create_detector
from mien.inference import DEFAULT_BUNDLE, load_bundle, machine_name
from mien.media import open_video
from mien.pipeline.analyze import analyze

# Frames that the single stages are fed from memory.
_N_FRAMES_KEPT = 200
_BATCHES = (1, 16)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One measured stage.

    Attributes:
        name: of the stage.
        unit: what is counted.
        n: units a repetition.
        seconds: median over the repetitions.
        spread: (slowest - fastest) / median of the repetitions.
        to_decoding: rate relative to decoding alone in this run; None where the units differ.
    """

    name: str
    unit: str
    n: int
    seconds: float
    spread: float
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
        stages: in the order of the data.
        machine: processor, cores that may be used, system.
        versions: of mien, Python and the runtime.
        bundle: name and beginning of the digest.
    """

    clip: str
    width: int
    height: int
    n_frames: int
    faces_per_frame: float
    stages: tuple[Stage, ...]
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
    runtime: str = "onnxruntime",
    threads: int | None = None,
) -> BenchReport:
    """Measure decoding, faces, crops, the affect net, and the whole way to the table.

    The stages take turns in each repetition, so that a machine that warms up or gets busy spoils all alike.

    Args:
        clip: a video with at least one face.
        repeats: repetitions; medians are reported.
        model: name or folder of a bundle.
        runtime: see `mien.inference.RUNTIMES`.
        threads: of each model; None for every core.

    Raises:
        InputError: the clip cannot be read.
        ConfigError: there is no face in it, or ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ConfigError(f"repeats must be at least 1, got {repeats}")
    bundle = load_bundle(model, runtime=runtime, threads=threads)
    analyzer = Analyzer(model, runtime=runtime, threads=threads)
    detector = create_detector("mtcnn", threads=threads)
    with open_video(clip) as video:
        info, frames = video.info, list(islice(video, _N_FRAMES_KEPT))
    counts = [len(frame.faces) for frame in analyzer.video(clip)]
    found = _follow(detector, frames)
    spec = bundle.spec
    crops = np.concatenate([cut_faces(frame.image, faces, spec) for frame, faces in zip(frames, found, strict=True)])
    if not len(crops):
        raise ConfigError(f"{clip}: no face in its first {len(frames)} frames; choose a clip with a face")
    stacks = {size: np.resize(crops, (size, *crops.shape[1:])) for size in _BATCHES}

    def affect(size: int) -> Callable[[], object]:
        return lambda: [bundle.run(stacks[size]) for _ in range(64 // size)]

    def whole() -> None:
        with tempfile.TemporaryDirectory() as folder:
            analyze(clip, Path(folder) / "table.parquet", model=model, runtime=runtime, threads=threads)

    works: list[tuple[str, str, int, Callable[[], object]]] = [
        ("decode to RGB", "frames", len(counts), lambda: _drain(open_video(clip))),
        ("find and follow faces", "frames", len(frames), lambda: _follow(detector, frames)),
        (
            "align and cut",
            "faces",
            len(crops),
            lambda: [cut_faces(frame.image, faces, spec) for frame, faces in zip(frames, found, strict=True)],
        ),
        *((f"affect net, batch {size}", "faces", 64, affect(size)) for size in _BATCHES),
        ("decode, faces and affect together", "frames", len(counts), lambda: _drain(analyzer.video(clip))),
        ("mien analyze, models loaded and table written", "frames", len(counts), whole),
    ]
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for (_, _, _, work), seconds in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
    decoding = len(counts) / statistics.median(times[0])
    return BenchReport(
        clip=os.fspath(clip),
        width=info.width,
        height=info.height,
        n_frames=len(counts),
        faces_per_frame=statistics.fmean(counts),
        stages=tuple(
            _stage(name, unit, n, seconds, decoding) for (name, unit, n, _), seconds in zip(works, times, strict=True)
        ),
        machine=machine_name(),
        versions=f"mien {__version__}, Python {platform.python_version()}, {runtime}",
        bundle=f"{spec.name} {bundle.digest[:12]}",
    )


def _stage(name: str, unit: str, n: int, seconds: list[float], decoding: float) -> Stage:
    middle = statistics.median(seconds)
    return Stage(
        name=name,
        unit=unit,
        n=n,
        seconds=middle,
        spread=(max(seconds) - min(seconds)) / middle,
        to_decoding=n / middle / decoding if unit == "frames" else None,
    )


def _drain(items: Iterable[object]) -> None:
    for _ in items:
        pass


def _follow(detector: Any, frames: Iterable[Any]) -> list[Detections]:
    follower = FaceFollower(detector)
    return [follower.update(frame.image, frame.time_s)[0] for frame in frames]
