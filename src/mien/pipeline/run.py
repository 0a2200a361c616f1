# SPDX-License-Identifier: Apache-2.0
"""The run itself: one table after the other, with whatever was read safe at every moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mien.affect import Analyzer
from mien.core import FaceChoice, InputError, ModelSpec
from mien.media import MediaInput, VideoInfo, open_video
from mien.pipeline.events import Event, Note, Progress, TableWritten
from mien.pipeline.overlay import Drawing, NoOverlay, Overlay
from mien.pipeline.plan import TablePlan
from mien.pipeline.sources import Reading, Selection, open_reading
from mien.results import InputFailure, InputRecord, RunManifest, TableWriter, hash_file, table_schema
from mien.results.episodes import thresholds_metadata


@dataclass(eq=False, kw_only=True)
class Tally:
    """What one run has done so far.

    Attributes:
        n_inputs: of the run, names without an answer included.
        on_progress: called after every frame.
        on_event: called with everything that is added here.
        tables: complete tables.
        records: of the inputs that gave rows.
        failures: of the inputs that could not be read, or not to their end.
        notes: anything else.
        n_started: inputs that were opened.
    """

    n_inputs: int
    on_progress: Callable[[Progress], None]
    on_event: Callable[[Event], None]
    tables: list[Path] = field(default_factory=list)
    records: list[InputRecord] = field(default_factory=list)
    failures: list[InputFailure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_started: int = 0

    def add(self, event: Event) -> None:
        """Remember an event and pass it on."""
        match event:
            case InputRecord():
                self.records.append(event)
            case InputFailure():
                self.failures.append(event)
            case Note(message):
                self.notes.append(message)
            case TableWritten(table):
                self.tables.append(table)
        self.on_event(event)


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """What applies to every table of a run.

    Attributes:
        analyzer: reads the faces.
        choice: which of them the tables hold.
        selection: which frames of videos.
        drawing: the overlay, None without.
        arguments: of the run, for the manifest.
        tally: what was done.
        n_landmarks: landmarks per face in the table.
    """

    analyzer: Analyzer
    choice: FaceChoice
    selection: Selection
    drawing: Drawing | None
    arguments: dict[str, Any]
    tally: Tally
    n_landmarks: int

    def write(self, plan: TablePlan) -> None:
        """Write one table and its manifest, also when Ctrl-C or an error ends it; no table if nothing could be read.

        Raises:
            OutputError: the table, its manifest or the overlay cannot be written.
        """
        started = datetime.now(UTC)
        analyzer, tally = self.analyzer, self.tally
        n_records, n_failures = len(tally.records), len(tally.failures)
        schema = table_schema(
            expression_labels=analyzer.expression_labels,
            action_unit_labels=analyzer.action_unit_labels,
            n_landmarks=self.n_landmarks,
            metadata={
                "bundle_name": analyzer.spec.name,
                "bundle_sha256": analyzer.bundle_digest,
                **_stream_offset(plan.inputs),
                **_thresholds(analyzer.spec),
            },
        )
        stopped_by: BaseException | None = None
        try:
            with TableWriter(plan.table, schema) as writer:
                for message in writer.messages:
                    tally.add(Note(message))
                try:
                    for media in plan.inputs:
                        self._read(media, writer)
                except BaseException as error:
                    if not writer.n_rows:
                        raise
                    stopped_by = error
                if not writer.n_rows:
                    raise _NothingReadError
        except _NothingReadError:
            return
        # Only a table that was finished gets here: a manifest must never describe an older one of the same name.
        RunManifest(
            bundle_name=analyzer.spec.name,
            bundle_sha256=analyzer.bundle_digest,
            arguments=self.arguments,
            started=started,
            finished=datetime.now(UTC),
            inputs=tuple(tally.records[n_records:]),
            failures=(*plan.failures, *tally.failures[n_failures:]),
        ).save(plan.table)
        tally.add(TableWritten(plan.table))
        if stopped_by is not None:
            raise stopped_by

    def _read(self, media: MediaInput, writer: TableWriter) -> None:
        """Append the rows of one input; whatever ends it, what was read so far is recorded."""
        number = self.tally.n_started
        self.tally.n_started += 1
        try:
            if media.kind == "image":
                self.choice.check_photo(media.name)
            # Before anything is decoded: after Ctrl-C nobody wants to wait for it, and the file may be gone by then.
            sha256, size_bytes = _fingerprint(media)
            with open_reading(media, self.selection) as reading, self._overlay(reading.info) as overlay:
                n_frames, n_faces, n_rows_before = 0, 0, writer.n_rows
                remarks: tuple[str, ...] = ()
                try:
                    for frame in reading.frames(self.analyzer, images=self.drawing is not None):
                        faces = self.choice.of(frame.faces)
                        writer.append(media.name, replace(frame, faces=faces))
                        n_frames, n_faces = n_frames + 1, n_faces + len(faces)
                        overlay.write(frame)
                        self._show(media, number, reading, n_frames, n_faces)
                    if self.choice.rule == "track" and not n_faces:
                        remarks = (f"there is no track {self.choice.track_id} here; analyse all faces to see them",)
                except InputError as error:
                    if not n_frames:
                        raise
                    self.tally.add(InputFailure(path=media.name, reason=str(error)))
                except BaseException:
                    remarks = ("the run was stopped here, before the end of this input",)
                    raise
                finally:
                    if writer.n_rows > n_rows_before:
                        self.tally.add(
                            InputRecord(
                                path=media.name,
                                kind=media.kind,
                                sha256=sha256,
                                size_bytes=size_bytes,
                                n_frames_decoded=reading.report.n_decoded,
                                n_frames_lost=reading.report.n_lost,
                                n_rows=writer.n_rows - n_rows_before,
                                n_faces=n_faces,
                                messages=reading.report.messages + remarks,
                            )
                        )
        except InputError as error:
            self.tally.add(InputFailure(path=media.name, reason=str(error)))

    def _show(self, media: MediaInput, number: int, reading: Reading, n_frames: int, n_faces: int) -> None:
        self.tally.on_progress(
            Progress(
                source=media.name,
                number=number,
                n_inputs=self.tally.n_inputs,
                n_frames=n_frames,
                n_frames_expected=reading.n_expected,
                n_faces=n_faces,
            )
        )

    def _overlay(self, info: VideoInfo | None) -> Overlay:
        return NoOverlay() if self.drawing is None else self.drawing.open(info, self.selection.every)


class _NothingReadError(Exception):
    """No input of a table gave a row, so there is no table."""


def _stream_offset(inputs: tuple[MediaInput, ...]) -> dict[str, str]:
    """What a lone video's own clock shows at the table's second 0; several sources have no common one."""
    if len(inputs) != 1 or inputs[0].kind != "video" or inputs[0].path is None:
        return {}
    try:
        with open_video(inputs[0].path) as video:
            return {"stream_offset_s": repr(video.info.start_offset_s)}
    except InputError:
        return {}  # reading it will fail in the same way, and say so


def _thresholds(spec: ModelSpec) -> dict[str, str]:
    """The bundle's thresholds of action units, so that a table can be read without the bundle."""
    task = spec.task("action_units")
    return {} if task is None else thresholds_metadata(task.labels, task.thresholds)


def _fingerprint(media: MediaInput) -> tuple[str | None, int | None]:
    """SHA-256 and size in bytes of a file; None for a camera.

    Raises:
        InputError: the file cannot be read.
    """
    if media.path is None:
        return None, None
    try:
        size_bytes = media.path.stat().st_size
    except OSError as error:
        raise InputError(f"{media.path}: cannot be reached ({error.strerror}); check the name") from error
    return hash_file(media.path), size_bytes
