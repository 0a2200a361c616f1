# SPDX-License-Identifier: Apache-2.0
"""An ablation table: variants of one recipe, trained under one budget, measured by the same protocols.

    python tools/ablation.py --data DATA --work WORK --page docs/ablation.md

``tools/ablation.toml`` lists the rows. Each row leaves a bundle in ``WORK/NAME-sSEED``; a row whose bundle is there and
was made from the same settings is not trained again, and an interrupted training goes on. The page is written anew
after every row.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import functools
import hashlib
import logging
import platform
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from statistics import fmean
from typing import Any

from mien.core import ConfigError, MetricValue, ModelSpec, read_typed
from mien.inference import load_spec
from mien.training import Recipe, load_recipe

ROWS = Path(__file__).with_name("ablation.toml")

# Heading -> (measure, data) of the figures in a bundle.
COLUMNS = {
    "accuracy": ("accuracy, plurality", "FER+ valid"),
    "macro F1": ("macro F1, plurality", "FER+ valid"),
    "official": ("accuracy, official majority", "FER+ valid"),
    "ECE": ("calibration error, plurality", "FER+ valid"),
    "CCC V": ("CCC valence", "FER+ valid"),
    "CCC A": ("CCC arousal", "FER+ valid"),
    "AU F1": ("mean AU F1 against the teacher", "FER+ valid"),
    "happy": ("recall of happiness", "LFW expression, test people"),
    "neutral": ("recall of neutral", "LFW expression, test people"),
    "AU12": ("AUC of AU12, happiness against neutral", "LFW expression, test people"),
    "flips": ("flip rate, aligned", "FairFace val"),
}

Train = Callable[[Recipe, Path, Path, Path], object]
"""Recipe, data, folder of the bundle, folder of checkpoints."""
Pretrain = Callable[[Recipe, Path, Path], object]
"""Recipe, data, folder of checkpoints."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        name: of its folder.
        title: what is different.
        change: path of a recipe's key -> value.
        drop: paths of tables that are removed.
        seeds: one training each.
        pretext: recipe beside ``ablation.toml`` whose weights this row starts from; empty for none.
        note: what a reader of its figures must know.
    """

    name: str
    title: str
    change: Mapping[str, str | int | float | bool]
    drop: tuple[str, ...]
    seeds: tuple[int, ...]
    pretext: str = ""
    note: str = ""

    def start(self, work: Path) -> Path:
        """The checkpoint of the pretext."""
        return work / Path(self.pretext).stem / "checkpoint.pt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """The content of ``ablation.toml``, with the tables of its recipe under the budget."""

    tables: dict[str, Any]
    rows: tuple[Row, ...]

    def recipe(self, row: Row, seed: int, work: Path) -> Recipe:
        """The recipe of a row.

        Args:
            row: of this plan.
            seed: one of the row's.
            work: folder of the rows.

        Raises:
            ConfigError: a path leads nowhere, or the changed recipe is refused.
        """
        tables = copy.deepcopy(self.tables)
        for path, value in row.change.items():
            _change(tables, path.split("."), value, f"{row.name}: {path}")
        for path in row.drop:
            *way, last = path.split(".")
            for table in _reach(tables, way, f"{row.name}: {path}"):
                if last not in table:
                    raise ConfigError(f"{row.name}: {path}: there is nothing to drop")
                del table[last]
        if row.pretext:
            tables["model"]["start"] = str(row.start(work).absolute())
        tables |= {"seed": seed, "name": f"{tables['name']}-{row.name}"}
        return read_typed(Recipe, tables, f"ablation row {row.name}")


def load_plan(path: Path = ROWS) -> Plan:
    """Read the rows and their recipe.

    Raises:
        ConfigError: two rows have one name, or a recipe is refused.
    """
    content = tomllib.loads(path.read_text("utf-8"))
    recipe = resources.files("mien.training") / "recipes" / f"{content['recipe']}.toml"
    tables = tomllib.loads(recipe.read_text("utf-8")) | {"stages": content["budget"]}
    for place, value in content["change"].items():
        _change(tables, place.split("."), value, f"{path}: {place}")
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


def _change(tables: dict[str, Any], way: list[str], value: object, where: str) -> None:
    *way, last = way
    for table in _reach(tables, way, where):
        table[last] = value


def _reach(tables: dict[str, Any], way: list[str], where: str) -> list[dict[str, Any]]:
    """The tables at the end of a path; "*" goes into each entry of a list. A table that is absent is made."""
    found: list[Any] = [tables]
    for step in way:
        if step == "*":
            found = [entry for entries in found for entry in entries]
        else:
            found = [entry.setdefault(step, {}) for entry in found]
    if not found or not all(isinstance(table, dict) for table in found):
        raise ConfigError(f"{where}: leads to no table")
    return found


def run(
    plan: Plan, data: Path, work: Path, page: Path, train: Train, pretrain: Pretrain, names: Iterable[str] = ()
) -> None:
    """Train the rows that are missing, one after the other, and write the page after each.

    Args:
        plan: rows and seeds.
        data: folder of the open face sets.
        work: folder of the rows' bundles and checkpoints.
        page: Markdown file.
        train: trains a recipe and writes a measured bundle.
        pretrain: trains a recipe for its checkpoint alone.
        names: rows to train; empty for all. Rows that were trained before stay on the page.

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
            page.write_text(write_page(plan, work), "utf-8")


