# SPDX-License-Identifier: Apache-2.0
"""What start weights, crops, teacher and loss are worth on FER+, each changed alone, over three seeds (half an hour).

    python -m benchmarks face-starts --data DATA --work WORK --page docs/research/face-starts.md [ROW...]

``face_starts.toml`` has the recipe, the rows and the claims, which were stated before the trainings. WORK keeps the
metrics of each training; one with the same settings is not run again.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import create_training_parser
from benchmarks.claims.verdicts import KeptResults, paired, spread
from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table, write_page
from benchmarks.training.ablation import Plan, digest, load_plan
from benchmarks.training.bundle_metrics import budget_of, face_counts
from mien.core import EXPRESSIONS, ConfigError, Floats
from mien.inference import machine_name
from mien.metrics import accuracy, macro_f1
from mien.training import ComputeSettings, Recipe, raw_outputs, train_network

_NAME = "face-starts"
PLAN = Path(__file__).with_name("face_starts.toml")

RARE = ("disgust", "fear", "contempt")
COLUMNS = ("accuracy", "macro F1", "rare recall")

Found = dict[str, dict[int, Mapping[str, float]]]
"""Row -> seed -> metrics."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement about two rows.

    Attributes:
        higher: name of the row that has the higher figure.
        lower: name of the other row.
        metric: one of `COLUMNS`.
        text: the statement.
    """

    higher: str
    lower: str
    metric: str
    text: str


def load_claims(path: Path = PLAN) -> tuple[Claim, ...]:
    """The claims of the plan."""
    return tuple(Claim(**claim) for claim in tomllib.loads(path.read_text("utf-8"))["claims"])


def key(recipe: Recipe, row: str, seed: int) -> str:
    """Name of a training among the kept results, with the beginning of the digest of its settings."""
    return f"{row}, seed {seed}, {digest(recipe)[:12]}"


def metrics(probable: Floats, truth: Floats) -> dict[str, float]:
    """Accuracy, macro F1 and mean recall of the rare classes.

    Args:
        probable: (N, 8) outputs of the network, in the order of `mien.EXPRESSIONS`.
        truth: (N, 8) shares of votes.
    """
    labels, found, n = truth.argmax(axis=1), probable.argmax(axis=1), len(EXPRESSIONS)
    rare = [float((found[labels == code] == code).mean()) for code in map(EXPRESSIONS.index, RARE)]
    figures = (accuracy(labels, found, n), macro_f1(labels, found, n), float(np.mean(rare)))
    return dict(zip(COLUMNS, figures, strict=True))


def trained_outputs(recipe: Recipe, data: Path, folder: Path, compute: ComputeSettings) -> tuple[Floats, Floats]:
    """Outputs and truth of the expressions of the recipe's validation set after a training.

    The checkpoints are removed: those of all trainings take a gigabyte.

    Args:
        recipe: recipe with a validation set and an expression head.
        data: folder of the open face sets.
        folder: folder of the checkpoints.
        compute: device and threads.
    """
    trainer, training_data = train_network(recipe, data, folder, compute)
    valid = training_data.valid
    if valid is None:
        raise ValueError("the recipe needs a validation set")
    outputs = raw_outputs(trainer.result, valid, recipe)
    shutil.rmtree(folder)
    return outputs["expression"], valid.targets["expression"]


def trained_metrics(recipe: Recipe, data: Path, folder: Path, compute: ComputeSettings) -> dict[str, float]:
    """The `metrics` of `trained_outputs`."""
    return metrics(*trained_outputs(recipe, data, folder, compute))


def run(plan: Plan, data: Path, work: Path, compute: ComputeSettings, names: Collection[str] = ()) -> KeptResults:
    """Train what is missing, seed by seed, and keep the metrics of each training in ``WORK/results.json``.

    Args:
        plan: rows and seeds.
        data: folder of the open face sets.
        work: folder of checkpoints and results.
        compute: device and threads.
        names: names of rows to train; empty for all. Rows that were trained before stay on the page.

    Raises:
        ConfigError: a name is unknown.
    """
    unknown = sorted(set(names) - {row.name for row in plan.rows})
    if unknown:
        raise ConfigError(f"no rows {unknown}; known are {[row.name for row in plan.rows]}")
    results = KeptResults(work / "results.json")
    wanted = [(place, row) for place, row in enumerate(plan.rows) if row.name in (names or {row.name})]
    trainings = sorted((seed, place) for place, row in wanted for seed in row.seeds)
    for seed, place in trainings:
        row = plan.rows[place]
        recipe = plan.recipe(row, seed, work)

        def measure(recipe: Recipe = recipe, folder: Path = work / f"{row.name}-s{seed}") -> dict[str, float]:
            return trained_metrics(recipe, data, folder, compute)

        results.get(key(recipe, row.name, seed), measure)
    return results


def values(plan: Plan, results: KeptResults, work: Path) -> Found:
    """Row -> seed -> metrics, for what is trained."""
    found: Found = {}
    for row in plan.rows:
        names = {seed: key(plan.recipe(row, seed, work), row.name, seed) for seed in row.seeds}
        found[row.name] = {seed: results.get(name, dict) for seed, name in names.items() if results.has(name)}
    return found


def starts_page(plan: Plan, claims: Sequence[Claim], found: Found, n_train: int, valid: Mapping[str, int]) -> list[str]:
    """The lines of the page but the last one, which says what it was measured on.

    Args:
        plan: rows and seeds.
        claims: statements about two rows each.
        found: row -> seed -> metrics.
        n_train: number of FER+ training faces.
        valid: number of FER+ valid faces by expression.
    """
    rows = []
    for row in plan.rows:
        of_row = list(found[row.name].values())
        cells = [spread([one[name] for one in of_row]) if len(of_row) > 1 else "-" for name in COLUMNS]
        rows.append([row.title, str(len(of_row)), *cells])
    verdicts = []
    for claim in claims:
        first, second = found[claim.higher], found[claim.lower]
        seeds = sorted(set(first) & set(second))
        if len(seeds) < 2:
            verdicts.append([claim.text, claim.metric, str(len(seeds)), "-", "not run"])
            continue
        gap = paired([first[seed][claim.metric] for seed in seeds], [second[seed][claim.metric] for seed in seeds])
        verdicts.append([claim.text, claim.metric, str(gap.n), str(gap), gap.verdict])
    base = plan.recipe(plan.rows[0], plan.rows[0].seeds[0], Path())
    rare = ", ".join(f"{name} ({valid[name]})" for name in RARE)
    return [
        "# Starts, crops, teacher and loss",
        "",
        notice(_NAME, edit="benchmarks/training/face_starts.toml"),
        "",
        f"Each row is trained for {budget_of(base, n_train)}. That is short:",
        "values are far below those of the [shipped bundles](../reference/model-card.md), and differences are of short",
        "trainings. [Ablation](ablation.md) has other parts of `mien-light`'s recipe.",
        "",
        f"Measured by plurality on FER+ valid ({sum(valid.values()):,} faces that trained nothing), crops as the row",
        "reads them. Mean and standard deviation over the seeds; rare recall is the mean over the faces of",
        f"{rare}.",
        "",
        *table(["row", "seeds", *COLUMNS], rows),
        "",
        "## Claims",
        "",
        "Stated before the trainings. A difference is paired by seed, with its 95 % interval (Student's t).",
        "",
        *table(["claim", "metric", "seeds", "difference", "verdict"], verdicts),
        "",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing and write the page; 0."""
    parser = create_training_parser(_NAME, __doc__)
    parser.add_argument("rows", nargs="*", help="names of rows to train (default: all)")
    options = parser.parse_args(arguments)
    plan = load_plan(PLAN)
    results = run(plan, options.data, options.work, ComputeSettings(threads=options.threads), options.rows)
    n_train, valid = sum(face_counts(options.data, "train").values()), face_counts(options.data, "valid")
    lines = starts_page(plan, load_claims(), values(plan, results, options.work), n_train, valid)
    write_page(options.page, [*lines, measured_by(_NAME, machine=machine_name(), date=today())])
    return 0
