# SPDX-License-Identifier: Apache-2.0
"""Analyses files into tables; ``mien analyze`` calls this."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mien.affect import AdaptiveRate, Smoothing, load_adaptation, parse_va
from mien.core import (
    NO_LANDMARK_MODEL,
    AnalyzerConfig,
    ConfigError,
    JobOptions,
    OutputError,
    Outputs,
    PathName,
    VideoOptions,
    is_folder,
    options_json,
    path_exists,
    private_files,
    row_options,
    with_shortcuts,
)
from mien.faces import parse_detector
from mien.inference import bundle_digest, is_model_file, load_geometry, load_spec, usable_cores
from mien.jobs import Engine, LocalEngine, create_engine, deferred_interrupts
from mien.media import camera_number, is_endless, public_address
from mien.pipeline.notebook_progress import notebook_progress
from mien.pipeline.overlay import Drawing
from mien.pipeline.plan import Plan, TablePlan, make_plan, shards_of
from mien.pipeline.postprocessing.convert import convert_to_openface, file_names, is_openface_file
from mien.pipeline.postprocessing.report import check_report_name, write_report
from mien.pipeline.resume import shard_digest
from mien.pipeline.run_progress import Event, FailuresListed, Note, Progress, RunProgress, TablesSkipped, TableWritten
from mien.pipeline.run_result import RunResult
from mien.pipeline.shards import finished_shards, identity
from mien.pipeline.table_run import RunSettings
from mien.results import (
    ABOUT_SUFFIX,
    FAILURES_NAME,
    OutputFile,
    check_folder,
    check_outputs,
    failure_rows,
    hash_file,
    locked_folder,
    manifest_path,
    read_failures,
    read_table,
    refuse_other_file,
    refuse_table,
    table_schema,
    update_failures,
)


def analyze(
    inputs: Sequence[PathName] | PathName,
    out: PathName | None = None,
    *,
    analyzer: AnalyzerConfig | None = None,
    video: VideoOptions | None = None,
    outputs: Outputs | None = None,
    jobs: JobOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
    **shortcuts: Any,
) -> RunResult:
    """Analyse files, folders, globs or a camera into tables.

    Rows are safe on the disk within seconds and become one file at the end; after a crash, the next run over the same
    table saves them beside it. An input that cannot be read becomes a failure and the others go on. After Ctrl-C and
    after an error of the output, the table holds every frame that was done.

    In a folder of tables, the next run skips what is finished: the same bytes, models, settings and version of mien.
    Other inputs are analysed again, with no row lost or doubled wherever a crash came. ``failures.csv`` in that folder
    lists what could not be read, or not completely; it is removed once there are no failures.

    Args:
        inputs: Files, folders, glob patterns, a camera number, or, with ``network=True``, addresses.
        out: Table (.parquet, .csv, .jsonl, .ndjson) for all inputs, or a folder (any existing one, a name without
            ending, or one that ends with ``/``) with one Parquet table per input; stands for ``outputs.table``. None
            gives the rows in memory, ``result.table``.
        analyzer: Models and how they run.
        video: Frames of videos to analyse, and smoothing.
        outputs: Files to write beside the table.
        jobs: Number of inputs to work on at the same time, and what runs them; workers divide the cores among them.
        on_progress: Called after every frame; None shows a bar in notebooks.
        on_event: Called when an input is done or has failed, when a table is complete, and for notes: everything that
            the result will hold, as it happens. Callbacks may raise; what was read is then kept as after Ctrl-C.
        **shortcuts: Fields of the four options by name, such as ``every=2`` or ``threads=1``.

    Raises:
        ConfigError: The options make no sense together; nothing was read.
        OutputError: A table or the overlay cannot be written, or another run is writing to the folder.
        JobError: No worker process can start.
        ModelError: A model is missing, damaged or of an unknown version.
        MissingExtraError: The runtime or the engine is not installed.
        TypeError: No options have a field of that name.
    """
    names = [os.fspath(name) for name in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)]
    options = with_shortcuts(
        shortcuts if out is None else {"table": out, **shortcuts},
        analyzer or AnalyzerConfig(),
        video or VideoOptions(),
        outputs or Outputs(),
        jobs or JobOptions(),
    )
    run = partial(
        _run,
        names,
        on_progress=on_progress or notebook_progress() or (lambda _: None),
    )
    tell = on_event or (lambda _: None)
    config, video_options, places, job_options = options
    if places.table is not None:
        return run(config, video_options, places, job_options, on_event=tell)
    if any(camera_number(name) is not None or is_endless(name) for name in names):
        raise ConfigError("a camera has no end; name a table with --out, or watch it with: mien live")
    with TemporaryDirectory(prefix="mien-") as folder:
        places = replace(places, table=Path(folder) / "table.parquet")
        # That file is gone at the end: no event names it.
        result = run(config, video_options, places, job_options, on_event=partial(_without_tables, tell))
        rows = read_table(result.tables[0]) if result.tables else table_schema().empty_table()
        return replace(result, tables=(), in_memory=rows)


def _run(
    names: list[str],
    analyzer: AnalyzerConfig,
    video: VideoOptions,
    outputs: Outputs,
    jobs: JobOptions,
    *,
    on_progress: Callable[[Progress], None],
    on_event: Callable[[Event], None],
) -> RunResult:
    video = _with_settings(video, analyzer)
    Smoothing.of_display(outputs.display_smooth)  # a mistake shows before any work
    digests = _model_digests(analyzer)
    engine = create_engine(jobs.engine, workers=jobs.workers)
    _check_objects(analyzer, engine)
    plan = _checked_plan(names, outputs, engine, network=video.network)
    settings = RunSettings(
        analyzer=analyzer,
        video=video,
        outputs=outputs,
        arguments={
            "inputs": [public_address(name) for name in names],
            **options_json(analyzer, video, outputs, jobs),
            **digests,
        },
        rows={**row_options(analyzer, video, outputs), **digests},
        n_inputs=plan.n_named,
    )
    progress = RunProgress(n_inputs=plan.n_named, on_progress=on_progress, on_event=on_event)
    if plan.not_read:
        progress.add(Note(_not_read_note(plan.not_read)))
    with private_files(private=outputs.private):
        with _ready_folder(plan, Path(outputs.table or ""), progress):
            _run_tables(plan, settings, engine, progress)
        if outputs.openface is not None:
            _write_openface(plan, Path(outputs.openface), progress)
        if outputs.report is not None and progress.tables:
            tables = _result(plan, progress).tables
            sources = [media.path for media in plan.inputs if media.path is not None]
            shown = outputs.display_smooth
            for note in write_report(
                tables, outputs.report, frames=outputs.report_frames, within=sources, smooth=shown
            ):
                progress.add(Note(note))
    return _result(plan, progress)


def _without_tables(tell: Callable[[Event], None], event: Event) -> None:
    if not isinstance(event, TableWritten):
        tell(event)


def _not_read_note(names: Sequence[str]) -> str:
    """A note about the files of folders that are no photos or videos."""
    shown = ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
    files = "1 file is" if len(names) == 1 else f"{len(names)} files are"
    return f"{files} no photo or video by the suffix and not read: {shown}"


_NAMES_SHOWN = 5


def _with_settings(video: VideoOptions, analyzer: AnalyzerConfig) -> VideoOptions:
    """The options with text for smoothing and adaptive rate parsed, so that mistakes show before any work.

    Raises:
        ConfigError: A text is no such settings.
        ModelError: The bundle's own smoothing is wanted, and the bundle is missing or damaged.
    """
    spec = load_spec(analyzer.model, kind="affect") if video.smooth == "bundle" else None
    return replace(video, smooth=Smoothing.of(video.smooth, spec), adaptive=AdaptiveRate.of(video.adaptive))


def _model_digests(analyzer: AnalyzerConfig) -> dict[str, str | None]:
    """Digests of the models beside the affect bundle that have a file, for the manifest and for resume.

    Raises:
        ConfigError: The name of the detector or the source of valence and arousal is damaged.
        ModelError: The landmark model or geometry bundle is missing or damaged.
    """
    digests: dict[str, str | None] = {}
    if isinstance(analyzer.detector, str) and (weights := parse_detector(analyzer.detector)[1].get("model")):
        digests["detector_sha256"] = hash_file(weights) if is_model_file(Path(weights)) else None
    landmark_model = analyzer.landmark_model
    if isinstance(landmark_model, (str, Path)) and landmark_model != NO_LANDMARK_MODEL:
        digests["landmark_model_sha256"] = bundle_digest(landmark_model, kind="landmarks")
    if analyzer.adapt is not None:
        load_adaptation(analyzer.adapt, load_spec(analyzer.model))  # a missing or foreign file is one clear error
        digests["adaptation_sha256"] = hash_file(analyzer.adapt)
    if geometry := parse_va(analyzer.va)[1]:
        digests["geometry_sha256"] = load_geometry(geometry).digest
    return digests


def _check_objects(analyzer: AnalyzerConfig, engine: Engine) -> None:
    """Refuse models that cannot reach the processes of several workers.

    Raises:
        ConfigError: A detector or landmark model is an object that cannot be pickled.
    """
    if engine.n_workers == 1 or not analyzer.holds_objects:
        return
    try:
        pickle.dumps(analyzer)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise ConfigError(
            f"several workers need models that can be pickled ({error}); define their class in a module"
        ) from error


def _checked_plan(names: Sequence[str], outputs: Outputs, engine: Engine, *, network: bool) -> Plan:
    """The tables of a run, after everything that can be refused before the work is.

    Raises:
        ConfigError: An output does not fit the inputs, or no table is named.
    """
    if outputs.report is not None:
        check_report_name(outputs.report)
    if outputs.table is None:
        raise ConfigError("no table is named; give a file such as out='faces.parquet', or a folder")
    plan = make_plan(names, outputs.table, network=network, shard_size=outputs.shard_size)
    drawing = Drawing.of(outputs)
    if drawing is not None:
        if plan.n_named != 1:
            raise ConfigError(f"an overlay needs a single input, got {plan.n_named}; analyse them one by one")
        for media in plan.inputs:
            drawing.check(media)
    if plan.folder is None and engine.n_workers > 1 and plan.n_named > 1:
        folder = Path(outputs.table).stem
        raise ConfigError(f"several workers cannot share one table; give a folder, such as --out {folder}/")
    openface = outputs.openface
    if openface is not None and is_openface_file(Path(openface)) and plan.n_named != 1:
        raise ConfigError(f"{os.fspath(openface)} is for a single input, got {plan.n_named}; name a folder for them")
    _check_places(plan, outputs)
    return plan


def _check_places(plan: Plan, outputs: Outputs) -> None:
    """Refuse outputs that would replace one another, an input or a file of the user, or that cannot be written.

    Raises:
        ConfigError: An output would replace something that it must not.
        OutputError: A place cannot be written.
    """
    if not plan.inputs:
        return
    tables = [OutputFile("--out", table.table, is_table=True) for table in plan.tables]
    others = [OutputFile("--out", manifest_path(table.path)) for table in tables]
    if plan.folder is not None:
        check_folder(plan.folder, plan.folder, "check that the folder may be written to, or choose another one")
        others.append(OutputFile("--out", plan.folder / FAILURES_NAME))
    for option, path in (("--overlay", outputs.overlay), ("--report", outputs.report)):
        if path is not None:
            others.append(OutputFile(option, Path(path)))
    if outputs.openface is not None:
        files = [file for _, file in _openface_files(plan, Path(outputs.openface), [one.path for one in tables])]
        openface = [OutputFile("--openface", file) for file in files]
        others += [*openface, *(OutputFile("--openface", Path(f"{file}{ABOUT_SUFFIX}")) for file in files)]
    check_outputs([*tables, *others], [("the input", media.path) for media in plan.inputs if media.path is not None])
    for table in tables:
        refuse_other_file(table)
    for other in others:
        refuse_table(other)


def _openface_files(plan: Plan, out: Path, tables: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pairs of a table and its OpenFace file; a single table gives the file its own name."""
    if is_openface_file(out):
        return [(table, out) for table in tables]
    if len(plan.tables) > 1:
        return [(table, out / f"{table.stem}.csv") for table in tables]
    names = file_names([media.name for media in plan.inputs])
    return [(table, out / f"{name}.csv") for table in tables for name in names]