def digest(recipe: Recipe) -> str:
    """Stands for every setting of a recipe; what its card says beside does not change what is learnt."""
    return hashlib.sha256(repr(dataclasses.replace(recipe, limitations=(), published=())).encode()).hexdigest()


def is_done(folder: Path, recipe: Recipe) -> bool:
    """Whether a row was trained with exactly these settings."""
    stamp = folder / "recipe.sha256"
    return stamp.is_file() and stamp.read_text("utf-8") == digest(recipe)


def write_page(plan: Plan, work: Path) -> str:
    """The table of all rows that are done, as Markdown."""
    done = [(row, trained) for row in plan.rows if (trained := trained_rows(plan, row, work))]
    lines = [
        "# Ablation",
        "",
        "Written by `make ablation`: variants of `" + str(plan.tables["name"]) + "` under one smaller budget, so the",
        "figures lie below those of the [model card](model-card.md). Higher is better except for ECE and flips.",
        "",
    ]
    if not done or done[0][0] is not plan.rows[0]:
        return "\n".join([*lines, "The first row was not trained yet.", ""])
    lines += ["| row | seed | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    lines += [
        f"| {row.title} | {seed} | " + " | ".join(cells_of(spec)) + " |"
        for row, trained in done
        for seed, spec in trained.items()
    ]
    base = done[0][1]
    first = figures_of(next(iter(base.values())))
    lines += ["", "Intervals (95 %) and n of the first row:", ""]
    lines += [f"- {name}: {f.low:.3f} to {f.high:.3f}, n = {f.n}" for name, f in first.items() if f]
    lines += [
        "",
        "## What moved what",
        "",
        "Difference of the means over seeds, for the figures whose every seed lies outside that interval and outside",
        f"the range of the first variant's {len(base)} seeds. What is not named here is no result; from one seed,",
        "a small difference is a hint.",
        "",
    ]
    for row, trained in done[1:]:
        moved = [f"{name} {change:+.3f}" for name, change in changes(base, trained).items()]
        seeds = f"{len(trained)} seed" + "s" * (len(trained) > 1)
        lines.append(f"- {row.title} ({seeds}): {', '.join(moved) or 'nothing'}" + f"; {row.note}" * bool(row.note))
    lines += ["", f"ComputeSettings: {platform.machine()}, {platform.system()}. How each was made:", ""]
    lines += [
        f"- {row.name}, seed {seed}: {spec.provenance}" for row, trained in done for seed, spec in trained.items()
    ]
    return "\n".join([*lines, ""])


def trained_rows(plan: Plan, row: Row, work: Path) -> dict[int, ModelSpec]:
    """Seed -> bundle of the trainings of a row that are done."""
    return {
        seed: load_spec(folder / "bundle")
        for seed in row.seeds
        if is_done(folder := work / f"{row.name}-s{seed}", plan.recipe(row, seed, work))
    }


def changes(base: Mapping[int, ModelSpec], other: Mapping[int, ModelSpec]) -> dict[str, float]:
    """What chance does not explain between two variants.

    Args:
        base: seed -> bundle; the first one's intervals count.
        other: the same of another variant.

    Returns:
        Heading -> difference of the means, for the figures of ``other`` that all lie above, or all below, every figure
        of ``base`` and the interval of its first.
    """
    found: dict[str, float] = {}
    for heading, first in figures_of(next(iter(base.values()))).items():
        ours = _values(base, heading)
        theirs = _values(other, heading)
        if first is None or not theirs:
            continue
        if min(theirs) > max(first.high, *ours) or max(theirs) < min(first.low, *ours):
            found[heading] = fmean(theirs) - fmean(ours)
    return found


def _values(trained: Mapping[int, ModelSpec], heading: str) -> list[float]:
    return [figure.value for spec in trained.values() if (figure := figures_of(spec)[heading])]


def figures_of(spec: ModelSpec) -> dict[str, MetricValue | None]:
    """What a bundle's card says under each heading; None where it was not measured."""
    by_name = {(figure.measure, figure.data): figure for figure in spec.metrics}
    return {heading: by_name.get(key) for heading, key in COLUMNS.items()}


def cells_of(spec: ModelSpec) -> list[str]:
    """The same, as cells of a table."""
    return [f"{figure.value:.3f}" if figure else "-" for figure in figures_of(spec).values()]


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for bundles and checkpoints, outside the checkout"
    )
    parser.add_argument("--page", type=Path, required=True, help="Markdown file of the table")
    parser.add_argument("--threads", type=int, help="of torch; its own choice if none is given")
    parser.add_argument("rows", nargs="*", help="names of rows; all if none is given")
    chosen = parser.parse_args(arguments)
    from mien.training.run import ComputeSettings, train_bundle, train_network

    machine = ComputeSettings(threads=chosen.threads)
    train = functools.partial(train_bundle, machine=machine)
    pretrain = functools.partial(train_network, machine=machine)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        run(load_plan(), chosen.data, chosen.work, chosen.page, train, pretrain, chosen.rows)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
