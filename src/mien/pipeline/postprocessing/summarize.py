# SPDX-License-Identifier: Apache-2.0
"""Summaries of tables with the thresholds of their bundles; a table that cannot be read is a failure among others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mien.affect import Smoothing
from mien.core import DEFAULT_THRESHOLD, DISPLAY_SMOOTHING, InputError, ModelError, PathName
from mien.inference import find_bundle, list_bundles, load_spec
from mien.pipeline.postprocessing.smooth import ShownValues, shown_values
from mien.results import (
    InputFailure,
    OutputFile,
    RunManifest,
    Summary,
    action_unit_columns,
    action_unit_thresholds,
    check_outputs,
    check_window,
    format_of,
    hash_file,
    iter_pieces,
    list_tables,
    refuse_table,
    save_table,
    summarize_table,
    table_metadata,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class SummaryResult:
    """The outcome of `summarize_files`.

    Attributes:
        summary: Summary of all tables together; each of its tables begins with a column ``table``.
        written: Files that were written.
        failures: One failure per table that could not be summarised.
        n_summarized: Number of tables that were summarised.
        notes: How values were smoothed before, and which tables keep no thresholds, in sentences.
    """

    summary: Summary
    written: tuple[Path, ...]
    failures: tuple[InputFailure, ...]
    n_summarized: int
    notes: tuple[str, ...] = ()


def summarize(
    table: pa.Table | PathName,
    *,
    window_s: float | None = None,
    smooth: Smoothing | str | None = DISPLAY_SMOOTHING,
) -> Summary:
    """Summarises one affect table; ``docs/reference/summaries.md`` defines every column.

    Action units count as present by the thresholds that the table keeps, else by those of the bundle that its manifest
    names, else from 0.5. Values are smoothed lightly over time first, since single frames flicker; the column
    ``smoothing`` says how.

    Args:
        table: Table from `mien.read_table`, or the path of one or of a folder of `mien.analyze`.
        window_s: Length of the time windows in seconds, counted from second 0 of each source; None for one window.
        smooth: Half-width such as ``"0.4s"``, or settings as for `mien.analyze`; None or ``"none"`` for raw values. A
            table that is smoothed already is not smoothed again.

    Raises:
        ConfigError: The window is not longer than 0 s, the settings are malformed, or the ending is unknown.
        InputError: The table cannot be read, or its rows have no clear time.
    """
    check_window(window_s)
    shown = shown_values(table, smooth)
    return _summary(table, shown, window_s)


def _summary(table: pa.Table | PathName, shown: ShownValues, window_s: float | None) -> Summary:
    return summarize_table(
        table if isinstance(table, pa.Table) else Path(table),
        window_s=window_s,
        thresholds=None if isinstance(table, pa.Table) else bundle_thresholds(table),
        values=shown.pieces,
        smoothing=shown.smoothing,
    )


def summarize_files(
    tables: Sequence[PathName],
    *,
    out: PathName | None = None,
    events: PathName | None = None,
    transitions: PathName | None = None,
    window_s: float | None = None,
    smooth: Smoothing | str | None = DISPLAY_SMOOTHING,
) -> SummaryResult:
    """Summarises tables and writes the summary to files.

    Args:
        tables: Paths of affect tables, and of folders of `mien.analyze`.
        out: Path for the summary per source, face and window; the ending chooses the format, as for the others.
        events: Path for the events.
        transitions: Path for the transitions between expressions.
        window_s: Length of the time windows in seconds, as for `summarize`.
        smooth: Smoothing of the values, as for `summarize`.

    Raises:
        ConfigError: An ending is unknown, two outputs or a table and an output have one name, or the window is not
            longer than 0 s; nothing was read.
        OutputError: A file cannot be written.
    """
    wanted = {"windows": out, "events": events, "transitions": transitions}
    outputs = {name: Path(path) for name, path in wanted.items() if path is not None}
    for path in outputs.values():
        format_of(path)
    flags = {"windows": "--out", "events": "--events", "transitions": "--transitions"}
    files = [OutputFile(flags[name], path) for name, path in outputs.items()]
    check_outputs(files, [("TABLE", table) for table in tables])
    for file in files:
        refuse_table(file)
    check_window(window_s)
    settings = Smoothing.of_display(smooth)  # refused before any table is read
    parts: list[tuple[str, Summary]] = []
    notes: dict[str, None] = {}
    failures: list[InputFailure] = []
    done: list[Path] = []
    for named in tables:
        try:
            found = list_tables(named)
        except InputError as error:
            failures.append(InputFailure(path=str(named), reason=str(error)))
            continue
        for table in found:
            try:
                shown = shown_values(table, settings)
                parts.append((str(table), _summary(table, shown, window_s)))
                notes[shown.note] = None
                done.append(table)
            except InputError as error:
                failures.append(InputFailure(path=str(table), reason=str(error)))
    summary = Summary(**{name: _joined(parts, name) for name in ("windows", "events", "transitions")})
    if parts:
        for name, path in outputs.items():
            save_table(path, getattr(summary, name))
    return SummaryResult(
        summary=summary,
        written=tuple(outputs.values()) if parts else (),
        failures=tuple(failures),
        n_summarized=len(parts),
        notes=(*(note for note in notes if note), *thresholds_notes(done)),
    )


def bundle_thresholds(table: PathName) -> dict[str, float]:
    """Action unit -> threshold of the bundle that a table's manifest names, if that very bundle is installed.

    The tables of a folder are of one bundle. Text formats keep no thresholds; with its manifest a CSV gives the same
    summary as a Parquet file.
    """
    try:
        manifest = RunManifest.load(list_tables(table)[0])
        if manifest.bundle_name not in list_bundles():
            return {}  # a name from a file leads to no folder of this machine
        if hash_file(find_bundle(manifest.bundle_name) / "model.json") != manifest.bundle_sha256:
            return {}
        return load_spec(manifest.bundle_name).action_unit_thresholds
    except (InputError, ModelError):
        return {}  # no manifest, or a bundle that is not installed: the documented default holds


def thresholds_notes(tables: Iterable[PathName]) -> tuple[str, ...]:
    """A sentence for the user if action units of tables count as present from 0.5, since nothing tells better.

    Nothing is said of tables that keep the thresholds of their bundle or for which `bundle_thresholds` finds them, of
    tables of OpenFace, and of those without action units.

    Args:
        tables: Paths of affect tables, or of folders of `mien.analyze`.

    Raises:
        InputError: A table cannot be read.
    """
    without = [table for table in dict.fromkeys(tables) if not _has_thresholds(table)]
    if not without:
        return ()
    others = f" and {len(without) - 1} more" if len(without) > 1 else ""
    return (
        f"{without[0]}{others}: action units count as present from {DEFAULT_THRESHOLD}, since neither the table nor a "
        "manifest beside it tells the thresholds of its bundle; the Parquet table of the run has them",
    )


def _has_thresholds(table: PathName) -> bool:
    """Whether the thresholds of a table are known, or it has no action units that need them."""
    schema = next(iter_pieces(table)).schema
    known = action_unit_thresholds(schema) or "read_from" in table_metadata(schema) or bundle_thresholds(table)
    return bool(known) or not action_unit_columns(schema)


def _joined(parts: Sequence[tuple[str, Summary]], name: str) -> pa.Table:
    tables = []
    for path, summary in parts:
        table = getattr(summary, name)
        tables.append(table.add_column(0, pa.field("table", pa.string()), _repeated(path, len(table))))
    # Tables of different bundles have different columns: a column that a table lacks is null there.
    return pa.concat_tables(tables, promote_options="default") if tables else pa.table({})


def _repeated(text: str, n: int) -> pa.ChunkedArray:
    """A column of one text, whose chunks share their memory: the name of a table may be longer than its rows."""
    chunk = pa.array([text] * min(n, _ROWS_A_CHUNK), pa.string())
    return pa.chunked_array(
        [chunk.slice(0, n - start) for start in range(0, n, _ROWS_A_CHUNK)] or [chunk], type=pa.string()
    )


_ROWS_A_CHUNK = 4096