def _run_tables(plan: Plan, settings: RunSettings, engine: Engine, progress: RunProgress) -> None:
    """Write the tables that no earlier run has finished."""
    for failure in plan.failures:
        progress.add(failure)
    todo = list(plan.tables)
    if plan.folder is not None and settings.outputs.overlay is None:
        todo = _unfinished(plan, settings, bundle_digest(settings.analyzer.model, kind="affect"), progress)
    if not todo:
        return
    engine = LocalEngine() if plan.folder is None else engine
    threads = settings.analyzer.threads or _threads_per_worker(engine, len(todo))
    settings = replace(settings, analyzer=replace(settings.analyzer, threads=threads))
    engine.run(settings, todo, lambda event: progress.handle(todo, event))


def _write_openface(plan: Plan, out: Path, progress: RunProgress) -> None:
    """OpenFace files of finished tables; a single table gives the file its own name."""
    tables = (*progress.tables, *progress.skipped)
    targets = [(table, out / f"{table.stem}.csv" if len(plan.tables) > 1 else out) for table in tables]
    files = [file for table, target in targets for file in convert_to_openface(table, target).files]
    if files:
        progress.add(Note(f"wrote {files[0]}" if len(files) == 1 else f"wrote {len(files)} files in {out}"))


@contextmanager
def _ready_folder(plan: Plan, table: Path, progress: RunProgress) -> Iterator[None]:
    """Lock the folder of tables, if there is one, for this run, and update its list of failures at the end."""
    if plan.folder is None:
        listed = None
        try:
            yield
        finally:
            with deferred_interrupts():
                listed = _list_beside(plan, table, progress)
    else:
        with locked_folder(plan.folder):
            read_failures(plan.folder)  # a file of that name that is not mien's stops the run now and not at its end
            try:
                yield
            finally:
                with deferred_interrupts():
                    listed = _update_list(plan, plan.folder, progress)
    if listed is not None:
        progress.add(FailuresListed(listed))


