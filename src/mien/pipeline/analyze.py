# SPDX-License-Identifier: Apache-2.0
"""`analyze`: files to tables. What the command line calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mien.affect import Analyzer
from mien.core import ConfigError, InputError
from mien.inference import DEFAULT_BUNDLE
from mien.media import DecodeReport, MediaInput, VideoInfo
from mien.pipeline.overlay import ImageOverlay, NoOverlay, Overlay, VideoOverlay
from mien.pipeline.plan import TablePlan, make_plan
from mien.pipeline.sources import Selection, open_reading
from mien.results import InputFailure, InputRecord, RunManifest, TableWriter, hash_file, table_schema


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come; sent after every frame.

    Attributes:
        source: name of the input.
        number: of the input, from 0.
        n_inputs: of the run.
        n_frames: frames of this input analysed so far.
        n_frames_expected: as its container promises for the options of the run, None if unknown.
        n_faces: faces found in this input so far.
    """

    source: str
    number: int
    n_inputs: int
    n_frames: int
    n_frames_expected: int | None
    n_faces: int


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What became of a run.

    Attributes:
        tables: written tables, in order.
        inputs: one record per input that gave rows, in order.
        failures: one per input that could not be read, or not to its end.
        messages: anything else that the user should know.
    """

    tables: tuple[Path, ...]
    inputs: tuple[InputRecord, ...]
    failures: tuple[InputFailure, ...]
    messages: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every input was read to its end without loss."""
        return not self.failures and not any(record.n_frames_lost for record in self.inputs)

    @property
    def exit_code(self) -> int:
        """Of the command line: 0 all done, 1 some inputs failed or were decoded in part, 3 none could be read."""
        if not self.inputs:
            return 3
        return 0 if self.complete else 1


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """The overlay that was asked for."""

    path: Path
    anonymous: bool

    def open(self, info: VideoInfo | None, every: int) -> Overlay:
        if info is None:
            return ImageOverlay(self.path, anonymous=self.anonymous)
        return VideoOverlay(self.path, info, every=every, anonymous=self.anonymous)


@dataclass(eq=False)
class _Tally:
    """What one run has done so far."""

    n_inputs: int
    on_progress: Callable[[Progress], None]
    tables: list[Path] = field(default_factory=list)
    records: list[InputRecord] = field(default_factory=list)
    failures: list[InputFailure] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    n_started: int = 0


