# SPDX-License-Identifier: Apache-2.0
"""Train every network of the papers under one budget, measure it alike, and write docs/research/results.md (hours).

    python -m benchmarks results --data DATA --work WORK --page docs/research/results.md

A row that was trained with the same settings is kept, and an interrupted one resumes. The page lists every row, says
how to run the missing ones, and which networks it does not compare and why; ``--rows`` trains those too. Another
budget (``--images``, ``--size``, ``--batch``) becomes that of the table: rows of the earlier budget stay in it, marked,
until they are trained again. ``--only own`` trains the rows by their own recipes, ``--only check`` compares the costs
with today's recipes and counts those of new rows, without timings.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from benchmarks import create_parser
from benchmarks.page import write_page
from benchmarks.results.cost import checked_cost, measure_cost
from benchmarks.results.majority_row import majority_metrics
from benchmarks.results.plan import Budget, Row, choose_rows, list_rows, under_budget
from benchmarks.results.records import Cost, Trained, load_records, save_records
from benchmarks.results.results_page import NAME, is_shown, results_page
from benchmarks.results.train_row import Run, budget_run, count_rows, own_run, row_folder, train_row
from mien.core import ConfigError, DatasetError, MienError, OutputError
from mien.results import output_errors
from mien.training import ComputeSettings

logger = logging.getLogger(__name__)


def load_budget(page: Path) -> Budget:
    """The budget of the table of this page, or the default budget where there is no page.

    Raises:
        ConfigError: the records cannot be read.
    """
    return load_records(page.with_suffix(".json")).budget


PASSES = ("train", "own", "speed", "check", "page")
"""Passes that can run alone. The page is written in any case."""

SEEDS = (1, 2, 3)
"""Seeds of the trainings under the common budget."""

Train = Callable[[Run, Path, Path, ComputeSettings], Trained]
"""Type of `train_row`, which tests replace."""


def fill_table(
    data: Path,
    work: Path,
    page: Path,
    *,
    budget: Budget | None = None,
    names: Sequence[str] = (),
    passes: Collection[str] = PASSES,
    seeds: Sequence[int] = SEEDS,
    machine: ComputeSettings | None = None,
    train: Train = train_row,
) -> dict[str, str]:
    """Train and measure the missing rows, and write the page after each.

    Args:
        data: folder of the open face sets (layout: docs/how-to/training.md).
        work: folder of checkpoints, bundles and graphs, which later runs use again.
        page: Markdown file; the records lie beside it, with the ending .json.
        budget: budget of every row, which becomes the budget of the table; None for the table's own.
        names: names of rows in the order wanted, or of any recipe that they stand for; empty for all that the table
            compares.
        passes: any of `PASSES`.
        seeds: seeds of the trainings under the common budget.
        machine: device, threads and cache of the trainings; its threads are also those of the speeds.
        train: trains and measures one row.

    Returns:
        Row -> the reason why it failed; the other rows are done.

    Raises:
        ConfigError: a name or pass is unknown, or the records cannot be read.
        DatasetError: the data are missing.
        OutputError: the page or the work folder cannot be written.
    """
    unknown = sorted(set(passes) - set(PASSES))
    if unknown:
        raise ConfigError(f"no passes {unknown}; there are {PASSES}")
    table = _Table(page, budget, machine or ComputeSettings(threads=2))
    everything = choose_rows(names)
    table.write()
    rows = [row for row in everything if names or table.compares(row)]
    failures: dict[str, str] = {}
    if {"train", "check"} & set(passes):
        n_rows = count_rows(table.budget, rows[0], data)
        table.measure_faces(data, n_rows)
    if "train" in passes:
        for seed in seeds:
            runs = {row.name: budget_run(row, table.budget, n_rows, seed) for row in rows}
            failures |= _each(
                [row for row in rows if row.name not in failures],
                lambda row, runs=runs: table.train(row, runs[row.name], data, work, train),
            )
    if "own" in passes:
        failures |= _each(rows, lambda row: table.train_own(row, data, work, train))
    timed = [row for row in everything if row.name not in failures and not row.compares_sizes]
    if "speed" in passes:
        failures |= _each(timed, lambda row: table.time(row, work))
    elif "check" in passes:
        failures |= _each(timed, lambda row: table.check(row, work))
    return failures


class _Table:
    """The records and the page, which are written together."""

    def __init__(self, page: Path, budget: Budget | None, machine: ComputeSettings) -> None:
        self._page, self._path = page, page.with_suffix(".json")
        self._machine, self._rows = machine, list_rows()
        records = load_records(self._path)  # an invalid file is an error before any work
        self.budget = budget or records.budget
        known = {name: record for name, record in records.rows.items() if name in self._rows}
        if self.budget != records.budget or len(known) < len(records.rows):
            save_records(self._path, dataclasses.replace(records, budget=self.budget, rows=known))

    def compares(self, row: Row) -> bool:
        """Whether the table compares this network, or shows it since it was trained."""
        return is_shown(row, load_records(self._path))

    def train(self, row: Row, run: Run, data: Path, work: Path, train: Train) -> None:
        """Train a row under the budget unless it was trained with these settings."""
        record = load_records(self._path)[row.name]
        known = [each for each in (record.trained, *record.further) if each is not None]
        if any(each.digest == run.digest for each in known):
            logger.info("%s, seed %d: trained before", row.name, run.recipe.seed)
            return
        logger.info("%s, seed %d: training", row.name, run.recipe.seed)
        found = train(run, data, work, self._machine)
        if run.recipe.seed == 1:
            self._keep(row, trained=found)
            return
        others = [each for each in record.further if each.seed != run.recipe.seed]
        self._keep(row, further=tuple(sorted((*others, found), key=lambda each: each.seed)))

    def train_own(self, row: Row, data: Path, work: Path, train: Train) -> None:
        """Train a row by its own recipe, unless it was, or has none for these faces."""
        run, known = own_run(row, self.budget), load_records(self._path)[row.name].own
        if run is None or (known is not None and known.digest == run.digest):
            return
        logger.info("%s: training by its own recipe", row.name)
        self._keep(row, own=train(run, data, work, self._machine))

    def measure_faces(self, data: Path, n_rows: int) -> None:
        """Keep the number of training faces, and measure the constant prediction once."""
        records = load_records(self._path)
        majority = records.majority or majority_metrics(data)
        save_records(self._path, dataclasses.replace(records, majority=majority, n_rows=n_rows))
        self.write()

    def check(self, row: Row, work: Path) -> None:
        """Compare the costs of a row with today's recipe; timings of another network are dropped.

        A row without costs gets those that need no timing.
        """
        record, small = load_records(self._path)[row.name], under_budget(row, self.budget, self.budget.images)
        costs = {
            "as_published": (record.as_published, row.recipe, f"{row.name}-{row.recipe.model.input_px}"),
            "as_trained": (record.as_trained, small, small.name),
        }
        checked = {
            part: checked_cost(recipe, work / "graphs" / f"{name}.onnx", known)
            for part, (known, recipe, name) in costs.items()
        }
        self._keep(row, **checked)

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
        """Write the page from the records."""
        with output_errors(self._page, "choose another page with --page"):
            write_page(self._page, results_page(self._rows, load_records(self._path)))

    def _keep(self, row: Row, **parts: Trained | Cost | tuple[Trained, ...]) -> None:
        # Read again: another run may have filled other rows in the meantime.
        save_records(self._path, load_records(self._path).with_row(row.name, **parts))
        self.write()


def _each(rows: Sequence[Row], work: Callable[[Row], None]) -> dict[str, str]:
    """Do the work of every row. A failed row does not stop the others, except where data or disk are missing."""
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the table; 1 where a row failed."""
    parser = create_parser(NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints and bundles")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file; its records lie beside it as JSON")
    parser.add_argument("--images", type=_at_least(1), help="faces shown to each network (default: the table's)")
    parser.add_argument("--size", type=_at_least(16), help="side of the crops in px (default: the table's)")
    parser.add_argument("--batch", type=_at_least(2), help="faces per step (default: the table's)")
    parser.add_argument(
        "--rows", action="append", default=[], metavar="NAME", help="only this row; may be repeated, and sets the order"
    )
    parser.add_argument("--only", choices=PASSES, help="one pass alone (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="seeds under the budget (default: 1 2 3)")
    parser.add_argument(
        "--threads", type=_at_least(1), default=2, help="threads of torch and the runtimes (default: %(default)s)"
    )
    parser.add_argument("--accelerator", choices=["cpu", "gpu", "mps", "auto"], default="cpu", help="(default: cpu)")
    parser.add_argument("--cache", type=Path, help="folder of decoded images (default: the user's cache)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    for package in ("mien", "benchmarks"):
        logging.getLogger(package).setLevel(logging.INFO)
    given = {"images": chosen.images, "size_px": chosen.size, "batch": chosen.batch}
    changes = {name: value for name, value in given.items() if value is not None}
    failures = fill_table(
        chosen.data,
        chosen.work,
        chosen.page,
        budget=dataclasses.replace(load_budget(chosen.page), **changes),
        names=chosen.rows,
        passes=(chosen.only,) if chosen.only else PASSES,
        seeds=chosen.seeds,
        machine=ComputeSettings(threads=chosen.threads, accelerator=chosen.accelerator, cache=chosen.cache),
    )
    for name, reason in failures.items():
        print(f"{name}: {reason}", file=sys.stderr)
    print(f"{chosen.page}" if not failures else f"{chosen.page}, without {len(failures)} rows that failed")
    return 1 if failures else 0


def _at_least(minimum: int) -> Callable[[str], int]:
    """A type of argparse: an integer that is not smaller than the minimum."""

    def integer(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is smaller than {minimum}")
        return value

    return integer
