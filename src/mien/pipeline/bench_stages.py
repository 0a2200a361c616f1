# SPDX-License-Identifier: Apache-2.0
"""The stages that `bench` measures, each as work that can be done again and again on the same material."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mien.affect import Analyzer, Decoder, cut_faces
from mien.core import Frame, MienError
from mien.faces import (
    Detections,
    FaceFollower,
    SearchingDetector,
    create_detector,
    create_landmark_model,
    load_quality_model,
    quality_signals,
)
from mien.inference import Memory, process_memory
from mien.media import VideoFrame, VideoInfo, open_video
from mien.pipeline.analyze import analyze
from mien.pipeline.media_run import schema_for_analyzer
from mien.results import TableWriter

BATCHES = (1, 16)
"""Faces a call of the affect net."""

# What the frames that are kept for the single stages may take: as decoded, in gray and in colour.
_KEPT_BYTES, _BYTES_A_PIXEL = 256e6, 1.5 + 1 + 3
_MAX_KEPT = 200
_N_SEARCHED = 10
_N_AFFECT = 64
_POLL_S = 0.01
# Methods of detectors and readers whose answers are noted.
_MODEL_METHODS = ("detect", "read", "refine", "search")


@dataclass(frozen=True, kw_only=True)
class BenchStage:
    """A stage that can be repeated.

    Attributes:
        name: for people.
        unit: what is counted.
        n: units a repetition, above 0.
        run: one repetition.
    """

    name: str
    unit: str
    n: int
    run: Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """What is measured.

    Attributes:
        clip: the video.
        model: as `mien.Analyzer` takes it.
        landmark_model: as `mien.Analyzer` takes it.
        runtime: as `mien.Analyzer` takes it.
        threads: as `mien.Analyzer` takes it.
    """

    clip: Path
    model: str | Path
    landmark_model: str
    runtime: str
    threads: int | None

    def analyzer(self) -> Analyzer:
        """With the models loaded."""
        return Analyzer(self.model, landmark_model=self.landmark_model, runtime=self.runtime, threads=self.threads)


class BenchData:
    """A clip once through every stage: what each of them is fed.

    Args:
        settings: what is measured.

    Attributes:
        info: about the clip.
        answers: what the analyzer says of every frame.
        scans_per_frame: how often the detector looked at a whole frame, as the clip's first frames need it.
        searches_per_frame: how often it searched more coarsely, beside the faces that it knew.

    Raises:
        InputError: the clip cannot be read.
    """

    def __init__(self, settings: BenchSettings) -> None:
        self._settings = settings
        self.analyzer = settings.analyzer()
        self.answers: list[Frame] = list(self.analyzer.video(settings.clip))
        with open_video(settings.clip) as video:
            self.info: VideoInfo = video.info
            room = int(_KEPT_BYTES / (_BYTES_A_PIXEL * video.info.width * video.info.height))
            self._frames: list[VideoFrame] = list(islice(video, max(1, min(room, _MAX_KEPT))))
        self._in_gray = self.analyzer.spec.input.colour == "gray"
        self._detector = create_detector("mtcnn", threads=settings.threads)
        self._reader = create_landmark_model(settings.landmark_model, runtime=settings.runtime)
        self._seen = CallRecorder()
        self._read = CallRecorder()
        # Whatever colours the detector asks for are made here, so that no stage below pays for them.
        self._found = _follow(
            self._frames,
            self._seen.noting(self._detector),
            None if self._reader is None else self._read.noting(self._reader),
        )
        called = Counter(name for name, _, _ in self._seen.calls)
        self.scans_per_frame = called["detect"] / len(self._frames)
        self.searches_per_frame = called["search"] / len(self._frames)

    def works(self) -> Iterator[BenchStage]:
        """Every stage from decoding to `Analyzer.video`; those without anything to do in this clip are left out."""
        stages = (*self._decoding(), *self._faces(), *self._affect(), self._table(), self._end_to_end())
        return (work for work in stages if work.n)

    def _decoding(self) -> Iterator[BenchStage]:
        pixels: tuple[tuple[str, Callable[[VideoFrame], object]], ...] = (
            ("decode, frames dropped", lambda _: None),
            ("decode to gray", lambda frame: frame.gray),
            ("decode to RGB", lambda frame: frame.image),
        )
        for name, touch in pixels:
            yield BenchStage(name=name, unit="frames", n=len(self.answers), run=_decode(self._settings.clip, touch))

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
        known = [arguments for name, arguments, _ in self._seen.calls if name == "search"][:_N_SEARCHED]
        if isinstance(detector, SearchingDetector):
            yield BenchStage(
                name="search for new faces beside known ones",
                unit="searches",
                n=len(known),
                run=lambda: [detector.search(image, boxes) for image, boxes in known],
            )
        reader = self._reader
        if reader is not None:
            reads = [arguments for _, arguments, _ in self._read.calls]
            yield BenchStage(
                name="read 68 points and pose",
                unit="faces",
                n=sum(len(landmarks) for _, landmarks in reads),
                run=lambda: [reader.read(image, landmarks) for image, landmarks in reads],
            )
        yield BenchStage(
            name="tracking, cuts and the rest of following",
            unit="frames",
            n=len(self._frames),
            run=lambda: _follow(
                self._frames,
                self._seen.repeating(self._detector),
                None if reader is None else self._read.repeating(reader),
            ),
        )
        yield BenchStage(
            name="find and follow faces, all together",
            unit="frames",
            n=len(self._frames),
            run=lambda: _follow(self._frames, self._detector, reader),
        )

    def _affect(self) -> Iterator[BenchStage]:
        spec, bundle = self.analyzer.spec, self.analyzer.bundle
        decode, judge = Decoder(spec), load_quality_model()
        pictures = [frame.gray if self._in_gray else frame.image for frame in self._frames]

        def cut() -> list[Any]:
            crops = []
            for picture, found in zip(pictures, self._found, strict=True):
                crops.append(cut_faces(picture, found, spec))
                judge(quality_signals(picture.shape[:2], found, crops[-1]))
            return crops

        crops = np.concatenate(cut())
        yield BenchStage(name="align, cut and judge quality", unit="faces", n=len(crops), run=cut)

        def affect(size: int) -> Callable[[], object]:
            stack = np.resize(crops, (size, *crops.shape[1:]))
            return lambda: [decode(bundle.run(stack)) for _ in range(_N_AFFECT // size)]

        for size in BATCHES if len(crops) else ():
            name = f"affect net and its answers, batch {size}"
            yield BenchStage(name=name, unit="faces", n=_N_AFFECT, run=affect(size))

    def _table(self) -> BenchStage:
        schema = schema_for_analyzer(self.analyzer)

        def write() -> None:
            with tempfile.TemporaryDirectory() as folder, TableWriter(Path(folder) / "table.parquet", schema) as table:
                for frame in self.answers:
                    table.append(self._settings.clip, frame)

        return BenchStage(name="write the table", unit="frames", n=len(self.answers), run=write)

    def _end_to_end(self) -> BenchStage:
        return BenchStage(
            name="Analyzer.video, all stages overlapping",
            unit="frames",
            n=len(self.answers),
            run=lambda: _drain(self.analyzer.video(self._settings.clip)),
        )


class EndToEnd:
    """`mien analyze` as Python and as a shell call it.

    Args:
        settings: what is measured.
        n_frames: of the clip.

    Attributes:
        memory: of the process of the last run, shortly before its end, and its peak; None where it is not told.
    """

    def __init__(self, settings: BenchSettings, n_frames: int) -> None:
        self._settings = settings
        self._n_frames = n_frames
        self.memory: Memory | None = None

    def works(self) -> Iterator[BenchStage]:
        """In this process, and in one of its own."""
        yield BenchStage(
            name="mien.analyze, models loaded and table written", unit="frames", n=self._n_frames, run=self._in_process
        )
        yield BenchStage(
            name="mien analyze as a command, start included", unit="frames", n=self._n_frames, run=self._as_command
        )

    def _in_process(self) -> None:
        one = self._settings
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "table.parquet"
            analyze(
                one.clip,
                target,
                model=one.model,
                landmark_model=one.landmark_model,
                runtime=one.runtime,
                threads=one.threads,
            )

    def _as_command(self) -> None:
        """Raise `MienError` where the command fails."""
        one = self._settings
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
            command = [sys.executable, "-P", "-m", "mien", "analyze", os.fspath(one.clip)]
            command += [
                "--out",
                f"{folder}/table.parquet",
                "--model",
                str(one.model),
                "--landmark-model",
                one.landmark_model,
            ]
            command += ["--runtime", one.runtime]
            if one.threads is not None:
                command += ["--threads", str(one.threads)]
            process = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
            try:
                while process.poll() is None:
                    self.memory = process_memory(process.pid) or self.memory
                    time.sleep(_POLL_S)
            finally:
                process.kill()
                process.wait()
            if process.returncode not in (0, 1):  # 1: the clip is damaged, which this process has survived as well
                said.seek(0)
                raise MienError(f"{' '.join(command)} failed: {said.read().decode(errors='replace').strip()}")


class CallRecorder:
    """The calls of a model, and their answers to be given once more at no cost.

    Attributes:
        calls: (name of the method, its arguments, its answer) in order.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], Detections]] = []

    def noting(self, model: Any) -> Any:
        """The model, its calls noted."""

        def noted(name: str) -> Callable[..., Detections]:
            def call(*arguments: Any) -> Detections:
                answer: Detections = getattr(model, name)(*arguments)
                self.calls.append((name, arguments, answer))
                return answer

            return call

        return SimpleNamespace(**{name: noted(name) for name in _MODEL_METHODS if hasattr(model, name)})

    def repeating(self, model: Any) -> Any:
        """Something in the model's place that gives its answers in their order."""
        waiting = iter(self.calls)

        def repeat(*_: Any) -> Detections:
            return next(waiting)[2]

        return SimpleNamespace(**{name: repeat for name in _MODEL_METHODS if hasattr(model, name)})


def _follow(frames: Iterable[VideoFrame], detector: Any, reader: Any) -> list[Detections]:
    follower = FaceFollower(detector, reader)
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
