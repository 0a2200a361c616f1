# SPDX-License-Identifier: Apache-2.0
"""The page of results, written from the records alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks import command_of
from benchmarks.page import measured_by, notice, table
from benchmarks.results.cost import cost_digest
from benchmarks.results.plan import Row, left_out, own_obstacle, own_recipe, trained_name, under_budget, without_network
from benchmarks.results.records import Cost, Records, Trained
from benchmarks.results.results_summary import (
    ACCURACY,
    N_SEEDS,
    accuracy_intervals,
    places_of,
    seed_difference,
    seeds_metric,
    summary_lines,
)
from benchmarks.results.train_row import budget_run, own_run
from benchmarks.runtime_speed import BATCHES
from mien.core import MetricValue
from mien.training.export.onnx_export import MAX_PARITY_GAP

NAME = "results"
COMMAND = f"{command_of(NAME)} --data DATA --work WORK --page docs/research/results.md"

_COLUMNS = {
    "accuracy": ACCURACY,
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

Which network learns most from the same few faces? The networks of the systems
([EmotiEffNet](systems/emotieffnet.md), [DDAMFN](systems/ddamfn.md), [MTANet-style](systems/mtanet.md),
[CNN of 2020](systems/expr-cnn-2020.md) and others), trained from random weights on the same faces with the same
labels, heads, losses and optimiser. Which recipes, heads and filters are better than which is another question, with a
page of its own: [systems](systems.md).

"""

_BUDGET = """\
## How it was measured

The budget of every row: {images:,} gray FER+ training faces (repetitions counted) at {size_px} px (they have 48) in
batches of {batch}; AdamW, one cycle up to {peak_lr:g}; random mirroring and small geometric changes. Labels: the votes;
valence and arousal mapped from them; action units of a landmark model ([training](../how-to/training.md)). Measured on
FER+ valid (3,555 faces by plurality, 3,191 by the official majority); nothing was selected there. Action units and
P_MTL are measured against these derived labels, so they only compare the rows with each other. *Majority* is the
commonest training label of each task for every face.

A value is the mean over the seeds of the row. Its interval reaches from the lowest to the highest end of the seeds'
95 % bootstrap intervals over faces, so it contains the differences between seeds. {seeds} **Rows are not
ranked within these intervals**: *place* counts the rows whose interval of accuracy is wholly above, and those that are
not wholly below.

"By its own recipe" is the same network with the heads, losses, optimiser and stages of its recipe, on as many images:
the faces are fewer so that all epochs of the recipe fit into the budget. The start is random, too, where the papers
start from faces, and the class frequencies are those of FER+, where the rarest class has 0.6 %: with the class weights
of most recipes such a network calls nearly every face by a rare class ([systems](systems.md) trains these recipes with
AffectNet's frequencies).
"""

_ONE_SEED = """\
A row with one seed has the interval of its faces alone; for its place it is widened on both sides by half of
{difference:.3f}, the largest difference between two seeds of one row."""

_SMALL = """\
**This is a small budget**, chosen for two busy CPU cores, at the size that FER+ has: it shows how much each network
learns from random weights after the same few faces, and does not rank the networks at their best: those of the papers
start from millions of faces, see up to 260 px and train for epochs of 287,651 faces. A larger budget for all rows, at
112 px, where there is a GPU: `--images 100000 --size 112 --accelerator gpu`. For a model to use, take the
[default bundle](../reference/model-card.md).
"""
_SMALL_IMAGES = 100_000  # from here on every row is close to what it can learn from FER+


