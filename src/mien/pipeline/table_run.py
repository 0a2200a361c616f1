# SPDX-License-Identifier: Apache-2.0
"""Writes one table of a run, from its inputs to its manifest, so that a crash costs no finished row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, repeat
from typing import Any

from mien.affect import Analyzer, FrameSmoother, Smoothing
from mien.core import AnalyzerConfig, FaceSelector, InputError, Outputs, VideoOptions, private_files, source_name
from mien.jobs import Emit, InterruptGate, Work, gated_interrupts
from mien.media import MediaInput, VideoInfo
from mien.pipeline.media_run import MediaRun, image_runs, open_run, schema_for_analyzer, settings_metadata
from mien.pipeline.overlay import Drawing, NoOverlay, Overlay, SmoothedOverlay
from mien.pipeline.plan import TablePlan
from mien.pipeline.resume import WORK_KEY, shard_digest, work_digest
from mien.pipeline.run_progress import Note, Progress, TableWritten
from mien.pipeline.shards import SHARD_KEY
from mien.results import InputFailure, InputRecord, RunManifest, TableWriter, hash_file

_LEAST_FPS = 5.0
_DARK_REMARK = "no face was found, and the picture is very dark: give it more light if there are faces"


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What applies to every table of a run; as a `mien.jobs.Setup` it loads the models once in every worker.

    Attributes:
        analyzer: Models of the run.
        video: Frames of videos to analyse.
        outputs: Files of the run.
        arguments: Options of the run as JSON values, for the manifest.
        rows: The part of them that decides rows, see `mien.pipeline.resume.work_digest`.
        n_inputs: Number of inputs of the run, names without a file included.
    """

    analyzer: AnalyzerConfig
    video: VideoOptions
    outputs: Outputs
    arguments: Mapping[str, Any]
    rows: Mapping[str, Any]
    n_inputs: int

    @property
    def choice(self) -> FaceSelector:
        """Which of the detected faces the tables hold."""
        return FaceSelector.for_media(self.analyzer.faces)

    def __call__(self) -> Work:
        """Load the models; the work takes a `TablePlan` and emits `Progress` and events."""
        # Faces that are not chosen must be found all the same to be hidden.
        config = replace(self.analyzer, faces="all") if self.outputs.anonymous else self.analyzer
        analyzer = Analyzer(config)

        def work(plan: TablePlan, emit: Emit) -> None:
            with private_files(private=self.outputs.private):  # a worker of a cluster has a mask of its own
                _TableRun(self, analyzer, plan, emit).write()

        return work


