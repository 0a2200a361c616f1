# SPDX-License-Identifier: Apache-2.0
"""`analyze`: files to tables. What the command line calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.affect import AdaptiveRate, Smoothing
from mien.core import AnalyzerConfig, ConfigError, FaceSelector
from mien.faces import DEFAULT_LANDMARK_MODEL, NO_LANDMARK_MODEL, parse_detector
from mien.inference import DEFAULT_BUNDLE, bundle_digest, load_spec, usable_cores
from mien.jobs import Engine, LocalEngine, create_engine
from mien.pipeline.media_run import Selection
from mien.pipeline.overlay import Drawing
from mien.pipeline.plan import Plan, TablePlan, make_plan
from mien.pipeline.postprocessing.convert import convert_to_openface, is_openface_file
from mien.pipeline.postprocessing.report import check_report_name, write_report
from mien.pipeline.run_progress import Event, FailuresListed, Note, Progress, RunProgress, TablesSkipped
from mien.pipeline.table_run import RunSettings
from mien.results import (
    InputFailure,
    InputRecord,
    failure_rows,
    hash_file,
    locked_folder,
    read_failures,
    update_failures,
)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What became of a run.

    Attributes:
        tables: complete tables, those of earlier runs included, in order.
        inputs: one record per input that gave rows, in order.
        failures: one per input that could not be read, or not to its end.
        messages: anything else that the user should know.
        skipped: those of the tables that an earlier run had finished from the same files with the same settings.
    """

    tables: tuple[Path, ...]
    inputs: tuple[InputRecord, ...]
    failures: tuple[InputFailure, ...]
    messages: tuple[str, ...] = ()
    skipped: tuple[Path, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every input was read to its end without loss."""
        return not self.failures and all(record.whole for record in self.inputs)

    @property
    def exit_code(self) -> int:
        """Of the command line: 0 all done, 1 some inputs failed or were decoded in part, 3 none could be read."""
        if not self.inputs:
            return 3
        return 0 if self.complete else 1


def analyze(
    inputs: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    model: str | Path = DEFAULT_BUNDLE,
    detector: str = "mtcnn",
    landmark_model: str = DEFAULT_LANDMARK_MODEL,
    runtime: str = "onnxruntime",
    threads: int | None = None,
    faces: str = "all",
    every: int = 1,
    start_s: float | None = None,
    stop_s: float | None = None,
    smooth: Smoothing | str | None = None,
    adaptive: AdaptiveRate | str | None = None,
    min_quality: float = 0.0,
    landmarks: bool = False,
    overlay: str | os.PathLike[str] | None = None,
    anonymous: bool = False,
    report: str | os.PathLike[str] | None = None,
    report_frames: bool = True,
    workers: int = 1,
    engine: str | Engine = "local",
    openface: str | os.PathLike[str] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> RunResult:
    """Analyse files, folders, globs or a camera into tables.

    Rows are safe on the disk within seconds and become one file at the end; after a kill, the next run over the same
    table saves them beside it. An input that cannot be read becomes a failure and the others go on. After Ctrl-C and
    after an error of the output, the table holds every frame that was done.

    In a folder of tables, the next run skips what is finished: the same bytes, models, settings and version of mien.
    All else is made anew, with no row lost or doubled wherever a kill fell. ``failures.csv`` in that folder lists what
    could not be read, or not wholly; it is removed once there is nothing to tell.

    Args:
        inputs: files, folders, glob patterns, or a camera number.
        out: a table (.parquet, .csv, .jsonl, .ndjson) for everything, or a folder (any existing one, a name without
            ending, or one that ends with ``/``) with one Parquet table per input.
        model: name or folder of a bundle.
        detector: ``"mtcnn"``, or ``"yunet=FILE.onnx"`` with a model of your own.
        landmark_model: name or folder of a landmark net, or ``"none"``, see `mien.Analyzer`.
        runtime: ``"onnxruntime"`` or ``"openvino"``.
        threads: of each model; None for every core.
        faces: ``"all"``, ``"largest"`` (of each frame, whoever that is), or ``"track=ID"`` for one track of videos.
        every: analyse each n-th frame of videos.
        start_s: leave out what videos show before.
        stop_s: leave out what videos show from here on; for a camera, when to end.
        smooth: videos over time, as `mien.Analyzer.video` does: ``"expr=50,va=50,au=3"`` in frames on each side.
        adaptive: such as ``"25,5,1"``: read sure stretches of videos in few frames and interpolate between them, as
            `mien.Analyzer.video` does.
        min_quality: abstain below: the row keeps box, track and quality, its affect is null. See docs/quality.md.
        landmarks: whether the table has the points of each face: 68, or five without a landmark net.
        overlay: a video (or, for an image, a picture) with everything drawn on it; for a single input.
        anonymous: whether faces are made unrecognisable in the overlay.
        report: an HTML report of everything that was analysed, see `mien.pipeline.postprocessing.report`.
        report_frames: whether small pictures of faces are part of it.
        workers: inputs to work on at the same time, for a folder of tables; they divide the cores among them.
        engine: ``"local"`` for processes of this machine, ``"ray"`` (extra) for many machines, or any object with the
            methods of `mien.jobs.Engine`, whose own number of workers then counts.
        openface: the same in OpenFace 2.2's columns, as `convert_to_openface` writes them: a ``.csv`` for a single
            input, or a folder.
        on_progress: called after every frame.
        on_event: called when an input is done or has failed, when a table is complete, and for notes: everything that
            the result will hold, as it happens. Callbacks may raise; what was read is then kept as after Ctrl-C.

    Raises:
        ConfigError: the arguments make no sense together; nothing was read.
        OutputError: a table or the overlay cannot be written, or another run is writing to the folder.
        JobError: no worker process can start.
        ModelError: a model is missing, damaged or of an unknown version.
        MissingExtraError: the runtime or the engine is not installed.
    """
    names = [os.fspath(name) for name in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)]
    smoothing = Smoothing.of(smooth, load_spec(model) if smooth == "bundle" else None)
    rate = AdaptiveRate.of(adaptive)
    arguments: dict[str, Any] = {
        "inputs": names,
        "out": os.fspath(out),
        "model": str(model),
        "detector": detector,
        "landmark_model": landmark_model,
        "runtime": runtime,
        "threads": threads,
        "faces": faces,
        "every": every,
        "start_s": start_s,
        "stop_s": stop_s,
        "smooth": None if smoothing is None else str(smoothing),
        "adaptive": None if rate is None else str(rate),
        "min_quality": min_quality,
        "landmarks": landmarks,
        "overlay": None if overlay is None else os.fspath(overlay),
        "anonymous": anonymous,
        "openface": None if openface is None else os.fspath(openface),
        "report": None if report is None else os.fspath(report),
        "report_frames": report_frames,
        "workers": workers,
        "engine": engine if isinstance(engine, str) else type(engine).__name__,
    }
    if weights := parse_detector(detector)[1].get("model"):
        arguments["detector_sha256"] = hash_file(weights) if Path(weights).is_file() else None
    if landmark_model != NO_LANDMARK_MODEL:
        arguments["landmark_model_sha256"] = bundle_digest(landmark_model)
    AnalyzerConfig(min_quality=min_quality)
    selection = Selection(every=every, start_s=start_s, stop_s=stop_s, smooth=smoothing, adaptive=rate)
    if anonymous and overlay is None:
        raise ConfigError("anonymous changes the overlay; name a file for it")
    choice = FaceSelector.for_media(faces)
    drawing = None if overlay is None else Drawing(path=Path(overlay), anonymous=anonymous, choice=choice)
    if report is not None:
        check_report_name(report)
    jobs = create_engine(engine, workers=workers)
    plan = make_plan(names, out)
    if drawing is not None:
        if plan.n_named != 1:
            raise ConfigError(f"an overlay needs a single input, got {plan.n_named}; analyse them one by one")
        for media in plan.inputs:
            drawing.check(media)
    if plan.folder is None:
        if jobs.n_workers > 1 and plan.n_named > 1:
            raise ConfigError(f"several workers cannot share one table; give a folder, such as --out {Path(out).stem}/")
        jobs = LocalEngine()
    if openface is not None and is_openface_file(Path(openface)) and plan.n_named != 1:
        raise ConfigError(f"{os.fspath(openface)} is for a single input, got {plan.n_named}; name a folder for them")
    progress = RunProgress(
        n_inputs=plan.n_named,
        on_progress=on_progress or (lambda _: None),
        on_event=on_event or (lambda _: None),
    )
    with _ready_folder(plan, progress):
        for failure in plan.failures:
            progress.add(failure)
        todo = list(plan.tables)
        if plan.folder is not None and drawing is None:
            todo = _unfinished(plan, arguments, bundle_digest(model), progress)
        if todo:
            settings = RunSettings(
                model=model,
                detector=detector,
                landmark_model=landmark_model,
                runtime=runtime,
                threads=_threads_per_worker(jobs, len(todo)) if threads is None else threads,
                # Whoever is not chosen must be found all the same to be hidden.
                faces="all" if anonymous else faces,
                min_quality=min_quality,
                choice=choice,
                selection=selection,
                drawing=drawing,
                arguments=arguments,
                n_inputs=plan.n_named,
                landmarks=landmarks,
            )
            jobs.run(settings, todo, lambda event: progress.handle(todo, event))
    if openface is not None:
        _write_openface(
            (*progress.tables, *progress.skipped), Path(openface), n_tables=len(plan.tables), progress=progress
        )
    if report is not None and progress.tables:
        for note in write_report(_result(plan, progress).tables, report, frames=report_frames):
            progress.add(Note(note))
    return _result(plan, progress)


def _write_openface(tables: Sequence[Path], out: Path, *, n_tables: int, progress: RunProgress) -> None:
    """OpenFace files of finished tables; one of several tables is of one input and gives the file its own name."""
    targets = [(table, out / f"{table.stem}.csv" if n_tables > 1 else out) for table in tables]
    files = [file for table, target in targets for file in convert_to_openface(table, target).files]
    if files:
        progress.add(Note(f"wrote {files[0]}" if len(files) == 1 else f"wrote {len(files)} files in {out}"))


@contextmanager
def _ready_folder(plan: Plan, progress: RunProgress) -> Iterator[None]:
    """Have the folder of tables, if there is one, for this run alone, and afterwards its list of failures right."""
    if plan.folder is None:
        yield
        return
    with locked_folder(plan.folder):
        read_failures(plan.folder)  # a file of that name that is not ours stops the run now and not at its end
        try:
            yield
        finally:
            rows = failure_rows(progress.failures, progress.records)
            listed = update_failures(plan.folder, rows, progress.done)
        if listed is not None:
            progress.add(FailuresListed(listed))


def _unfinished(plan: Plan, arguments: dict[str, Any], bundle_sha256: str, progress: RunProgress) -> list[TablePlan]:
    """What there is to do: the tables that no earlier run has finished."""
    todo, skipped = [], []
    for table in plan.tables:
        manifest = plan.earlier.finished(table.table, table.inputs[0], arguments, bundle_sha256)
        if manifest is None:
            todo.append(table)
        else:
            skipped.append(table.table)
            progress.record(manifest.inputs[0])
    if skipped:
        progress.add(TablesSkipped(tuple(skipped), plan.n_named))
    return todo


def _threads_per_worker(engine: Engine, n_jobs: int) -> int | None:
    """Threads of the models where the caller leaves it to us: all together as many as there are cores."""
    n_at_once = min(engine.n_workers, n_jobs)
    if n_at_once == 1:
        return None
    return max(1, usable_cores() // n_at_once) if engine.shares_cores else 1


def _result(plan: Plan, progress: RunProgress) -> RunResult:
    """What became of the run, in the order of the plan, in whatever order the workers were done."""
    place = {media.name: number for number, media in enumerate(plan.inputs)}
    places = {table.table: number for number, table in enumerate(plan.tables)}
    return RunResult(
        tables=tuple(sorted(progress.tables, key=lambda table: places[table])),
        inputs=tuple(sorted(progress.records, key=lambda record: place[record.path])),
        failures=tuple(sorted(progress.failures, key=lambda failure: place.get(failure.path, -1))),
        messages=tuple(progress.notes),
        skipped=tuple(progress.skipped),
    )