def results_page(rows: Mapping[str, Row], records: Records) -> list[str]:
    """The lines of the page; rows without results have the command that runs them."""
    shown = [row for row in rows.values() if is_shown(row, records)]
    chosen = [row for row in shown if not row.compares_sizes]
    budget = records.budget
    runs = {row.name: _current_runs(row, records) for row in shown}
    owned = {row.name: own for row in chosen if (own := _own_run(row, records))}
    lines = [*_INTRODUCTION.format(notice=notice(NAME, edit="benchmarks/results/results_page.py")).splitlines()]
    lines += summary_lines(rows, runs, owned)
    lines += ["## Trained under the budget", ""]
    heading = ["network", "px", "images", "seeds", "place", *_COLUMNS, "training, min of CPU"]
    places = places_of(accuracy_intervals({row.name: runs[row.name] for row in chosen}))
    body = [_majority_cells(records)]
    for row in chosen:
        body.append([_name(row), *_trained_cells(row, records, places)])
        if row.name in owned:
            body.append([f"`{row.name}` by its own recipe", *_own_cells(owned[row.name])])
    lines += [*table(heading, body), "", *_coverage_lines(chosen, records), ""]
    lines += _older_lines(shown, records)
    lines += _left_out_lines(rows, records)
    lines += _size_lines([row for row in shown if row.compares_sizes], records)
    difference = seed_difference({row.name: runs[row.name] for row in chosen})
    seeds = _ONE_SEED.format(difference=difference).replace("\n", " ")
    method = _BUDGET.format(**dataclasses.asdict(budget), seeds=seeds)
    lines += [*method.splitlines(), "", *(_SMALL.splitlines() if budget.images < _SMALL_IMAGES else []), ""]
    lines += [
        "P_MTL = (CCC V + CCC A) / 2 + macro F1 + AU F1. Recipes that share a row are one network: they differ in",
        "heads, losses, input and data, which the budget equalises. Each row:",
        "",
        *(f"- {row.name}: {_provenance(found)}" for row in shown if (found := _runs(row, records))),
        *(f"- {name}, by its own recipe: {_provenance([run])}" for name, run in owned.items()),
    ]
    lines += ["", "## Published, on other data", ""]
    lines += table(["network", "published"], [[_name(row), _published(row)] for row in chosen if row.published])
    lines += ["", "## Cost", "", *_cost_table(rows, records), ""]
    return [*lines, f"All of it again: `{COMMAND}`. The speeds alone, on a quiet machine: `{COMMAND} --only speed`."]


def is_shown(row: Row, records: Records) -> bool:
    """Whether a row is in the table: it was trained, or is one that the table compares."""
    return records[row.name].trained is not None or not _left_out(row, records)


def _left_out(row: Row, records: Records) -> str:
    cost = records[row.name].as_trained
    return left_out(row, cost.gflop if cost else None)


def _coverage_lines(rows: Sequence[Row], records: Records) -> list[str]:
    """How much of the table has been run, and how to run the rest."""
    trained = [found for row in rows if (found := _runs(row, records))]
    complete = sum(len(found) >= N_SEEDS for found in trained)
    possible = [row for row in rows if own_recipe(row, records.budget) is not None]
    missing_own = [row.name for row in possible if _own_run(row, records) is None]
    lines = [
        f"{len(trained)} of {len(rows)} rows have been run, {complete} of them with {N_SEEDS} seeds; "
        f"{len(possible) - len(missing_own)} of {len(possible)} recipes that FER+ has all labels for have been run by "
        "their own recipe.",
    ]
    missing = [row.name for row in rows if records[row.name].trained is None]
    if missing:
        lines += ["", f"Not yet run: {_names(missing)}. Each by `{COMMAND} --rows NAME`."]
    if missing_own:
        lines += ["", f"Own recipes not yet run: {_names(missing_own)}. Each by `{COMMAND} --only own --rows NAME`."]
    return lines


def _older_lines(rows: Sequence[Row], records: Records) -> list[str]:
    older = [row.name for row in rows if _is_older(row, records)]
    if not older:
        return []
    names = " ".join(f"--rows {name}" for name in older)
    return [
        "*older*: trained under another budget than the one below, or before the initial weights of its network or",
        f"the `[model]` of its recipe changed. To train it again: `{COMMAND} {names} --only train`.",
        "",
    ]


