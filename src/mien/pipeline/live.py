# SPDX-License-Identifier: Apache-2.0
"""`live`: faces of a camera as they happen, and the table of a live run. Frames that come too fast are dropped."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from mien.affect import Analyzer
from mien.core import ConfigError, Frame
from mien.faces import DEFAULT_LANDMARK_MODEL
from mien.inference import DEFAULT_BUNDLE
from mien.media import FrameSource, VideoFrame, find_inputs, open_camera, open_video
from mien.pipeline.media_run import schema_for_analyzer
from mien.results import InputRecord, RunManifest, TableWriter


class LiveTable:
    """Takes the answers of a live run; a context manager.

    Args:
        path: the table; its ending chooses the format.
        analyzer: whose answers come.
        source: of the frames.

    Raises:
        ConfigError: the ending is unknown.
        OutputError: the place cannot be written.
    """

    def __init__(self, path: Path, analyzer: Analyzer, source: FrameSource) -> None:
        self._path = path
        self._analyzer = analyzer
        self._source = source
        self._name = source.info.name if source.info.path is None else str(source.info.path)
        self._started = datetime.now(UTC)
        self._n_faces = 0
        self._n_dropped = 0
        self._writer = TableWriter(path, schema_for_analyzer(analyzer))

    def append(self, frame: Frame, n_dropped: int) -> None:
        """Add the rows of a frame.

        Args:
            frame: the answer.
            n_dropped: frames that were dropped so far.

        Raises:
            OutputError: the disk is full or the place cannot be written.
        """
        self._writer.append(self._name, frame)
        self._n_faces += len(frame.faces)
        self._n_dropped = n_dropped

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        n_rows = self._writer.n_rows
        self._writer.__exit__(kind, error, trace)
        if not n_rows:
            return
        report = self._source.report
        dropped = (f"{self._n_dropped} frames came while others were being read and were dropped",)
        record = InputRecord(
            path=self._name,
            kind="camera" if self._source.info.path is None else "video",
            sha256=None,
            size_bytes=None,
            n_frames_decoded=report.n_decoded,
            n_frames_lost=report.n_lost,
            n_rows=n_rows,
            n_faces=self._n_faces,
            messages=(*report.messages, *(dropped if self._n_dropped else ())),
        )
        RunManifest(
            bundle_name=self._analyzer.spec.name,
            bundle_sha256=self._analyzer.bundle_digest,
            arguments={"live": True},
            started=self._started,
            finished=datetime.now(UTC),
            inputs=(record,),
        ).save(self._path)


_RECENT = 120  # answers that the figures look back on: some seconds
_JOIN_S = 2.0

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class LiveFigures:
    """How well the answers keep up, over the last answers.

    Attributes:
        n_frames: answered since the beginning.
        n_dropped: not looked at since the beginning, because another frame was being read.
        fps: answers per second.
        latency_p50_s: seconds from the arrival of a picture to its answer; half of them took no longer.
        latency_p95_s: of 20 answers 19 took no longer.
    """

    n_frames: int
    n_dropped: int
    fps: float
    latency_p50_s: float
    latency_p95_s: float


@dataclass(frozen=True, eq=False, kw_only=True)
class LiveFrame:
    """One answer.

    Attributes:
        source: what it is a frame of.
        frame: with its image.
        latency_s: seconds from the arrival of the picture to this answer.
        figures: of the last answers.
        thresholds: Action unit -> probability from which it counts as present, of the bundle.
    """

    source: str
    frame: Frame
    latency_s: float
    figures: LiveFigures
    thresholds: Mapping[str, float]


def live(
    source: str | os.PathLike[str] | FrameSource = "0",
    *,
    out: str | os.PathLike[str] | None = None,
    stop_s: float | None = None,
    model: str | Path = DEFAULT_BUNDLE,
    detector: str = "mtcnn",
    landmark_model: str | Path = DEFAULT_LANDMARK_MODEL,
    runtime: str = "onnxruntime",
    threads: int | None = None,
    faces: str = "all",
    clock: Clock = time.monotonic,
) -> Generator[LiveFrame, None, None]:
    """Read a camera, or a video at its own pace, and answer each frame at once; frames that come meanwhile are dropped.

    Closing the generator, an error and Ctrl-C end the camera and leave a valid table.

    Args:
        source: a camera number, a video file, or anything that gives frames as they happen.
        out: a table of the answers, with its manifest.
        stop_s: when to end, in seconds of the source.
        model: name or folder of a bundle.
        detector: as `mien.Analyzer` takes it.
        landmark_model: as `mien.Analyzer` takes it.
        runtime: as `mien.Analyzer` takes it.
        threads: as `mien.Analyzer` takes it.
        faces: as `mien.Analyzer` takes it.
        clock: seconds that never go back.

    Raises:
        ConfigError: the source is neither a camera nor a video, or an argument is unknown.
        InputError: there is no such camera or file, or it gives no picture.
        OutputError: the table cannot be written.
        ModelError: a model is missing or damaged.
        MissingExtraError: the runtime is not installed.
    """
    with ExitStack() as stack:
        # The camera first: that it is missing should not take the seconds that models take to load.
        reader, paced = _open_source(source)
        stack.callback(reader.close)
        analyzer = Analyzer(
            model, detector=detector, landmark_model=landmark_model, runtime=runtime, threads=threads, faces=faces
        )
        table = stack.enter_context(LiveTable(Path(out), analyzer, reader)) if out is not None else None
        thresholds = analyzer.spec.action_unit_thresholds
        frames = _paced(reader, clock) if paced else reader
        newest = stack.enter_context(NewestFrame(frames, clock))
        answered = stack.enter_context(closing(analyzer.frames(_until(newest, stop_s), images=True, live=True)))
        ends_s: deque[float] = deque(maxlen=_RECENT)
        latencies_s: deque[float] = deque(maxlen=_RECENT)
        for n_frames, frame in enumerate(answered, 1):
            ends_s.append(clock())
            latencies_s.append(ends_s[-1] - newest.arrived_s)
            if table is not None:
                table.append(frame, newest.n_dropped)
            median, slow = np.percentile(latencies_s, (50, 95))
            elapsed_s = ends_s[-1] - ends_s[0]
            figures = LiveFigures(
                n_frames=n_frames,
                n_dropped=newest.n_dropped,
                fps=(len(ends_s) - 1) / elapsed_s if elapsed_s > 0 else 0.0,
                latency_p50_s=float(median),
                latency_p95_s=float(slow),
            )
            yield LiveFrame(
                source=reader.info.name,
                frame=frame,
                latency_s=latencies_s[-1],
                figures=figures,
                thresholds=thresholds,
            )


class NewestFrame:
    """Reads frames in a thread and gives out the newest alone; a context manager to iterate once.

    Args:
        frames: read in the thread, which ends with the iteration at the next frame.
        clock: seconds that never go back.

    Attributes:
        n_dropped: frames that were replaced before anybody asked.
        arrived_s: on the clock, when the frame given out last had come.
    """

    def __init__(self, frames: Iterable[VideoFrame], clock: Clock = time.monotonic) -> None:
        self.n_dropped = 0
        self.arrived_s = 0.0
        self._source = frames
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: tuple[VideoFrame, float] | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="mien-live", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
        # A camera that hangs in the middle of a picture cannot be waited for.
        self._thread.join(_JOIN_S)

    def __iter__(self) -> Iterator[VideoFrame]:
        while True:
            with self._changed:
                # Woken up now and then: on Windows, Ctrl-C does not end a wait.
                while self._waiting is None and not self._ended:
                    self._changed.wait(0.2)
                if self._waiting is None:
                    break
                (frame, self.arrived_s), self._waiting = self._waiting, None
            yield frame
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        try:
            for frame in self._source:
                with self._changed:
                    if self._ended:
                        return
                    self.n_dropped += self._waiting is not None
                    self._waiting = frame, self._clock()
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - raised where the frames are taken
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


def _open_source(source: str | os.PathLike[str] | FrameSource) -> tuple[FrameSource, bool]:
    """What to read, and whether it must be slowed down to its own pace."""
    if not isinstance(source, (str, os.PathLike)):
        return source, False
    found = find_inputs([source])
    media = found[0]
    if len(found) > 1 or media.kind == "image":
        raise ConfigError(f"{os.fspath(source)}: live takes one camera or one video; use mien analyze for the rest")
    if media.camera is not None:
        return open_camera(media.camera), False
    return open_video(media.path or os.fspath(source)), True


def _paced(frames: Iterable[VideoFrame], clock: Clock) -> Iterator[VideoFrame]:
    """The frames of a file at the times at which a camera would give them."""
    start_s: float | None = None
    for frame in frames:
        now_s = clock()
        start_s = now_s - frame.time_s if start_s is None else start_s
        if (wait_s := start_s + frame.time_s - now_s) > 0:
            time.sleep(wait_s)
        yield frame


def _until(frames: Iterable[VideoFrame], stop_s: float | None) -> Iterator[VideoFrame]:
    for frame in frames:
        if stop_s is not None and frame.time_s >= stop_s:
            return
        yield frame
