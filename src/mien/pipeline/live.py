# SPDX-License-Identifier: Apache-2.0
"""Analyses a camera as it happens, with a table on request; frames that come too fast are dropped."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from mien.affect import Analyzer, FrameSmoother, Smoothing
from mien.core import (
    AnalyzerConfig,
    ConfigError,
    Frame,
    Outputs,
    PathName,
    VideoOptions,
    options_json,
    private_files,
    refuse_unused,
    with_shortcuts,
)
from mien.jobs import deferred_interrupts
from mien.media import FrameSource, VideoFrame, find_inputs, is_endless, open_address, open_camera, open_video
from mien.pipeline.media_run import schema_for_analyzer, settings_metadata
from mien.results import (
    InputRecord,
    OutputFile,
    RunManifest,
    TableWriter,
    check_outputs,
    manifest_path,
    refuse_other_file,
)


class LiveTable:
    """Table of a live run with its manifest; a context manager.

    Args:
        outputs: Names the table, whose ending chooses the format, and says whether it has landmarks.
        analyzer: Gives the predictions.
        source: Gives the frames.

    Raises:
        ConfigError: The ending is unknown.
        OutputError: The place cannot be written.
    """

    def __init__(self, outputs: Outputs, analyzer: Analyzer, source: FrameSource) -> None:
        self._path = Path(outputs.table or "")
        self._analyzer = analyzer
        self._source = source
        self._outputs = outputs
        self._name = source.info.name if source.info.path is None else str(source.info.path)
        self._started = datetime.now(UTC)
        self._n_faces = 0
        self._n_dropped = 0
        about = settings_metadata(analyzer.config, VideoOptions())
        schema = schema_for_analyzer(analyzer, landmarks=outputs.landmarks, intervals=outputs.intervals, metadata=about)
        self._writer = TableWriter(self._path, schema)

    def append(self, frame: Frame, n_dropped: int) -> None:
        """Add the rows of a frame.

        Args:
            frame: Frame with its predictions.
            n_dropped: Number of frames dropped so far.

        Raises:
            OutputError: The disk is full or the place cannot be written.
        """
        self._writer.append(self._name, frame)
        self._n_faces += len(frame.faces)
        self._n_dropped = n_dropped

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with deferred_interrupts():  # the table and its manifest belong together
            self._finish(kind, error, trace)

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        n_rows = self._writer.n_rows
        self._writer.__exit__(kind, error, trace)
        if not n_rows:
            return
        report = self._source.report
        dropped = (f"{self._n_dropped} frames came while others were being analysed and were dropped",)
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
            arguments={"live": True, **options_json(self._analyzer.config, self._outputs)},
            started=self._started,
            finished=datetime.now(UTC),
            inputs=(record,),
        ).save(self._path)


_RECENT = 120  # frames that the statistics cover: some seconds
_JOIN_S = 2.0

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class LiveStatistics:
    """Speed of a live run over its last frames.

    Attributes:
        n_frames: Number of frames analysed since the beginning.
        n_dropped: Number of frames dropped since the beginning, because another one was being analysed.
        fps: Analysed frames per second.
        latency_p50_s: Median time in seconds from the arrival of a frame to its predictions.
        latency_p95_s: 95th percentile of the same.
    """

    n_frames: int
    n_dropped: int
    fps: float
    latency_p50_s: float
    latency_p95_s: float


@dataclass(frozen=True, eq=False, kw_only=True)
class LiveFrame:
    """One analysed frame of a live run.

    Attributes:
        source: Name of the camera or video.
        frame: Frame with its predictions and its image.
        smoothed: The same frame with values that are smoothed over the time before it; None where they are raw.
        latency_s: Time in seconds from the arrival of the frame to its predictions.
        statistics: Speed over the last frames.
        thresholds: Action unit -> probability from which it counts as present, of the bundle.
        smoothing: How the values of ``smoothed`` are smoothed, in few words; empty for raw ones.
    """

    source: str
    frame: Frame
    latency_s: float
    statistics: LiveStatistics
    thresholds: Mapping[str, float]
    smoothed: Frame | None = None
    smoothing: str = ""

    @property
    def shown(self) -> Frame:
        """The frame with the values that a view shows."""
        return self.frame if self.smoothed is None else self.smoothed


def live(
    source: PathName | FrameSource = "0",
    out: PathName | None = None,
    *,
    analyzer: AnalyzerConfig | None = None,
    video: VideoOptions | None = None,
    outputs: Outputs | None = None,
    clock: Clock = time.monotonic,
    **shortcuts: Any,
) -> Generator[LiveFrame, None, None]:
    """Analyse a camera, or a video at its own pace, frame by frame; frames that come meanwhile are dropped.

    Closing the generator, an error and Ctrl-C close the camera and leave a valid table.

    Args:
        source: Camera number, video file, network address (with ``network=True``), or any object that gives frames as
            they happen.
        out: Table of the predictions, with its manifest; stands for ``outputs.table``.
        analyzer: Models and how they run.
        video: When to stop (``stop_s``), and whether the network may be used (``network``); the other fields have no
            effect on what is live and are refused.
        outputs: The table and whether it has landmarks, and the smoothing of what is shown (``display_smooth``, over
            earlier frames alone); a live run writes no other file.
        clock: Monotonic clock in seconds.
        **shortcuts: Fields of the three options by name, such as ``stop_s=10``.

    Raises:
        ConfigError: The source is neither a camera nor a video, or an option is unknown or has no effect.
        InputError: There is no such camera or file, or it gives no frame.
        OutputError: The table cannot be written.
        ModelError: A model is missing or damaged.
        MissingExtraError: The runtime is not installed.
        TypeError: No options have a field of that name.
    """
    config, frames, files = with_shortcuts(
        shortcuts if out is None else {"table": out, **shortcuts},
        analyzer or AnalyzerConfig(),
        video or VideoOptions(),
        outputs or Outputs(),
    )
    refuse_unused(frames, ("stop_s", "network"), "live")
    refuse_unused(files, ("table", "landmarks", "intervals", "private", "display_smooth"), "live")
    smoothing = Smoothing.of_display(files.display_smooth)
    if files.table is not None:
        table = OutputFile("--out", Path(files.table), is_table=True)
        check_outputs([table, OutputFile("--out", manifest_path(table.path))], _input_files(source))
        refuse_other_file(table)
    # No generator up to here, so that mistakes show at the call and not at the first frame.
    return _live(source, config, frames, files, clock, smoothing)


def _live(
    source: PathName | FrameSource,
    config: AnalyzerConfig,
    video: VideoOptions,
    outputs: Outputs,
    clock: Clock,
    smoothing: Smoothing | None,
) -> Generator[LiveFrame, None, None]:
    with ExitStack() as stack:
        stack.enter_context(private_files(private=outputs.private))
        # The camera first: that it is missing should not take the seconds that models take to load.
        opened, is_file = _open_source(source, network=video.network)
        stack.callback(opened.close)
        analyzer = Analyzer(config)
        table = None if outputs.table is None else stack.enter_context(LiveTable(outputs, analyzer, opened))
        thresholds = analyzer.spec.action_unit_thresholds
        frames = _paced(opened, clock) if is_file else opened
        newest = stack.enter_context(NewestFrame(frames, clock))
        analysed = stack.enter_context(closing(analyzer.frames(_until(newest, video.stop_s), images=True, live=True)))
        # What is live cannot wait for later frames.
        smoother, label = None, ""
        if smoothing is not None:
            causal = replace(smoothing, causal=True)
            smoother, label = FrameSmoother(causal, uncertainty=analyzer.uncertainty), causal.label
        speed = _Speed()
        for frame in analysed:
            latency_s = speed.add(clock(), newest.arrived_s)
            if table is not None:
                table.append(frame, newest.n_dropped)
            smoothed = None
            if smoother is not None:
                smoother.add(frame)
                smoothed = smoother.take()
            yield LiveFrame(
                source=opened.info.name,
                frame=frame,
                latency_s=latency_s,
                statistics=speed.statistics(newest.n_dropped),
                thresholds=thresholds,
                smoothed=smoothed,
                smoothing=label,
            )


class _Speed:
    """Times of the last frames."""

    def __init__(self) -> None:
        self._n_frames = 0
        self._ends_s: deque[float] = deque(maxlen=_RECENT)
        self._latencies_s: deque[float] = deque(maxlen=_RECENT)

    def add(self, now_s: float, arrived_s: float) -> float:
        """Count a frame that is analysed now; its latency in seconds."""
        self._n_frames += 1
        self._ends_s.append(now_s)
        self._latencies_s.append(now_s - arrived_s)
        return self._latencies_s[-1]

    def statistics(self, n_dropped: int) -> LiveStatistics:
        """Statistics of the last frames."""
        median, slow = np.percentile(self._latencies_s, (50, 95))
        elapsed_s = self._ends_s[-1] - self._ends_s[0]
        return LiveStatistics(
            n_frames=self._n_frames,
            n_dropped=n_dropped,
            fps=(len(self._ends_s) - 1) / elapsed_s if elapsed_s > 0 else 0.0,
            latency_p50_s=float(median),
            latency_p95_s=float(slow),
        )


class NewestFrame:
    """Reads frames in a thread and gives only the newest; a context manager to iterate once.

    Args:
        frames: Frames that the thread reads; it ends with the iteration, at the next frame.
        clock: Monotonic clock in seconds.

    Attributes:
        n_dropped: Number of frames that a newer one replaced before they were taken.
        arrived_s: Time on the clock at which the frame taken last arrived.
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
        # A camera that hangs in the middle of a frame cannot be waited for.
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


def _input_files(source: PathName | FrameSource) -> list[tuple[str, PathName]]:
    return [("the input", source)] if isinstance(source, (str, os.PathLike)) else []


def _open_source(source: PathName | FrameSource, *, network: bool) -> tuple[FrameSource, bool]:
    """The opened source, and whether it is a file, which must be slowed down to its own pace."""
    if not isinstance(source, (str, os.PathLike)):
        return source, False
    found = find_inputs([source], network=network)
    media = found[0]
    if len(found) > 1 or media.kind == "image":
        raise ConfigError(f"{os.fspath(source)}: live takes one camera or one video; use mien analyze for the rest")
    if media.camera is not None:
        return open_camera(media.camera), False
    if media.address is not None:
        return open_address(media.address, network=network), not is_endless(media.address)
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
