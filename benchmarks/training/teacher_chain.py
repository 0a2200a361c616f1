# SPDX-License-Identifier: Apache-2.0
"""The recipe `mien-teacher` from end to end under a small budget: bundles, a file of predictions, students.

    python -m benchmarks teacher --data DATA --work WORK --page docs/research/teacher.md

``teacher_chain.toml`` has the budget. A bundle of each seed is trained, the mean of their predictions for FER+'s
training faces becomes a Parquet file, and students of `face-starts` learn from the votes and that file. WORK keeps
what is done; with that of `face-starts`, its trainings of the two other students are not run again.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import create_training_parser
from benchmarks.claims.verdicts import KeptResults, paired, spread
from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table, write_page
from benchmarks.training import face_starts
from benchmarks.training.ablation import Plan, digest, is_done, load_plan
from benchmarks.training.bundle_metrics import budget_of, face_counts
from mien.core import ModelSpec
from mien.inference import load_spec, machine_name
from mien.training import ComputeSettings, Recipe, load_training_data, train
from mien.training.data.prediction_files import write_predictions
from mien.training.engine.target_providers import predict_bundle
from mien.training.recipes.target_settings import TeacherSettings

_NAME = "teacher"
PLAN = Path(__file__).with_name("teacher_chain.toml")

FILE = "teacher.parquet"
VOTES, SHARED, OWN = "votes", "base", "own teacher"
_METRICS = ("accuracy, plurality", "macro F1, plurality")


def student_seeds() -> tuple[int, ...]:
    """Seeds of the students."""
    return tuple(tomllib.loads(PLAN.read_text("utf-8"))["students"]["seeds"])


def student_recipe(students: Plan, name: str, seed: int, work: Path) -> Recipe:
    """The recipe of a student.

    Args:
        students: plan of `face-starts`.
        name: `VOTES`, `SHARED` or `OWN`.
        seed: seed of the training.
        work: folder of the results.
    """
    (row,) = (row for row in students.rows if row.name == (SHARED if name == OWN else name))
    if name == OWN:
        row = dataclasses.replace(row, change={**row.change, "targets.0.path": str((work / FILE).absolute())})
    return students.recipe(row, seed, work)


def train_teachers(plan: Plan, data: Path, work: Path, compute: ComputeSettings) -> list[Path]:
    """Train what is missing of the ensemble.

    Args:
        plan: plan of the teacher.
        data: folder of the open face sets.
        work: folder of the results.
        compute: device and threads.

    Returns:
        The folders of the bundles.
    """
    (row,) = plan.rows
    bundles = []
    for seed in row.seeds:
        folder, recipe = work / f"teacher-s{seed}", plan.recipe(row, seed, work)
        if not is_done(folder, recipe):
            folder.mkdir(parents=True, exist_ok=True)
            train(recipe, data, folder / "bundle", compute, work=folder / "work")
            (folder / "recipe.sha256").write_text(digest(recipe), "utf-8")
        bundles.append(folder / "bundle")
    return bundles


def write_mean(bundles: Sequence[Path], recipe: Recipe, data: Path, path: Path) -> None:
    """Write the mean of the bundles' expression probabilities for the training faces of a recipe.

    Args:
        bundles: folders of the teachers.
        recipe: recipe of a student, whose sources are read.
        data: folder of the open face sets.
        path: Parquet file.
    """
    samples = load_training_data(recipe, data).train_set
    found = [predict_bundle(samples, TeacherSettings(path=str(bundle)), recipe)["expression"] for bundle in bundles]
    mean = np.mean([values for _, values in found], axis=0)
    write_predictions(path, samples.groups, {"expression": (found[0][0], mean)})


def run(plan: Plan, students: Plan, data: Path, work: Path, compute: ComputeSettings) -> KeptResults:
    """Train what is missing: teachers, then the students of the three kinds.

    Args:
        plan: plan of the teacher.
        students: plan of `face-starts`.
        data: folder of the open face sets.
        work: folder of the results.
        compute: device and threads.
    """
    results = KeptResults(work / "results.json")
    bundles = train_teachers(plan, data, work, compute)
    path = work / FILE
    if not path.is_file():
        write_mean(bundles, student_recipe(students, VOTES, 1, work), data, path)
    for seed in student_seeds():
        for name in (VOTES, SHARED, OWN):
            recipe = student_recipe(students, name, seed, work)
            folder = work / f"{name.replace(' ', '-')}-s{seed}"

            def measure(recipe: Recipe = recipe, folder: Path = folder) -> dict[str, float]:
                return face_starts.trained_metrics(recipe, data, folder, compute)

            results.get(face_starts.key(recipe, name, seed), measure)
    return results


def teacher_page(
    teachers: Mapping[int, ModelSpec], students: Mapping[str, Mapping[int, Mapping[str, float]]], n_train: int
) -> list[str]:
    """The lines of the page but the last one.

    Args:
        teachers: seed -> description of the bundle.
        students: `VOTES`, `SHARED` and `OWN` -> seed -> metrics.
        n_train: number of FER+ training faces.
    """
    titles = {
        VOTES: "votes alone",
        OWN: "votes and this teacher, in equal shares",
        SHARED: "votes and the strong teacher (`teacher/affect_teacher.parquet`), in equal shares",
    }
    rows = []
    for seed, spec in teachers.items():
        known = {metric.name: metric for metric in spec.metrics}
        cells = [
            f"{known[name].value:.3f} [{known[name].low:.3f}, {known[name].high:.3f}]" if name in known else "-"
            for name in _METRICS
        ]
        rows.append([str(seed), *cells, spec.provenance])
    columns = face_starts.COLUMNS
    learned = []
    for name, title in titles.items():
        by_seed = list(students[name].values())
        cells = [spread([one[column] for one in by_seed]) if len(by_seed) > 1 else "-" for column in columns]
        learned.append([title, str(len(by_seed)), *cells])
    gaps = []
    for name in (OWN, SHARED):
        seeds = sorted(set(students[name]) & set(students[VOTES]))
        if len(seeds) > 1:
            gap = paired(*([students[kind][seed]["accuracy"] for seed in seeds] for kind in (name, VOTES)))
            gaps.append(f"- {titles[name]}: {gap}, n = {gap.n}, {gap.verdict}")
        else:
            gaps.append(f"- {titles[name]}: not run")
    plan, student = load_plan(PLAN), student_recipe(load_plan(face_starts.PLAN), VOTES, 1, Path())
    budgets = budget_of(plan.recipe(plan.rows[0], 1, Path()), n_train), budget_of(student, n_train)
    return [
        "# The teacher from end to end",
        "",
        notice(_NAME, edit="benchmarks/training/teacher_chain.toml"),
        "",
        "The recipe `mien-teacher` is for hours on a GPU. Here it is run under a budget of minutes",
        f"({budgets[0]}), to show that each step works: training, bundle,",
        "file of predictions, and students that learn from it. Bundles in mien learned from a stronger teacher, whose",
        "predictions came with the data (`teacher/affect_teacher.parquet`, 0.871 on FER+ valid), not from this recipe.",
        "",
        "## Teachers",
        "",
        *table(["seed", "accuracy", "macro F1", "training"], rows),
        "",
        "## Students",
        "",
        f"Trainings of [face starts](face-starts.md): {budgets[1]}, FER+ valid by plurality,",
        "mean and standard deviation over the seeds.",
        "",
        *table(["targets", "seeds", *columns], learned),
        "",
        "Claim, stated before the trainings: a teacher beside the votes reads more faces rightly than the votes alone.",
        "Difference of the accuracies, paired by seed, with its 95 % interval (Student's t):",
        "",
        *gaps,
        "",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing and write the page; 0."""
    options = create_training_parser(_NAME, __doc__).parse_args(arguments)
    plan, students, work = load_plan(PLAN), load_plan(face_starts.PLAN), options.work
    results = run(plan, students, options.data, work, ComputeSettings(threads=options.threads))
    teachers = {seed: load_spec(work / f"teacher-s{seed}/bundle") for seed in plan.rows[0].seeds}
    found: dict[str, dict[int, Mapping[str, float]]] = {VOTES: {}, SHARED: {}, OWN: {}}
    for name, by_seed in found.items():
        for seed in student_seeds():
            key = face_starts.key(student_recipe(students, name, seed, work), name, seed)
            by_seed[seed] = results.get(key, dict)
    lines = teacher_page(teachers, found, sum(face_counts(options.data, "train").values()))
    write_page(options.page, [*lines, measured_by(_NAME, machine=machine_name(), date=today())])
    return 0
