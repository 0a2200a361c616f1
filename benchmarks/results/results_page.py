# SPDX-License-Identifier: Apache-2.0
"""The page of results, written from the records alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from benchmarks import command_of
from benchmarks.page import measured_by, notice, table
from benchmarks.results.plan import Row, trained_name
from benchmarks.results.records import Cost, Records, Trained
from benchmarks.runtime_speed import BATCHES
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
FER+ valid (3,555 faces by plurality, 3,191 by the official majority) with 95 % bootstrap intervals; nothing was
selected there. Action units and P_MTL are measured against these derived labels, so they only compare the rows with
each other.
"""

_SMALL = """\
**This is a small budget**, chosen for two busy CPU cores: it shows how much each network learns from random weights
after the same few faces, with one seed, and does not rank the networks at their best: those of the papers start from
millions of faces, see up to 260 px and train for epochs of 287,651 faces. A larger budget for all rows, where there is
a GPU: `--images 100000 --size 112 --accelerator gpu`. For a model to use, take the
[default bundle](../reference/model-card.md).
"""
_SMALL_IMAGES = 100_000  # from here on every row is close to what it can learn from FER+


def results_page(rows: Mapping[str, Row], records: Records) -> list[str]:
    """The lines of the page; rows without results have the command that runs them."""
    chosen = list(rows.values())
    budget = records.budget
    edit = "benchmarks/results/results_page.py"
    introduction = _INTRODUCTION.format(notice=notice(NAME, edit=edit), **dataclasses.asdict(budget))
    lines = [introduction, *([_SMALL] if budget.images < _SMALL_IMAGES else []), "## Trained under the budget", ""]
    heading = ["network", "px", "images", *_COLUMNS, "training, min of CPU", "published, on other data"]
    lines += table(heading, [[_name(row), *_trained_cells(row, records), _published(row)] for row in chosen])
    missing = [row.name for row in chosen if records[row.name].trained is None]
    if missing:
        lines += ["", "Not yet run, each by `--rows NAME`:", ""]
        lines += [f"- `{COMMAND} --rows {name}`" for name in missing]
    older = [row.name for row in chosen if _is_older(row, records)]
    if older:
        names = " ".join(f"--rows {name}" for name in older)
        lines += [
            "",
            "*older*: trained under another budget than the one above, or before the initial weights of its network",
            f"changed (see the page of its system). To train it again: `{COMMAND} {names} --only train`.",
        ]
    lines += [
        "",
        "P_MTL = (CCC V + CCC A) / 2 + macro F1 + AU F1. Where two recipes share a row, they are one network:",
        "they differ in heads, losses and data, which the budget equalises. Provenance of each row:",
        "",
    ]
    lines += [f"- {row.name}: {_provenance(found)}" for row in chosen if (found := records[row.name].trained)]
    lines += ["", "## Cost", "", *_cost_table(chosen, records), ""]
    return [*lines, f"All of it again: `{COMMAND}`. The speeds alone, on a quiet machine: `{COMMAND} --only speed`."]


def _name(row: Row) -> str:
    names = ", ".join(f"`{name}`" for name in row.recipes or (row.name,))
    return f"{names} {row.note or f'({row.recipe.model.backbone})'}"


def _is_older(row: Row, records: Records) -> bool:
    trained = records[row.name].trained
    if trained is None:
        return False
    known = trained.recipe or f"{row.name}-{trained.size_px}px-{trained.images}"
    return known != trained_name(row, records.budget)


def _trained_cells(row: Row, records: Records) -> list[str]:
    trained = records[row.name].trained
    if trained is None:
        return ["-", "not yet run", *("-" for _ in _COLUMNS), "-"]
    mark = ", *older*" if _is_older(row, records) else ""
    cells = [str(trained.size_px), f"{trained.images:,}{mark}"]
    for measure in _COLUMNS.values():
        metric = trained.metric(measure)
        cells.append(f"{metric.value:.3f}<br>{metric.low:.3f} to {metric.high:.3f}" if metric else "-")
    return [*cells, f"{trained.cpu_seconds / 60:.1f}" if trained.cpu_seconds else "interrupted"]


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
    yield "ONNX."
    yield ""
    timed = [f"{title}, batch {batch}" for title in _RUNTIMES.values() for batch in BATCHES]
    heading = ["network", "px", "parameters", "GFLOP", "MB", *timed]
    lines: list[list[str]] = []
    machines: dict[tuple[str, int], float] = {}
    for row in rows:
        record = records[row.name]
        for cost in (record.as_published, record.as_trained):
            if cost is None:
                lines.append([f"`{row.name}`", "not yet measured", *("-" for _ in heading[2:])])
                continue
            lines.append([f"`{row.name}`", *_cost_cells(cost)])
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
