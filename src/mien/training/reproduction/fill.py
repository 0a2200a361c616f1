# SPDX-License-Identifier: Apache-2.0
"""Fills the table row by row: what is done is kept, what fails is told, and the page is written after every row."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from mien.core import ConfigError, DatasetError, MienError, OutputError
from mien.results import output_errors
from mien.training.reproduction.cost import measure_cost
from mien.training.reproduction.page import write_page
from mien.training.reproduction.plan import Budget, Row, choose_rows, list_rows, under_budget
from mien.training.reproduction.records import Cost, Trained, load_records, save_records
from mien.training.reproduction.train import count_rows, digest, row_folder, train_row
from mien.training.run import ComputeSettings

logger = logging.getLogger(__name__)


def load_budget(page: Path) -> Budget:
    """The budget of the table whose page this is; that of a new table where there is none.

    Raises:
        ConfigError: its records cannot be read.
    """
    return load_records(page.with_suffix(".json")).budget


PASSES = ("train", "speed", "page")
"""What can be asked for alone. The page is written in any case."""

Train = Callable[[Row, Budget, int, Path, Path, ComputeSettings], Trained]
"""`train_row`, or what stands in for it in tests."""


def reproduce(
    data: Path,
    work: Path,
    page: Path,
    *,
    budget: Budget | None = None,
    names: Sequence[str] = (),
    passes: Collection[str] = PASSES,
    machine: ComputeSettings | None = None,
    train: Train = train_row,
) -> dict[str, str]:
    """Train and measure the rows that are missing, and write the page.

    Args:
        data: folder of the open face sets (layout: docs/training.md).
        work: folder of checkpoints, bundles and graphs; what is there is used again.
        page: Markdown file; the records lie beside it, with the ending .json.
        budget: of every row, and from now on that of the table; None for the one that the table has.
        names: rows in the order wanted, by any recipe that they stand for; empty for all.
        passes: of `PASSES`.
        machine: device, threads and cache of the trainings; its threads are also those of the speeds.
        train: trains and measures one row.

    Returns:
        Row -> why it failed; the other rows are done.

    Raises:
        ConfigError: a name or pass is unknown, or the records cannot be read.
        DatasetError: the data are missing.
        OutputError: the page or the work folder cannot be written.
    """
    unknown = sorted(set(passes) - set(PASSES))
    if unknown:
        raise ConfigError(f"no passes {unknown}; there are {PASSES}")
    table = _Table(page, budget, machine or ComputeSettings(threads=2))
    rows = choose_rows(names)
    table.write()
    failures: dict[str, str] = {}
    if "train" in passes:
        n_rows = count_rows(table.budget, rows[0], data)
        failures |= _each(rows, lambda row: table.learn(row, n_rows, data, work, train))
    if "speed" in passes:
        failures |= _each([row for row in rows if row.name not in failures], lambda row: table.time(row, work))
    return failures


class _Table:
    """The records and the page, kept in step."""

    def __init__(self, page: Path, budget: Budget | None, machine: ComputeSettings) -> None:
        self._page, self._path = page, page.with_suffix(".json")
        self._machine, self._rows = machine, list_rows()
        records = load_records(self._path)  # refuses a strange file before any work
        self.budget = budget or records.budget
        if self.budget != records.budget:
            save_records(self._path, dataclasses.replace(records, budget=self.budget))

    def learn(self, row: Row, n_rows: int, data: Path, work: Path, train: Train) -> None:
        """Train a row unless it was trained with these settings."""
        known = load_records(self._path)[row.name].trained
        if known is not None and known.digest == digest(under_budget(row, self.budget, n_rows), n_rows):
            logger.info("%s: trained before", row.name)
            return
        logger.info("%s: training", row.name)
        self._keep(row, trained=train(row, self.budget, n_rows, data, work, self._machine))

    def time(self, row: Row, work: Path) -> None:
        """Measure the cost of a row at both sizes."""
        logger.info("%s: cost and speed", row.name)
        threads = self._machine.threads or 1
        small = under_budget(row, self.budget, self.budget.images)
        graph = row_folder(work, small) / "bundle" / "model.onnx"
        graphs = work / "graphs"
        self._keep(
            row,
            as_published=measure_cost(row.recipe, graphs / f"{row.name}-{row.recipe.model.input_px}.onnx", threads),
            as_trained=measure_cost(small, graph if graph.is_file() else graphs / f"{small.name}.onnx", threads),
        )

    def write(self) -> None:
        """The page from what is known."""
        with output_errors(self._page, "choose another page with --page"):
            self._page.write_text(write_page(self._rows, load_records(self._path)), "utf-8")

    def _keep(self, row: Row, **parts: Trained | Cost) -> None:
        # Read again: another run may have filled other rows meanwhile.
        save_records(self._path, load_records(self._path).with_row(row.name, **parts))
        self.write()


def _each(rows: Sequence[Row], work: Callable[[Row], None]) -> dict[str, str]:
    """Every row's work; a row that fails leaves the others alone, but without data or disk none can succeed."""
    failures: dict[str, str] = {}
    for row in rows:
        try:
            work(row)
        except (DatasetError, OutputError):
            raise
        except MienError as error:
            logger.error("%s: %s", row.name, error)
            failures[row.name] = str(error)
    return failures
