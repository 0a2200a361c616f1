# SPDX-License-Identifier: Apache-2.0
"""The page of results, written from the records alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from benchmarks import command_of
from benchmarks.page import measured_by, notice, table
from benchmarks.results.cost import cost_digest
from benchmarks.results.plan import Row, own_recipe, trained_name, under_budget
from benchmarks.results.records import Cost, Records, Trained
from benchmarks.results.train_row import budget_run
from benchmarks.runtime_speed import BATCHES
from mien.core import MetricValue
from mien.training.export.onnx_export import MAX_PARITY_GAP

NAME = "results"
COMMAND = f"{command_of(NAME)} --data DATA --work WORK --page docs/research/results.md"

_COLUMNS = {
    "accuracy": "accuracy, plurality",
    "official": "accuracy, official majority",
    "macro F1": "macro F1, plurality",
    "CCC V": "CCC valence",
    "CCC A": "CCC arousal",
    "AU F1": "mean AU F1 against the teacher",
    "P_MTL": "P_MTL",
}
_RUNTIMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}

_INTRODUCTION = """\
# Results

{notice}

Every network of the systems ([EmotiEffNet](systems/emotieffnet.md), [DDAMFN](systems/ddamfn.md),
[MTANet-style](systems/mtanet.md), [CNN of 2020](systems/expr-cnn-2020.md)), trained from random weights on the same
faces with the same labels, heads, losses and optimiser.

The budget of every row: {images:,} gray FER+ training faces (repetitions counted) at {size_px} px (they have 48) in
batches of {batch}; AdamW, one cycle up to {peak_lr:g}; random mirroring and small geometric changes. Labels: the votes;
valence and arousal mapped from them; action units of a landmark model ([training](../how-to/training.md)). Measured on
FER+ valid (3,555 faces by plurality, 3,191 by the official majority); nothing was selected there. Action units and
P_MTL are measured against these derived labels, so they only compare the rows with each other. *Majority* is the
commonest training label of each task for every face.

A value is the mean over the seeds of the row. Its interval reaches from the lowest to the highest end of the seeds'
95 % bootstrap intervals over faces, so it contains the differences between seeds; a row with one seed has the interval
of its faces alone, which is too short: two seeds of one row have differed by up to 0.031 of accuracy. **Rows are not
ranked within these intervals**: *place* counts the rows whose interval of accuracy is wholly above, and those that are
not wholly below.