class _TableRun:
    """Writes one table."""

    def __init__(self, settings: RunSettings, analyzer: Analyzer, plan: TablePlan, emit: Emit) -> None:
        self._settings = settings
        self._analyzer = analyzer
        self._plan = plan
        self._emit = emit
        self._choice = settings.choice
        self._drawing = Drawing.of(settings.outputs, settings.choice)
        self._records: list[InputRecord] = []
        self._failures: list[InputFailure] = list(plan.failures)
        self._sha256: str | None = None  # of a lone file, so that it is read only once for it

    def write(self) -> None:
        """Write the table and its manifest, also when Ctrl-C or an error ends it; no table if nothing could be read.

        Raises:
            OutputError: The table, its manifest or the overlay cannot be written.
        """
        with gated_interrupts() as gate:  # reading may end early, writing what was read may not
            self._write(gate)

    def _write(self, gate: InterruptGate) -> None:
        started = datetime.now(UTC)
        replaced = self._plan.table.exists()
        with ExitStack() as stack:
            try:
                with gate.open():
                    work_key = self._work_key()
                    lone = self._open_lone(stack)
            except InputError as error:
                self._fail(self._plan.inputs[0], error)
                return
            stopped_by = self._write_table(work_key, lone, gate)
        if not self._records:
            return
        # Only a table that was finished gets here: a manifest must never describe an older one of the same name.
        RunManifest(
            bundle_name=self._analyzer.spec.name,
            bundle_sha256=self._analyzer.bundle_digest,
            arguments=self._settings.arguments,
            started=started,
            finished=datetime.now(UTC),
            inputs=tuple(self._records),
            failures=tuple(self._failures),
            stopped=stopped_by is not None,
        ).save(self._plan.table)
        self._emit(TableWritten(self._plan.table, replaced=replaced))
        if stopped_by is not None:
            raise stopped_by

    def _open_lone(self, stack: ExitStack) -> MediaRun | None:
        """The only input of a table, opened before the table because its facts go into the metadata; else None.

        Raises:
            InputError: The input cannot be opened.
        """
        if len(self._plan.inputs) != 1:
            return None
        return stack.enter_context(open_run(self._plan.inputs[0], self._settings.video))

    def _write_table(
        self, work_key: dict[str, str], lone: MediaRun | None, gate: InterruptGate
    ) -> BaseException | None:
        """Write the rows of every input; what ended the run early, if there are rows that it must not cost."""
        settings, plan = self._settings, self._plan
        about = {**settings_metadata(settings.analyzer, settings.video), **work_key, **_stream_offset(lone)}
        schema = schema_for_analyzer(
            self._analyzer,
            landmarks=settings.outputs.landmarks,
            intervals=settings.outputs.intervals,
            metadata=about,
        )
        try:
            with TableWriter(plan.table, schema, leftovers="redo" if work_key else "recover") as writer:
                stopped_by: BaseException | None = None
                for message in writer.messages:
                    self._emit(Note(message))
                try:
                    with gate.open():
                        runs = zip(plan.inputs, self._runs(lone), strict=True)
                        for number, (media, run) in enumerate(runs, plan.first_number):
                            self._read(media, number, writer, run)
                except BaseException as error:
                    if not writer.n_rows:
                        raise
                    stopped_by = error
                if not writer.n_rows:
                    raise _NothingReadError
        except _NothingReadError:
            return None
        return stopped_by

    def _runs(self, lone: MediaRun | None) -> Iterator[MediaRun | None]:
        """The run of each input that is open or analysed already; None for the others."""
        if lone is not None:
            yield lone
            return
        for is_image, group in groupby(self._plan.inputs, lambda one: one.kind == "image"):
            inputs = list(group)
            together = is_image and self._drawing is None  # what is drawn on needs its pixels
            yield from image_runs(inputs, self._analyzer) if together else repeat(None, len(inputs))

    def _work_key(self) -> dict[str, str]:
        """Digest of what decides the rows of a lone file or of a shard; empty where there is no such digest.

        That is so for several inputs in any other table, for cameras, and where a model is an object.

        Raises:
            InputError: The file cannot be read.
        """
        if self._plan.is_shard and not self._settings.analyzer.holds_objects:
            return {SHARD_KEY: shard_digest(self._settings.rows, self._analyzer.bundle_digest)}
        path = self._plan.inputs[0].path
        if len(self._plan.inputs) != 1 or path is None or self._settings.analyzer.holds_objects:
            return {}
        self._sha256 = hash_file(path)
        return {WORK_KEY: work_digest(self._settings.rows, self._analyzer.bundle_digest, self._sha256)}

    def _fingerprint(self, media: MediaInput) -> tuple[str | None, int | None]:
        """SHA-256 and size in bytes of a file; None for a camera.

        Raises:
            InputError: The file cannot be read.
        """
        if media.path is None:
            return None, None
        try:
            size_bytes = media.path.stat().st_size
        except OSError as error:
            raise InputError(f"{media.path}: cannot be reached ({error.strerror}); check the name") from error
        return self._sha256 or hash_file(media.path), size_bytes

    def _read(self, media: MediaInput, number: int, writer: TableWriter, ready: MediaRun | None) -> None:
        """Append the rows of one input; the record of an input that ends early covers the rows before."""
        try:
            if media.kind == "image":
                self._choice.check_photo(media.name)
            # Before anything is decoded: after Ctrl-C it would delay the end, and the file may be gone by then.
            sha256, size_bytes = self._fingerprint(media)
            opened = open_run(media, self._settings.video) if ready is None else nullcontext(ready)
            with opened as run, self._overlay(run.info) as overlay:
                n_frames, n_faces, n_dark, n_rows_before = 0, 0, 0, writer.n_rows
                offset_s = _offset_s(run)
                if offset_s is not None:
                    writer.set_stream_offset(media.name, offset_s)
                remarks: tuple[str, ...] = ()
                try:
                    for frame in run.frames(self._analyzer, images=self._drawing is not None):
                        faces = self._choice.of(frame.faces)
                        writer.append(media.name, replace(frame, faces=faces))
                        n_frames, n_faces, n_dark = n_frames + 1, n_faces + len(faces), n_dark + frame.dark
                        if self._drawing is not None:
                            overlay.show_gaps(run.report.gaps, frame.time_s)
                        overlay.write(frame)
                        self._show(media, number, run, n_frames, n_faces)
                    overlay.show_gaps(run.report.gaps, float("inf"))
                    remarks = run.remarks + overlay.messages
                    if not n_faces and 2 * n_dark > n_frames:
                        remarks += (_DARK_REMARK,)
                    elif self._choice.rule == "track" and not n_faces:
                        remarks += (f"there is no track {self._choice.track_id} here; analyse all faces to see them",)
                except InputError as error:
                    if not n_frames:
                        raise
                    self._fail(media, error)
                except BaseException:
                    remarks = ("the run was stopped here, before the end of this input",)
                    raise
                finally:
                    if writer.n_rows > n_rows_before:
                        record = InputRecord(
                            path=media.name,
                            kind=media.kind,
                            sha256=sha256,
                            size_bytes=size_bytes,
                            n_frames_decoded=run.report.n_decoded,
                            n_frames_lost=run.report.n_lost,
                            n_rows=writer.n_rows - n_rows_before,
                            n_faces=n_faces,
                            messages=run.report.messages + remarks,
                            complete=run.report.complete,
                            start_offset_s=offset_s,
                            gaps=run.report.gaps,
                        )
                        self._records.append(record)
                        self._emit(record)
        except InputError as error:
            self._fail(media, error)

    def _fail(self, media: MediaInput, error: InputError) -> None:
        failure = InputFailure(path=media.name, reason=source_name(str(error)), error=type(error).__name__)
        self._failures.append(failure)
        self._emit(failure)

    def _show(self, media: MediaInput, number: int, run: MediaRun, n_frames: int, n_faces: int) -> None:
        self._emit(
            Progress(
                source=media.name,
                number=number,
                n_inputs=self._settings.n_inputs,
                n_frames=n_frames,
                n_frames_expected=run.n_expected,
                n_faces=n_faces,
            )
        )

    def _overlay(self, info: VideoInfo | None) -> Overlay:
        if self._drawing is None:
            return NoOverlay()
        video, shown = self._settings.video, Smoothing.of_display(self._settings.outputs.display_smooth)
        thresholds = self._analyzer.spec.action_unit_thresholds
        earlier = Smoothing.of(video.smooth, self._analyzer.spec)
        note = "" if (known := earlier or shown) is None else known.label
        overlay = self._drawing.open(info, video.every, thresholds, note=note)
        if info is None or shown is None or earlier is not None:
            return overlay
        # Frames wait with their pixels, at most this long: a face that is lost for longer counts as gone.
        lost_s = max(shown.reach_s, 1 / _LEAST_FPS)
        return SmoothedOverlay(overlay, FrameSmoother(shown, lost_s, self._analyzer.uncertainty))


class _NothingReadError(Exception):
    """No input of a table gave a row, so there is no table."""


def _stream_offset(lone: MediaRun | None) -> dict[str, str]:
    """Time on the clock of a lone video file at the table's second 0; several sources have no common one."""
    offset_s = None if lone is None else _offset_s(lone)
    return {} if offset_s is None else {"stream_offset_s": repr(offset_s)}


def _offset_s(run: MediaRun) -> float | None:
    """Time on the clock of a video file at second 0 of its rows; None for a camera and an image."""
    return None if run.info is None or run.info.path is None else run.info.start_offset_s
