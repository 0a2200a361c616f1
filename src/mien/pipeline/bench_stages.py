# SPDX-License-Identifier: Apache-2.0
"""Prepares the stages that `bench` times, each as work that can be repeated on the same data."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mien.affect import Analyzer, Decoder, GeometryModel, cut_faces
from mien.core import AnalyzerConfig, Frame, MienError, option_info
from mien.faces import (
    Detections,
    FaceFollower,
    SearchingDetector,
    create_detector,
    create_landmark_model,
    face_quality,
)
from mien.inference import Memory, process_memory
from mien.media import VideoFrame, VideoInfo, open_video
from mien.pipeline.analyze import analyze
from mien.pipeline.media_run import schema_for_analyzer
from mien.results import TableWriter

BATCHES = (1, 16)
"""Numbers of faces per call of the affect network."""

# Limit of the memory of frames that are kept for the single stages: as decoded, in gray and in colour.
_KEPT_BYTES, _BYTES_A_PIXEL = 256e6, 1.5 + 1 + 3
_MAX_KEPT = 200
_N_SEARCHED = 10
_N_AFFECT = 64
_POLL_S = 0.01
# Methods of detectors and landmark models whose results are recorded.
_MODEL_METHODS = ("detect", "read", "refine", "search")


WHOLE_STAGE = "Analyzer.video, all stages overlapping"
"""Name of the stage that does all of the work of a video, with models that are loaded."""


@dataclass(frozen=True, kw_only=True)
class BenchStage:
    """A stage that can be repeated.

    Attributes:
        name: Name of the stage in the report.
        unit: Name of the counted unit, such as ``"frames"``.
        n: Number of units per repetition, above 0.
        run: Runs one repetition.
    """

    name: str
    unit: str
    n: int
    run: Callable[[], object]


class BenchData:
    """Inputs of every stage, from one pass over a clip.

    Args:
        clip: Path of the video.
        config: Models and how they run.

    Attributes:
        info: Facts about the clip.
        frames: Every frame with its predictions.
        scans_per_frame: Full runs of the detector per frame, in the first frames of the clip.
        searches_per_frame: Coarse runs of the detector per frame, beside faces that are known.

    Raises:
        InputError: The clip cannot be read.
    """

    def __init__(self, clip: Path, config: AnalyzerConfig) -> None:
        self._clip = clip
        self.analyzer = Analyzer(config)
        self.frames: list[Frame] = list(self.analyzer.video(clip))
        with open_video(clip) as video:
            self.info: VideoInfo = video.info
            room = int(_KEPT_BYTES / (_BYTES_A_PIXEL * video.info.width * video.info.height))
            self._frames: list[VideoFrame] = list(islice(video, max(1, min(room, _MAX_KEPT))))
        self._in_gray = self.analyzer.spec.input.colour == "gray"
        self._detector = create_detector("mtcnn", threads=config.threads)
        self._landmark_model = create_landmark_model(config.landmark_model, runtime=config.runtime)
        self._detector_calls = CallRecorder()
        self._landmark_calls = CallRecorder()
        # Colour conversions that the detector needs are made and kept here, so that no stage below pays for them.
        self._found = _follow(
            self._frames,
            self._detector_calls.recording(self._detector),
            None if self._landmark_model is None else self._landmark_calls.recording(self._landmark_model),
        )
        called = Counter(name for name, _, _ in self._detector_calls.calls)
        self.scans_per_frame = called["detect"] / len(self._frames)
        self.searches_per_frame = called["search"] / len(self._frames)

    @property
    def duration_s(self) -> float | None:
        """Time that the frames take, in seconds; None for a single frame."""
        n = len(self.frames)
        return (self.frames[-1].time_s - self.frames[0].time_s) * n / (n - 1) if n > 1 else None

    def stages(self) -> Iterator[BenchStage]:
        """Every stage from decoding to `Analyzer.video`; those without work in this clip are left out."""
        stages = (*self._decoding(), *self._faces(), *self._affect(), self._table(), self._end_to_end())
        return (stage for stage in stages if stage.n)

    def _decoding(self) -> Iterator[BenchStage]:
        pixels: tuple[tuple[str, Callable[[VideoFrame], object]], ...] = (
            ("decode, frames dropped", lambda _: None),
            ("decode to gray", lambda frame: frame.gray),
            ("decode to RGB", lambda frame: frame.image),
        )
        for name, touch in pixels:
            yield BenchStage(name=name, unit="frames", n=len(self.frames), run=_decode(self._clip, touch))

    def _faces(self) -> Iterator[BenchStage]:
        step = max(1, len(self._frames) // _N_SEARCHED)
        searched = [frame.image for frame in self._frames[::step][:_N_SEARCHED]]
        yield BenchStage(
            name="search a whole frame for faces",
            unit="scans",
            n=len(searched),
            run=lambda: [self._detector.detect(image) for image in searched],
        )
        detector = self._detector
        known = [arguments for name, arguments, _ in self._detector_calls.calls if name == "search"][:_N_SEARCHED]
        if isinstance(detector, SearchingDetector):
            yield BenchStage(
                name="search for new faces beside known ones",
                unit="searches",
                n=len(known),
                run=lambda: [detector.search(image, boxes) for image, boxes in known],
            )
        landmark_model = self._landmark_model
        if landmark_model is not None:
            reads = [arguments for _, arguments, _ in self._landmark_calls.calls]
            yield BenchStage(
                name="predict 68 landmarks and pose",
                unit="faces",
                n=sum(len(landmarks) for _, landmarks in reads),
                run=lambda: [landmark_model.read(image, landmarks) for image, landmarks in reads],
            )
        yield BenchStage(
            name="tracking, cuts and the rest of following",
            unit="frames",
            n=len(self._frames),
            run=lambda: _follow(
                self._frames,
                self._detector_calls.replaying(self._detector),
                None if landmark_model is None else self._landmark_calls.replaying(landmark_model),
            ),
        )
        yield BenchStage(
            name="find and follow faces, all together",
            unit="frames",
            n=len(self._frames),
            run=lambda: _follow(self._frames, self._detector, landmark_model),
        )

    def _affect(self) -> Iterator[BenchStage]:
        spec, bundle = self.analyzer.spec, self.analyzer.bundle
        decode, model = Decoder(spec), self.analyzer.quality_model
        images = [frame.gray if self._in_gray else frame.image for frame in self._frames]

        def cut() -> list[Any]:
            crops = []
            for image, found in zip(images, self._found, strict=True):
                crops.append(cut_faces(image, found, spec))
                face_quality(model, image.shape[:2], found, crops[-1])
            return crops

        crops = np.concatenate(cut())
        yield BenchStage(name="align, crop and estimate quality", unit="faces", n=len(crops), run=cut)

        def affect(size: int) -> Callable[[], object]:
            stack = np.resize(crops, (size, *crops.shape[1:]))
            return lambda: [decode(bundle.run(stack)) for _ in range(_N_AFFECT // size)]

        for size in BATCHES if len(crops) else ():
            name = f"affect network and decoding, batch {size}"
            yield BenchStage(name=name, unit="faces", n=_N_AFFECT, run=affect(size))
        landmarks = [found.landmarks[[row]] for found in self._found for row in range(len(found))]
        if self._landmark_model is not None and landmarks:
            geometry = GeometryModel()
            faces = [landmarks[number % len(landmarks)] for number in range(_N_AFFECT)]
            yield BenchStage(
                name="valence and arousal by geometry, one by one",
                unit="faces",
                n=len(faces),
                run=lambda: [geometry.predict(each) for each in faces],
            )

    def _table(self) -> BenchStage:
        schema = schema_for_analyzer(self.analyzer)

        def write() -> None:
            with tempfile.TemporaryDirectory() as folder, TableWriter(Path(folder) / "table.parquet", schema) as table:
                for frame in self.frames:
                    table.append(self._clip, frame)

        return BenchStage(name="write the table", unit="frames", n=len(self.frames), run=write)

    def _end_to_end(self) -> BenchStage:
        return BenchStage(
            name=WHOLE_STAGE,
            unit="frames",
            n=len(self.frames),
            run=lambda: _drain(self.analyzer.video(self._clip)),
        )


class EndToEnd:
    """`mien analyze` called from Python and as a command.

    Args:
        clip: Path of the video.
        config: Models and how they run.
        n_frames: Number of frames of the clip.

    Attributes:
        memory: Memory of the process of the last run shortly before its end, and its peak; None where the system does
            not give it.
    """

    def __init__(self, clip: Path, config: AnalyzerConfig, n_frames: int) -> None:
        self._clip = clip
        self._config = config
        self._n_frames = n_frames
        self.memory: Memory | None = None

    def stages(self) -> Iterator[BenchStage]:
        """In this process, and in one of its own."""
        yield BenchStage(
            name="mien.analyze, models loaded and table written", unit="frames", n=self._n_frames, run=self._in_process
        )
        yield BenchStage(
            name="mien analyze as a command, start included", unit="frames", n=self._n_frames, run=self._as_command
        )

    def _in_process(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            analyze(self._clip, Path(folder) / "table.parquet", analyzer=self._config)

    def _as_command(self) -> None:
        """Raise `MienError` where the command fails."""
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
            command = [sys.executable, "-P", "-m", "mien", "analyze", os.fspath(self._clip)]
            command += ["--out", f"{folder}/table.parquet", *command_line_options(self._config)]
            process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
            try:
                while process.poll() is None:
                    self.memory = process_memory(process.pid) or self.memory
                    time.sleep(_POLL_S)
            finally:
                process.kill()
                process.wait()
            if process.returncode not in (0, 1):  # 1: the clip is damaged, which this process has survived as well
                output.seek(0)
                raise MienError(f"{' '.join(command)} failed: {output.read().decode(errors='replace').strip()}")


class CallRecorder:
    """Records the calls of a model and replays their results at no cost.

    Attributes:
        calls: (name of the method, its arguments, its result) in order.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], Detections]] = []

    def recording(self, model: Any) -> Any:
        """The model, with its calls recorded."""

        def recorded(name: str) -> Callable[..., Detections]:
            def call(*arguments: Any) -> Detections:
                result: Detections = getattr(model, name)(*arguments)
                self.calls.append((name, arguments, result))
                return result

            return call

        return SimpleNamespace(**{name: recorded(name) for name in _MODEL_METHODS if hasattr(model, name)})

    def replaying(self, model: Any) -> Any:
        """A stand-in for the model that gives the recorded results in their order."""
        waiting = iter(self.calls)

        def replay(*_: Any) -> Detections:
            return next(waiting)[2]

        return SimpleNamespace(**{name: replay for name in _MODEL_METHODS if hasattr(model, name)})


def command_line_options(config: AnalyzerConfig) -> list[str]:
    """Options of the command line for every field that differs from its default."""
    changed = [one for one in fields(config) if getattr(config, one.name) != one.default]
    return [text for one in changed for text in (option_info(one).flag, str(getattr(config, one.name)))]


def _follow(frames: Iterable[VideoFrame], detector: Any, landmark_model: Any) -> list[Detections]:
    follower = FaceFollower(detector, landmark_model)
    return [follower.follow(frame)[0] for frame in frames]


def _decode(clip: Path, touch: Callable[[VideoFrame], object]) -> Callable[[], None]:
    def run() -> None:
        with open_video(clip) as video:
            for frame in video:
                touch(frame)

    return run


def _drain(frames: Any) -> None:
    with closing(frames):
        for _ in frames:
            pass