_LIST_WAIT_S = 2.0


def _update_list(plan: Plan, folder: Path, progress: RunProgress, lone: Path | None = None) -> Path | None:
    """Update the list of failures of a folder of tables, or of the folder of a single one; its path if it has rows."""
    table_of = {media.name: table.table.name for table in plan.tables for media in table.inputs}
    table_of |= {failure.path: table.table.name for table in plan.tables for failure in table.failures}
    if lone is not None:
        table_of |= {failure.path: lone.name for failure in plan.failures}
    rows = failure_rows(progress.failures, progress.records, table_of)
    tables = {table_of[name] for name in progress.done if name in table_of}
    return update_failures(folder, rows, progress.done, tables)


def _list_beside(plan: Plan, table: Path, progress: RunProgress) -> Path | None:
    """Update the list of failures in the folder of a single table, where that name is free or such a list."""
    folder = table.parent
    rows = failure_rows(progress.failures, progress.records)
    is_free = is_folder(folder) and table.name.casefold() != FAILURES_NAME
    if not is_free or not (rows or path_exists(folder / FAILURES_NAME)):
        return None
    try:
        with locked_folder(folder, wait_s=_LIST_WAIT_S):  # other runs may end at the same time
            listed = _update_list(plan, folder, progress, lone=table)
        return listed if rows else None
    except OutputError as error:
        if rows:  # the table and its manifest are complete, and the messages name what failed
            progress.add(Note(f"the failures are not listed: {error}"))
        return None