"By its own recipe" is the same network with the heads, losses, optimiser and stages of its recipe, on as many images:
the faces are fewer so that all epochs of the recipe fit into the budget.
"""

_SMALL = """\
**This is a small budget**, chosen for two busy CPU cores, at the size that FER+ has: it shows how much each network
learns from random weights after the same few faces, and does not rank the networks at their best: those of the papers
start from millions of faces, see up to 260 px and train for epochs of 287,651 faces. A larger budget for all rows, at
112 px, where there is a GPU: `--images 100000 --size 112 --accelerator gpu`. For a model to use, take the
[default bundle](../reference/model-card.md).
"""
_N_SEEDS = 3
_SMALL_IMAGES = 100_000  # from here on every row is close to what it can learn from FER+


def results_page(rows: Mapping[str, Row], records: Records) -> list[str]:
    """The lines of the page; rows without results have the command that runs them."""
    chosen = list(rows.values())
    budget = records.budget
    edit = "benchmarks/results/results_page.py"
    introduction = _INTRODUCTION.format(notice=notice(NAME, edit=edit), **dataclasses.asdict(budget))
    lines = [introduction, *([_SMALL] if budget.images < _SMALL_IMAGES else []), "## Trained under the budget", ""]
    heading = [
        "network",
        "px",
        "images",
        "seeds",
        "place",
        *_COLUMNS,
        "training, min of CPU",
        "published, on other data",
    ]
    places = places_of({row.name: interval for row in chosen if (interval := _accuracy(row, records))})
    body = [_majority_cells(records)]
    for row in chosen:
        body.append([_name(row), *_trained_cells(row, records, places), _published(row)])
        if row.recipes:
            body.append([f"`{row.name}` by its own recipe", *_own_cells(row, records), "-"])
    lines += table(heading, body)
    missing = [row.name for row in chosen if records[row.name].trained is None]
    if missing:
        lines += ["", "Not yet run, each by `--rows NAME`:", ""]
        lines += [f"- `{COMMAND} --rows {name}`" for name in missing]
    lines += ["", _coverage(chosen, records), f"Rows by their own recipes: `{COMMAND} --only own`."]
    older = [row.name for row in chosen if _is_older(row, records)]
    if older:
        names = " ".join(f"--rows {name}" for name in older)
        lines += [
            "",
            "*older*: trained under another budget than the one above, or before the initial weights of its network or",
            f"the `[model]` of its recipe changed. To train it again: `{COMMAND} {names} --only train`.",
        ]
    lines += [
        "",
        "P_MTL = (CCC V + CCC A) / 2 + macro F1 + AU F1. Where two recipes share a row, they are one network:",
        "they differ in heads, losses and data, which the budget equalises. Provenance of each row:",
        "",
    ]
    lines += [
        f"- {row.name}, seed {found.seed}: {_provenance(found)}" for row in chosen for found in _runs(row, records)
    ]
    owned = [(row.name, own) for row in chosen if (own := records[row.name].own)]
    lines += [f"- {name}, by its own recipe, seed {own.seed}: {_provenance(own)}" for name, own in owned]
    lines += ["", "## Cost", "", *_cost_table(chosen, records), ""]
    return [*lines, f"All of it again: `{COMMAND}`. The speeds alone, on a quiet machine: `{COMMAND} --only speed`."]


def _coverage(rows: Sequence[Row], records: Records) -> str:
    """Sentence on how much of the table has been run."""
    trained = [runs for row in rows if (runs := _runs(row, records))]
    complete = sum(len(runs) >= _N_SEEDS for runs in trained)
    own = [records[row.name].own for row in rows if own_recipe(row, records.budget) is not None]
    owned = sum(each is not None for each in own)
    return (
        f"{len(trained)} of {len(rows)} rows have been run, {complete} of them with {_N_SEEDS} seeds; {owned} of "
        f"{len(own)} recipes that FER+ has all labels for have been run by their own recipe."
    )


def _name(row: Row) -> str:
    names = ", ".join(f"`{name}`" for name in row.recipes or (row.name,))
    return f"{names} {row.note or f'({row.recipe.model.backbone})'}"


def _is_older(row: Row, records: Records) -> bool:
    trained = records[row.name].trained
    if trained is None:
        return False
    known = trained.recipe or f"{row.name}-{trained.size_px}px-{trained.images}"
    if known != trained_name(row, records.budget):
        return True
    return bool(records.n_rows) and trained.digest != budget_run(row, records.budget, records.n_rows).digest


def _runs(row: Row, records: Records) -> list[Trained]:
    """The trainings of a row under the budget, seed by seed; further seeds of another budget are left out."""
    record = records[row.name]
    if record.trained is None:
        return []
    same = [each for each in record.further if (each.images, each.size_px) == _budget_of(record.trained)]
    return [record.trained, *same]


def _budget_of(trained: Trained) -> tuple[int, int]:
    return trained.images, trained.size_px


def seeds_metric(runs: Sequence[Trained], measure: str) -> MetricValue | None:
    """Mean of a metric over seeds, with the lowest and highest end of their intervals; None where it is missing."""
    found = [metric for run in runs if (metric := run.metric(measure)) is not None]
    if not found:
        return None
    return dataclasses.replace(
        found[0],
        value=fmean(metric.value for metric in found),
        low=min(metric.low for metric in found),
        high=max(metric.high for metric in found),
    )


def places_of(intervals: Mapping[str, MetricValue]) -> dict[str, str]:
    """Name -> its possible places: from one more than the rows wholly above to all that are not wholly below."""
    found = {}
    for name, own in intervals.items():
        others = [other for key, other in intervals.items() if key != name]
        best = 1 + sum(other.low > own.high for other in others)
        worst = len(intervals) - sum(other.high < own.low for other in others)
        found[name] = f"{best}" if best == worst else f"{best} to {worst}"
    return found


def _accuracy(row: Row, records: Records) -> MetricValue | None:
    """Accuracy of a row of the current budget."""
    return None if _is_older(row, records) else seeds_metric(_runs(row, records), _COLUMNS["accuracy"])


def _metric_cells(metrics: Iterable[MetricValue | None]) -> list[str]:
    return [f"{own.value:.3f}<br>{own.low:.3f} to {own.high:.3f}" if own else "-" for own in metrics]


def _majority_cells(records: Records) -> list[str]:
    by_name = {metric.name: metric for metric in records.majority}
    cells = _metric_cells(by_name.get(measure) for measure in _COLUMNS.values())
    return ["majority", "-", "0" if by_name else "not yet run", "-", "-", *cells, "-", "-"]


def _trained_cells(row: Row, records: Records, places: Mapping[str, str]) -> list[str]:
    runs = _runs(row, records)
    if not runs:
        return ["-", "not yet run", "0", "-", *("-" for _ in _COLUMNS), "-"]
    mark = ", *older*" if _is_older(row, records) else ""
    cells = [str(runs[0].size_px), f"{runs[0].images:,}{mark}", f"{len(runs)}", places.get(row.name, "-")]
    cells += _metric_cells(seeds_metric(runs, measure) for measure in _COLUMNS.values())
    return [*cells, f"{runs[0].cpu_seconds / 60:.1f}" if runs[0].cpu_seconds else "interrupted"]


def _own_cells(row: Row, records: Records) -> list[str]:
    own = records[row.name].own
    if own is None:
        reason = "not run" if own_recipe(row, records.budget) else "needs more than FER+"
        return ["-", reason, "0", "-", *("-" for _ in _COLUMNS), "-"]
    cells = [str(own.size_px), f"{own.images:,}", "1", "-"]
    cells += _metric_cells(own.metric(measure) for measure in _COLUMNS.values())
    return [*cells, f"{own.cpu_seconds / 60:.1f}" if own.cpu_seconds else "interrupted"]


def _published(row: Row) -> str:
    figures = [
        f"`{name}`: {metric.metric} {metric.value:g} ({metric.data})" if len(row.recipes) > 1 else
        f"{metric.metric} {metric.value:g} ({metric.data})"
        for name, metric in row.published
    ]  # fmt: skip
    return "<br>".join(figures) or "-"


def _provenance(trained: Trained) -> str:
    shown = f"{trained.epochs} x {trained.images // trained.epochs:,} faces"
    return (
        f"{trained.provenance}, {shown} in {trained.seconds / 60:.1f} min on {trained.device} "
        f"with {trained.threads} threads; the runtime agrees with torch to {trained.parity:.1e}"
        + (f", which misses {MAX_PARITY_GAP:.0e}" if trained.parity > MAX_PARITY_GAP else "")
    )


def _cost_table(rows: list[Row], records: Records) -> Iterator[str]:
    yield "Milliseconds per face, medians of repetitions in turns; weights do not matter. Each network twice: with the"
    yield "size of its recipe, and as trained here. GFLOP count two operations per multiply-add; MB are 10^6 bytes of"
    yield "ONNX. A cost belongs to the settings of its network, whose digest is in the records; one that its recipe has"
    yield f"outgrown is *stale* until `{COMMAND} --only speed` measures it again on a quiet machine."
    yield ""
    timed = [f"{title}, batch {batch}" for title in _RUNTIMES.values() for batch in BATCHES]
    heading = ["network", "px", "parameters", "GFLOP", "MB", *timed]
    lines: list[list[str]] = []
    machines: dict[tuple[str, int], float] = {}
    for row in rows:
        record = records[row.name]
        small = under_budget(row, records.budget, records.budget.images)
        for cost, recipe in ((record.as_published, row.recipe), (record.as_trained, small)):
            if cost is None:
                lines.append([f"`{row.name}`", "not yet measured", *("-" for _ in heading[2:])])
                continue
            mark = "" if cost.digest == cost_digest(recipe) else " *stale*"
            lines.append([f"`{row.name}`{mark}", *_cost_cells(cost)])
            if cost.speeds:
                where = cost.machine, cost.threads
                machines[where] = max(machines.get(where, 0.0), *(speed.spread for speed in cost.speeds))
    yield from table(heading, lines)
    yield ""
    for (machine, threads), spread in machines.items():
        differences = f"the slowest and the fastest repetition of a cell differ by up to {spread:.0%} of its median"
        yield "- " + measured_by(NAME, f"{threads} threads", differences, machine=machine)


def _cost_cells(cost: Cost) -> list[str]:
    speeds = {(speed.runtime, speed.batch): f"{speed.ms:.2f}" for speed in cost.speeds}
    timed = [speeds.get((runtime, batch), "-") for runtime in _RUNTIMES for batch in BATCHES]
    return [str(cost.size_px), f"{cost.parameters:,}", f"{cost.gflop:.3f}", f"{cost.onnx_mb:.1f}", *timed]
