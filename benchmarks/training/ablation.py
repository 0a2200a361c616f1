# SPDX-License-Identifier: Apache-2.0
"""Ablation: variants of one recipe, trained under one budget and measured by the same protocols (hours).

    python -m benchmarks ablation --data DATA --work WORK --page docs/research/ablation.md [ROW...]

``ablation.toml`` lists the rows. Each row leaves a bundle in ``WORK/NAME-sSEED``. A row whose bundle has the same
settings is not trained again, and an interrupted training resumes. The page is written after every row.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import create_training_parser
from benchmarks import page as pages
from benchmarks.training.bundle_metrics import (
    COLUMNS,
    Pretrain,
    Train,
    cells_of,
    create_trainers,
    metrics_of,
    provenance_lines,
)
from mien.core import ConfigError, ModelSpec, read_typed
from mien.inference import load_spec
from mien.training import Recipe, load_recipe
from mien.training.recipes.recipe import change_key, tables_at

ROWS = Path(__file__).with_name("ablation.toml")

_NAME = "ablation"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One variant of the recipe.

    Attributes:
        name: name of its folder.
        title: difference to the recipe.
        change: path of a recipe's key -> value.
        drop: paths of tables that are removed.
        seeds: seeds, each for one training.
        pretext: recipe beside ``ablation.toml`` whose weights this row starts from; empty for none.
        note: remark that readers of its figures need.
    """

    name: str
    title: str
    change: Mapping[str, str | int | float | bool]
    drop: tuple[str, ...]
    seeds: tuple[int, ...]
    pretext: str = ""
    note: str = ""

    def start(self, work: Path) -> Path:
        """Path of the checkpoint of the pretext."""
        return work / Path(self.pretext).stem / "checkpoint.pt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Content of ``ablation.toml``: the tables of its recipe under the budget, and the rows."""

    tables: dict[str, Any]
    rows: tuple[Row, ...]

    def recipe(self, row: Row, seed: int, work: Path) -> Recipe:
        """The recipe of a row.

        Args:
            row: a row of this plan.
            seed: seed of the training.
            work: folder of the rows.

        Raises:
            ConfigError: a path does not exist, or the changed recipe is invalid.
        """
        tables = copy.deepcopy(self.tables)
        for path, value in row.change.items():
            change_key(tables, path, value, row.name)
        for path in row.drop:
            *way, last = path.split(".")
            for table in tables_at(tables, way, f"{row.name}: {path}"):
                if last not in table:
                    raise ConfigError(f"{row.name}: {path}: the recipe has no such table")
                del table[last]
        if row.pretext:
            tables["model"]["start"] = str(row.start(work).absolute())
        tables |= {"seed": seed, "name": f"{tables['name']}-{row.name}"}
        return read_typed(Recipe, tables, f"ablation row {row.name}")


def load_plan(path: Path = ROWS) -> Plan:
    """Read the rows and their recipe: one that comes with mien (``recipe``), or the tables of one (``base``).

    Raises:
        ConfigError: two rows have one name, or a recipe is invalid.
    """
    content = tomllib.loads(path.read_text("utf-8"))
    tables = content.get("base") or _tables_of(content["recipe"])
    tables = tables | {"stages": content["budget"]}
    for place, value in content["change"].items():
        change_key(tables, place, value, str(path))
    rows = tuple(
        Row(
            name=row["name"],
            title=row["title"],
            change=row.get("change", {}),
            drop=tuple(row.get("drop", ())),
            seeds=tuple(row.get("seeds", content["seeds"])),
            pretext=row.get("pretext", ""),
            note=row.get("note", ""),
        )
        for row in content["rows"]
    )
    if len({row.name for row in rows}) != len(rows):
        raise ConfigError(f"{path}: two rows have one name")
    return Plan(tables=tables, rows=rows)


def _tables_of(recipe: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("mien.training") / "recipes" / f"{recipe}.toml").read_text("utf-8"))


def run(
    plan: Plan, data: Path, work: Path, page: Path, train: Train, pretrain: Pretrain, names: Iterable[str] = ()
) -> None:
    """Train the missing rows one after the other, and write the page after each.

    Args:
        plan: rows and seeds.
        data: folder of the open face sets.
        work: folder of the rows' bundles and checkpoints.
        page: Markdown file.
        train: trains a recipe and writes a measured bundle.
        pretrain: trains a recipe for its checkpoint alone.
        names: names of rows to train; empty for all. Rows that were trained before stay on the page.

    Raises:
        ConfigError: a name is unknown.
    """
    wanted = set(names) or {row.name for row in plan.rows}
    unknown = sorted(wanted - {row.name for row in plan.rows})
    if unknown:
        raise ConfigError(f"no rows {unknown}; known are {[row.name for row in plan.rows]}")
    for row in plan.rows:
        for seed in row.seeds if row.name in wanted else ():
            folder, recipe = work / f"{row.name}-s{seed}", plan.recipe(row, seed, work)
            if not is_done(folder, recipe):
                folder.mkdir(parents=True, exist_ok=True)
                if row.pretext:
                    pretrain(load_recipe(ROWS.with_name(row.pretext)), data, row.start(work).parent)
                train(recipe, data, folder / "bundle", folder / "checkpoints")
                (folder / "recipe.sha256").write_text(digest(recipe), "utf-8")
            pages.write_page(page, ablation_page(plan, work))


