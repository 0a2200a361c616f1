# SPDX-License-Identifier: Apache-2.0
"""One table of a run, from its inputs to its manifest, with whatever was read safe at every moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mien.affect import Analyzer
from mien.core import FaceSelector, InputError
from mien.jobs import Emit, Work
from mien.media import MediaInput, VideoInfo, open_video
from mien.pipeline.media_run import MediaRun, Selection, open_run, schema_for_analyzer
from mien.pipeline.overlay import Drawing, NoOverlay, Overlay
from mien.pipeline.plan import TablePlan
from mien.pipeline.resume import WORK_KEY, work_digest
from mien.pipeline.run_progress import Note, Progress, TableWritten
from mien.results import InputFailure, InputRecord, RunManifest, TableWriter, hash_file


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What applies to every table of a run; as a `mien.jobs.Setup` it loads the models once in every worker.

    Attributes:
        model: name or folder of the bundle.
        detector: as `mien.Analyzer` takes it.
        landmark_model: as `mien.Analyzer` takes it.
        runtime: as `mien.Analyzer` takes it.
        threads: as `mien.Analyzer` takes it.
        faces: as `mien.Analyzer` takes it.
        min_quality: as `mien.Analyzer` takes it.
        choice: which of the faces that are found the tables hold.
        selection: which frames of videos.
        drawing: the overlay, None without.
        arguments: of the run, for the manifest.
        n_inputs: of the run, names without an answer included.
        landmarks: whether the tables have the points of each face.
    """

    model: str | Path
    detector: str
    landmark_model: str
    runtime: str
    threads: int | None
    faces: str
    min_quality: float
    choice: FaceSelector
    selection: Selection
    drawing: Drawing | None
    arguments: dict[str, Any]
    n_inputs: int
    landmarks: bool

    def __call__(self) -> Work:
        """Load the models; the work is a `TablePlan` at a time and tells `Progress` and events."""
        analyzer = Analyzer(
            self.model,
            detector=self.detector,
            landmark_model=self.landmark_model,
            runtime=self.runtime,
            threads=self.threads,
            faces=self.faces,
            min_quality=self.min_quality,
        )

        def work(plan: TablePlan, tell: Emit) -> None:
            _TableRun(self, analyzer, plan, tell).write()

        return work


class _TableRun:
    """The making of one table."""

    def __init__(self, settings: RunSettings, analyzer: Analyzer, plan: TablePlan, tell: Emit) -> None:
        self._settings = settings
        self._analyzer = analyzer
        self._plan = plan
        self._tell = tell
        self._records: list[InputRecord] = []
        self._failures: list[InputFailure] = list(plan.failures)
        self._sha256: str | None = None  # of a lone file, so that it is read only once for it

    def write(self) -> None:
        """Write the table and its manifest, also when Ctrl-C or an error ends it; no table if nothing could be read.

        Raises:
            OutputError: the table, its manifest or the overlay cannot be written.
        """
        started = datetime.now(UTC)
        analyzer, plan = self._analyzer, self._plan
        try:
            work_key = self._work_key()
        except InputError as error:
            self._fail(plan.inputs[0], error)
            return
        abstain = {"min_quality": f"{self._settings.min_quality:g}"} if self._settings.min_quality else {}
        about = {**self._settings.selection.metadata, **abstain, **work_key, **_stream_offset(plan.inputs)}
        schema = schema_for_analyzer(analyzer, landmarks=self._settings.landmarks, metadata=about)
        stopped_by: BaseException | None = None
        try:
            with TableWriter(plan.table, schema, leftovers="redo" if work_key else "recover") as writer:
                for message in writer.messages:
                    self._tell(Note(message))
                try:
                    for number, media in enumerate(plan.inputs, plan.first_number):
                        self._read(media, number, writer)
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
            arguments=self._settings.arguments,
            started=started,
            finished=datetime.now(UTC),
            inputs=tuple(self._records),
            failures=tuple(self._failures),
            stopped=stopped_by is not None,
        ).save(plan.table)
        self._tell(TableWritten(plan.table))
        if stopped_by is not None:
            raise stopped_by

    def _work_key(self) -> dict[str, str]:
        """What the rows of a lone file are made of; nothing where a table has several inputs or a camera.

        Raises:
            InputError: the file cannot be read.
        """
        if len(self._plan.inputs) != 1 or self._plan.inputs[0].path is None:
            return {}
        self._sha256 = hash_file(self._plan.inputs[0].path)
        return {WORK_KEY: work_digest(self._settings.arguments, self._analyzer.bundle_digest, self._sha256)}

    def _fingerprint(self, media: MediaInput) -> tuple[str | None, int | None]:
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
        return self._sha256 or hash_file(media.path), size_bytes

    def _read(self, media: MediaInput, number: int, writer: TableWriter) -> None:
        """Append the rows of one input; whatever ends it, what was read so far is recorded."""
        choice = self._settings.choice
        try:
            if media.kind == "image":
                choice.check_photo(media.name)
            # Before anything is decoded: after Ctrl-C nobody wants to wait for it, and the file may be gone by then.
            sha256, size_bytes = self._fingerprint(media)
            with open_run(media, self._settings.selection) as reading, self._overlay(reading.info) as overlay:
                n_frames, n_faces, n_rows_before = 0, 0, writer.n_rows
                remarks: tuple[str, ...] = ()
                try:
                    for frame in reading.frames(self._analyzer, images=self._settings.drawing is not None):
                        faces = choice.of(frame.faces)
                        writer.append(media.name, replace(frame, faces=faces))
                        n_frames, n_faces = n_frames + 1, n_faces + len(faces)
                        overlay.write(frame)
                        self._show(media, number, reading, n_frames, n_faces)
                    if choice.rule == "track" and not n_faces:
                        remarks = (f"there is no track {choice.track_id} here; analyse all faces to see them",)
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
                            n_frames_decoded=reading.report.n_decoded,
                            n_frames_lost=reading.report.n_lost,
                            n_rows=writer.n_rows - n_rows_before,
                            n_faces=n_faces,
                            messages=reading.report.messages + remarks,
                            complete=reading.report.complete,
                        )
                        self._records.append(record)
                        self._tell(record)
        except InputError as error:
            self._fail(media, error)

    def _fail(self, media: MediaInput, error: InputError) -> None:
        failure = InputFailure(path=media.name, reason=str(error), error=type(error).__name__)
        self._failures.append(failure)
        self._tell(failure)

    def _show(self, media: MediaInput, number: int, reading: MediaRun, n_frames: int, n_faces: int) -> None:
        self._tell(
            Progress(
                source=media.name,
                number=number,
                n_inputs=self._settings.n_inputs,
                n_frames=n_frames,
                n_frames_expected=reading.n_expected,
                n_faces=n_faces,
            )
        )

    def _overlay(self, info: VideoInfo | None) -> Overlay:
        drawing = self._settings.drawing
        if drawing is None:
            return NoOverlay()
        return drawing.open(info, self._settings.selection.every, self._analyzer.spec.action_unit_thresholds)


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
