# SPDX-License-Identifier: Apache-2.0
"""Summaries of tables on disk: several tables into one summary, a bad one among them a failure and no more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mien.core import ConfigError, InputError, ModelError
from mien.inference import find_bundle, load_spec
from mien.results import InputFailure, RunManifest, Summary, format_of, hash_file, save_table, summarize


@dataclass(frozen=True, eq=False, kw_only=True)
class SummaryResult:
    """What became of `summarize_files`.

    Attributes:
        summary: of all tables together; each of its tables begins with a column ``table``.
        written: files that were written.
        failures: tables that could not be summarised.
    """

    summary: Summary
    written: tuple[Path, ...]
    failures: tuple[InputFailure, ...]

    @property
    def exit_code(self) -> int:
        """Of the command line: 0 all done, 1 some tables failed, 3 all of them."""
        if not self.failures:
            return 0
        return 1 if self.summary.windows.num_columns else 3


def summarize_files(
    tables: Sequence[str | os.PathLike[str]],
    *,
    out: Path | None = None,
    events: Path | None = None,
    transitions: Path | None = None,
    window_s: float | None = None,
) -> SummaryResult:
    """Summarise tables and write what was asked for.

    Args:
        tables: affect tables.
        out: for the summary of windows; the ending chooses the format, as for the others.
        events: for the events.
        transitions: for the transitions between expressions.
        window_s: see `mien.results.summarize`.

    Raises:
        ConfigError: an ending is unknown, two outputs or a table and an output have one name, or the window makes no
            sense; nothing was read.
        OutputError: a file cannot be written.
    """
    wanted = {"windows": out, "events": events, "transitions": transitions}
    outputs = {name: path for name, path in wanted.items() if path is not None}
    _check_outputs([Path(table) for table in tables], list(outputs.values()))
    parts: list[tuple[str, Summary]] = []
    failures: list[InputFailure] = []
    for table in map(Path, tables):
        try:
            parts.append((str(table), summarize(table, window_s=window_s, thresholds=bundle_thresholds(table))))
        except InputError as error:
            failures.append(InputFailure(path=str(table), reason=str(error)))
    summary = Summary(**{name: _joined(parts, name) for name in ("windows", "events", "transitions")})
    if parts:
        for name, path in outputs.items():
            save_table(path, getattr(summary, name))
    return SummaryResult(summary=summary, written=tuple(outputs.values()) if parts else (), failures=tuple(failures))


def bundle_thresholds(table: Path) -> dict[str, float]:
    """The action-unit thresholds of the bundle that a table's manifest names, if that very bundle is installed.

    Text formats have no room for them; with their manifest a CSV gives the same numbers as a Parquet file.
    """
    try:
        manifest = RunManifest.load(table)
        if hash_file(find_bundle(manifest.bundle_name) / "model.json") != manifest.bundle_sha256:
            return {}
        return load_spec(manifest.bundle_name).action_unit_thresholds
    except (InputError, ModelError):
        return {}  # no manifest, or a bundle that is not here: the documented default holds


def _check_outputs(tables: Sequence[Path], outputs: Sequence[Path]) -> None:
    for path in outputs:
        format_of(path)
    names = [path.resolve() for path in outputs]
    if len(set(names)) < len(names):
        raise ConfigError("two outputs have the same name; choose one for each")
    taken = [table for table in tables if table.resolve() in names]
    if taken:
        raise ConfigError(f"{taken[0]}: the summary would replace the table; choose another name")


def _joined(parts: Sequence[tuple[str, Summary]], name: str) -> pa.Table:
    tables = []
    for path, summary in parts:
        table = getattr(summary, name)
        column = pa.array([path] * len(table), pa.string())
        tables.append(table.add_column(0, pa.field("table", pa.string()), column))
    # Tables of different bundles have different columns: those that one lacks are null there.
    return pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