def digest(recipe: Recipe) -> str:
    """Hash of every setting of a recipe that affects its weights; limitations and published figures do not."""
    return hashlib.sha256(repr(dataclasses.replace(recipe, limitations=(), published=())).encode()).hexdigest()


def is_done(folder: Path, recipe: Recipe) -> bool:
    """Whether a row was trained with exactly these settings."""
    stamp = folder / "recipe.sha256"
    return stamp.is_file() and stamp.read_text("utf-8") == digest(recipe)


def ablation_page(plan: Plan, work: Path) -> list[str]:
    """The lines of the page, with all rows that are trained."""
    done = [(row, trained) for row in plan.rows if (trained := trained_rows(plan, row, work))]
    lines = [
        "# Ablation",
        "",
        pages.notice(_NAME, edit="benchmarks/training/ablation.toml"),
        "",
        f"Variants of `{plan.tables['name']}` under one smaller budget, so the values are below those of the",
        "[model card](../reference/model-card.md). Higher is better except for ECE and flips.",
        "What was tried for whole bundles, also without success, is in "
        "[training](../how-to/training.md#a-third-network-that-was-not-shipped).",
        "",
    ]
    if not done or done[0][0] is not plan.rows[0]:
        return [*lines, "The first row is not trained yet."]
    lines += pages.table(
        ["row", "seed", *COLUMNS],
        [[row.title, str(seed), *cells_of(spec)] for row, trained in done for seed, spec in trained.items()],
    )
    base = done[0][1]
    first = metrics_of(next(iter(base.values())))
    lines += ["", "Intervals (95 %) and n of the first row:", ""]
    lines += [f"- {name}: {m.low:.3f} to {m.high:.3f}, n = {m.n}" for name, m in first.items() if m]
    lines += [
        "",
        "## Differences",
        "",
        "Difference of the means over seeds, for the metrics whose every seed is outside that interval and outside",
        f"the range of the first row's {len(base)} seeds. Other differences are not distinguishable from chance; from",
        "one seed, a small difference is a hint.",
        "",
    ]
    for row, trained in done[1:]:
        moved = [f"{name} {change:+.3f}" for name, change in changes(base, trained).items()]
        seeds = f"{len(trained)} seed" + "s" * (len(trained) > 1)
        lines.append(f"- {row.title} ({seeds}): {', '.join(moved) or 'nothing'}" + f"; {row.note}" * bool(row.note))
    bundles = ((f"{row.name}, seed {seed}", spec) for row, trained in done for seed, spec in trained.items())
    return [*lines, *provenance_lines(_NAME, bundles)]


def trained_rows(plan: Plan, row: Row, work: Path) -> dict[int, ModelSpec]:
    """Seed -> bundle, for the finished trainings of a row."""
    return {
        seed: load_spec(folder / "bundle")
        for seed in row.seeds
        if is_done(folder := work / f"{row.name}-s{seed}", plan.recipe(row, seed, work))
    }


def changes(base: Mapping[int, ModelSpec], other: Mapping[int, ModelSpec]) -> dict[str, float]:
    """Differences between two variants that chance does not explain.

    Args:
        base: seed -> bundle; the interval of the first one counts.
        other: seed -> bundle of another variant.

    Returns:
        Heading -> difference of the means, where all values of ``other`` lie above, or all below, every value of
        ``base`` and the interval of its first.
    """
    found: dict[str, float] = {}
    for heading, first in metrics_of(next(iter(base.values()))).items():
        ours = _values(base, heading)
        theirs = _values(other, heading)
        if first is None or not theirs:
            continue
        if min(theirs) > max(first.high, *ours) or max(theirs) < min(first.low, *ours):
            found[heading] = fmean(theirs) - fmean(ours)
    return found


def _values(trained: Mapping[int, ModelSpec], heading: str) -> list[float]:
    return [metric.value for spec in trained.values() if (metric := metrics_of(spec)[heading])]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the missing rows and write the page."""
    parser = create_training_parser(_NAME, __doc__, threads=None)
    parser.add_argument("rows", nargs="*", help="names of rows (default: all)")
    chosen = parser.parse_args(arguments)
    train, pretrain = create_trainers(chosen.threads)
    run(load_plan(), chosen.data, chosen.work, chosen.page, train, pretrain, chosen.rows)
    return 0