def analyze(
    inputs: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    model: str | Path = DEFAULT_BUNDLE,
    detector: str = "mtcnn",
    runtime: str = "onnxruntime",
    threads: int | None = None,
    faces: str = "all",
    every: int = 1,
    start_s: float | None = None,
    stop_s: float | None = None,
    landmarks: bool = False,
    overlay: str | os.PathLike[str] | None = None,
    anonymous: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Analyse files, folders, globs or a camera into tables.

    Rows are safe on the disk within seconds and become one file at the end; after a kill, the next run over the same
    table saves them beside it. An input that cannot be read becomes a failure and the others go on.

    Args:
        inputs: files, folders, glob patterns, or a camera number.
        out: a table (.parquet, .csv, .jsonl, .ndjson) for everything, or a folder with one Parquet table per input.
        model: name or folder of a bundle.
        detector: ``"mtcnn"``, or ``"yunet=FILE.onnx"`` with a model of your own.
        runtime: ``"onnxruntime"`` or ``"openvino"``.
        threads: of each model; None for every core.
        faces: ``"all"`` or ``"largest"``.
        every: analyse each n-th frame of videos.
        start_s: leave out what videos show before.
        stop_s: leave out what videos show from here on; for a camera, when to end.
        landmarks: whether the table has the five points of each face.
        overlay: a video (or, for an image, a picture) with everything drawn on it; for a single input.
        anonymous: whether faces are made unrecognisable in the overlay.
        on_progress: called after every frame.

    Raises:
        ConfigError: the arguments make no sense together.
        OutputError: a table cannot be written.
        ModelError: a model is missing, damaged or of an unknown version.
        MissingExtraError: the runtime is not installed.
    """
    arguments = {
        "inputs": [os.fspath(name) for name in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)],
        "out": os.fspath(out),
        "model": str(model),
        "detector": detector,
        "runtime": runtime,
        "threads": threads,
        "faces": faces,
        "every": every,
        "start_s": start_s,
        "stop_s": stop_s,
        "landmarks": landmarks,
    }
    selection = Selection(every=every, start_s=start_s, stop_s=stop_s)
    if anonymous and overlay is None:
        raise ConfigError("anonymous changes the overlay; name one")
    drawing = None if overlay is None else _Drawing(path=Path(overlay), anonymous=anonymous)
    plan = make_plan(arguments["inputs"], out)
    n_named = len(plan.inputs) + len(plan.failures)
    if drawing is not None and n_named != 1:
        raise ConfigError(f"an overlay needs a single input, got {n_named}")
    tally = _Tally(n_named, on_progress or (lambda _: None), failures=list(plan.failures))
    if not plan.tables:
        return _result(tally)
    analyzer = Analyzer(model, detector=detector, runtime=runtime, threads=threads, faces=faces)
    run = _Run(analyzer, selection, drawing, arguments, tally, n_landmarks=5 if landmarks else 0)
    for table in plan.tables:
        run.write(table)
    return _result(tally)


def _result(tally: _Tally) -> RunResult:
    return RunResult(
        tables=tuple(tally.tables),
        inputs=tuple(tally.records),
        failures=tuple(tally.failures),
        messages=tuple(tally.messages),
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """What applies to every table of a run."""

    analyzer: Analyzer
    selection: Selection
    drawing: _Drawing | None
    arguments: dict[str, Any]
    tally: _Tally
    n_landmarks: int

    def write(self, plan: TablePlan) -> None:
        """Write one table and its manifest; no table where no input gave a row."""
        started = datetime.now(UTC)
        analyzer, tally = self.analyzer, self.tally
        n_records, n_failures = len(tally.records), len(tally.failures)
        schema = table_schema(
            expression_labels=analyzer.expression_labels,
            action_unit_labels=analyzer.action_unit_labels,
            n_landmarks=self.n_landmarks,
            metadata={"bundle_name": analyzer.spec.name, "bundle_sha256": analyzer.bundle_digest},
        )
        try:
            with TableWriter(plan.table, schema) as writer:
                tally.messages += writer.messages
                for media in plan.inputs:
                    self._read(media, writer)
                if not writer.n_rows:
                    raise _NothingReadError
        except _NothingReadError:
            return
        finally:
            # Also after Ctrl-C or a full disk: what was written is described.
            if len(tally.records) > n_records and plan.table.is_file():
                tally.tables.append(plan.table)
                RunManifest(
                    bundle_name=analyzer.spec.name,
                    bundle_sha256=analyzer.bundle_digest,
                    arguments=self.arguments,
                    started=started,
                    finished=datetime.now(UTC),
                    inputs=tuple(tally.records[n_records:]),
                    failures=tuple(tally.failures[n_failures:]),
                ).save(plan.table)

    def _read(self, media: MediaInput, writer: TableWriter) -> None:
        """Append the rows of one input; whatever ends it, what was read so far is recorded."""
        tally, number = self.tally, self.tally.n_started
        tally.n_started += 1
        n_frames = n_faces = 0
        report = DecodeReport(n_decoded=0, n_lost=0)
        trouble: tuple[str, ...] = ()
        n_rows = writer.n_rows
        try:
            with open_reading(media, self.selection) as reading, self._overlay(reading.info) as overlay:
                try:
                    for frame in reading.frames(self.analyzer, images=self.drawing is not None):
                        writer.append(media.name, frame)
                        overlay.write(frame)
                        n_frames, n_faces = n_frames + 1, n_faces + len(frame.faces)
                        tally.on_progress(
                            Progress(
                                source=media.name,
                                number=number,
                                n_inputs=tally.n_inputs,
                                n_frames=n_frames,
                                n_frames_expected=reading.n_expected,
                                n_faces=n_faces,
                            )
                        )
                finally:
                    report = reading.report
        except InputError as error:
            trouble = (str(error),)
            tally.failures.append(InputFailure(path=media.name, reason=str(error)))
        finally:
            if n_frames:
                tally.records.append(
                    InputRecord(
                        path=media.name,
                        kind=media.kind,
                        sha256=None if media.path is None else hash_file(media.path),
                        size_bytes=None if media.path is None else media.path.stat().st_size,
                        n_frames_decoded=report.n_decoded,
                        n_frames_lost=report.n_lost,
                        n_rows=writer.n_rows - n_rows,
                        n_faces=n_faces,
                        messages=report.messages + trouble,
                    )
                )

    def _overlay(self, info: VideoInfo | None) -> Overlay:
        return NoOverlay() if self.drawing is None else self.drawing.open(info, self.selection.every)


class _NothingReadError(Exception):
    """No input of a table gave a row, so there is no table."""