def _unfinished(plan: Plan, settings: RunSettings, bundle_sha256: str, progress: RunProgress) -> list[TablePlan]:
    """The tables that no earlier run has finished, and shards of the photos that none holds."""
    todo, skipped = _unfinished_shards(plan, settings, bundle_sha256, progress)
    for table in plan.tables:
        if table.is_shard:
            continue
        manifest = plan.earlier.finished(table.table, table.inputs[0], settings.rows, bundle_sha256)
        if manifest is None:
            todo.append(table)
        else:
            skipped.append(table.table)
            progress.record(manifest.inputs[0])
    if skipped:
        progress.add(TablesSkipped(tuple(skipped), plan.n_named))
    return todo


def _unfinished_shards(
    plan: Plan, settings: RunSettings, bundle_sha256: str, progress: RunProgress
) -> tuple[list[TablePlan], list[Path]]:
    """Shards of the photos that no earlier run has finished, and the tables that hold the others."""
    shards = [table for table in plan.tables if table.is_shard]
    photos = [photo for table in shards for photo in table.inputs]
    if plan.folder is None or settings.outputs.shard_size is None or not photos:
        return [], []
    finished = finished_shards(plan.folder, photos, shard_digest(settings.rows, bundle_sha256))
    left = []
    for photo in photos:
        record = None if photo.path is None else finished.records.get(identity(photo.path))
        if record is None:
            left.append(photo)
        else:
            progress.record(record)
    kept = {table.name for table in finished.tables}
    size, first = settings.outputs.shard_size, shards[0].first_number
    return shards_of(left, size, plan.folder, first_number=first, in_use=kept), list(finished.tables)


def _threads_per_worker(engine: Engine, n_jobs: int) -> int | None:
    """Number of threads per model so that all workers together use every core once; None for one worker."""
    n_at_once = min(engine.n_workers, n_jobs)
    if n_at_once == 1:
        return None
    return max(1, usable_cores() // n_at_once) if engine.shares_cores else 1


def _result(plan: Plan, progress: RunProgress) -> RunResult:
    """Result of the run in the order of the plan, whatever the order in which workers finished."""
    place = {media.name: number for number, media in enumerate(plan.inputs)}
    places = {table.table: number for number, table in enumerate(plan.tables)}
    return RunResult(
        tables=tuple(sorted(progress.tables, key=lambda table: (places.get(table, len(places)), table))),
        inputs=tuple(sorted(progress.records, key=lambda record: place[record.path])),
        failures=tuple(sorted(progress.failures, key=lambda failure: place.get(failure.path, -1))),
        messages=tuple(progress.notes),
        skipped=tuple(progress.skipped),
    )