def _left_out_lines(rows: Mapping[str, Row], records: Records) -> list[str]:
    """Which recipes have no row, and which rows no own recipe, with the reasons."""
    lines = ["**Not in the table**: a row is a network that reads one face and predicts a task of the table.", ""]
    reasons: dict[str, list[str]] = {}
    for row in rows.values():
        if not is_shown(row, records):
            reasons.setdefault(_left_out(row, records), []).append(_name(row))
    lines += [f"- {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    lines += [f"- {_names(without_network())}: heads on stored vectors, clips or sequences, a pretext, a detector"]
    obstacles: dict[str, list[str]] = {}
    for row in rows.values():
        obstacle = own_obstacle(row, records.budget)
        if row.recipes and obstacle and is_shown(row, records):
            obstacles.setdefault(obstacle, []).append(row.name)
    if obstacles:
        lines += ["", "Own recipes that need more than FER+ and the budget have:", ""]
        lines += [f"- {_names(names)}: {obstacle}" for obstacle, names in obstacles.items()]
    return [*lines, ""]


def _size_lines(rows: Sequence[Row], records: Records) -> list[str]:
    """The table of the rows that compare sizes of the crops."""
    lines = [
        "## Larger crops",
        "",
        "The same faces at both sizes, enlarged to the larger one; everything else is the budget of the table above.",
        "Both networks reduce a crop by 32: 2 x 2 places remain of 48 px, 4 x 4 of 112 px, for five times the work.",
        "",
    ]
    heading = ["network", "px", "images", "seeds", *_COLUMNS, "training, min of CPU"]
    body = []
    for row in rows:
        cells = _trained_cells(row, records, {})
        body.append([row.note, *cells[:3], *cells[4:]])
    missing = [row.name for row in rows if records[row.name].trained is None]
    lines += table(heading, body)
    if missing:
        lines += ["", f"Not yet run: {_names(missing)}. Each by `{COMMAND} --rows NAME`."]
    return [*lines, ""]


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


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


def _current_runs(row: Row, records: Records) -> list[Trained]:
    """The trainings of a row that the current budget describes."""
    return [] if _is_older(row, records) else _runs(row, records)


def _own_run(row: Row, records: Records) -> Trained | None:
    """The training of a row by its own recipe; None where there is none, or its settings have changed since."""
    own, run = records[row.name].own, own_run(row, records.budget)
    return own if own is not None and run is not None and own.digest == run.digest else None


def _metric_cells(metrics: Iterable[MetricValue | None]) -> list[str]:
    return [f"{own.value:.3f}<br>{own.low:.3f} to {own.high:.3f}" if own else "-" for own in metrics]


def _majority_cells(records: Records) -> list[str]:
    by_name = {metric.name: metric for metric in records.majority}
    cells = _metric_cells(by_name.get(measure) for measure in _COLUMNS.values())
    return ["majority", "-", "0" if by_name else "not yet run", "-", "-", *cells, "-"]


def _trained_cells(row: Row, records: Records, places: Mapping[str, str]) -> list[str]:
    runs = _runs(row, records)
    if not runs:
        return ["-", "not yet run", "0", "-", *("-" for _ in _COLUMNS), "-"]
    mark = ", *older*" if _is_older(row, records) else ""
    cells = [str(runs[0].size_px), f"{runs[0].images:,}{mark}", f"{len(runs)}", places.get(row.name, "-")]
    cells += _metric_cells(seeds_metric(runs, measure) for measure in _COLUMNS.values())
    return [*cells, f"{runs[0].cpu_seconds / 60:.1f}" if runs[0].cpu_seconds else "interrupted"]


def _own_cells(own: Trained) -> list[str]:
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


def _provenance(runs: Sequence[Trained]) -> str:
    """Where and when the seeds of a row were trained."""
    first = runs[0]
    seeds = "seed" if len(runs) == 1 else "seeds"
    shown = f"{first.epochs} x {first.images // first.epochs:,} faces"
    when = "; ".join(dict.fromkeys(run.provenance for run in runs))
    device = ", ".join(dict.fromkeys(f"{run.device} with {run.threads} threads" for run in runs))
    gap = max(run.parity for run in runs)
    return (
        f"{seeds} {', '.join(f'{run.seed}' for run in runs)}; {when}, {shown} on {device}; "
        f"the runtime agrees with torch to {gap:.1e}"
        + (f", which misses {MAX_PARITY_GAP:.0e}" if gap > MAX_PARITY_GAP else "")
    )


def _cost_table(rows: Mapping[str, Row], records: Records) -> Iterator[str]:
    yield "Milliseconds per face, medians of repetitions in turns; weights do not matter. Each network with the size of"
    yield "its recipe, and those of the table also as trained here. GFLOP count two operations per multiply-add; MB are"
    yield "10^6 bytes of ONNX. A cost belongs to the settings of its network, whose digest is in the records; one that"
    yield f"its recipe has outgrown is *stale* until `{COMMAND} --only speed` measures it again on a quiet machine."
    yield ""
    timed = [f"{title}, batch {batch}" for title in _RUNTIMES.values() for batch in BATCHES]
    heading = ["network", "px", "parameters", "GFLOP", "MB", *timed]
    lines: list[list[str]] = []
    machines: dict[tuple[str, int], float] = {}
    for row in rows.values():
        if row.compares_sizes:
            continue
        record = records[row.name]
        kinds = [(record.as_published, row.recipe)]
        if is_shown(row, records):
            kinds.append((record.as_trained, under_budget(row, records.budget, records.budget.images)))
        for cost, recipe in kinds:
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
