# SPDX-License-Identifier: Apache-2.0
"""Start weights from a pretext over identities: how well persons are named, and what FER+ gains from them.

    python -m benchmarks identity --data DATA --work WORK --page docs/research/identity.md

``identity.toml`` has the budget. From each start a pretext is trained on LFW's training people, and a short training on
FER+ runs from the start itself and from the start after the pretext, with the same seeds. WORK keeps what is done.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import create_training_parser
from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table, write_page
from benchmarks.training.bundle_metrics import budget_of, face_counts
from benchmarks.training.face_starts import trained_outputs
from mien.core import read_typed
from mien.evaluation import bootstrap_metric
from mien.inference import machine_name
from mien.training import ComputeSettings, Recipe, train

_NAME = "identity"
PLAN = Path(__file__).with_name("identity.toml")

SIZE_PX = 48
"""Side of the crops of both trainings."""

Right = Mapping[str, Mapping[str, list[bool]]]
"""Start -> seed -> whether each face of FER+ valid is read rightly."""


def recipe_of(plan: Mapping[str, Any], part: str, start: str, *, seed: int, weights: str = "") -> Recipe:
    """A recipe of the plan.

    Args:
        plan: content of ``identity.toml``.
        part: ``"pretext"`` or ``"task"``.
        start: name of a table under ``[starts]``.
        seed: seed of the training.
        weights: path of start weights in place of the start's own.
    """
    model = {"input_px": SIZE_PX, **plan["starts"][start]}
    if weights:
        model["start"] = weights
    tables = {**plan[part], "model": model, "seed": seed}
    return read_typed(Recipe, tables, f"identity.toml, {part} from {start}")


def run(plan: Mapping[str, Any], data: Path, work: Path, compute: ComputeSettings) -> None:
    """Train what is missing, and keep what each training says in `results_path`.

    Args:
        plan: content of ``identity.toml``.
        data: folder of the open face sets.
        work: folder of weights and checkpoints.
        compute: device and threads.
    """
    work.mkdir(parents=True, exist_ok=True)
    for start in plan["starts"]:
        out = work / f"{start}-identity"
        if not (out / "start.json").is_file():
            recipe = recipe_of(plan, "pretext", start, seed=plan["seeds"][0])
            train(recipe, data, out, compute, work=work / f"{start}-identity.work")
    for start in plan["starts"]:
        for seed in plan["seeds"]:
            for name, weights in ((start, ""), (f"{start} + identity", str(work / f"{start}-identity/start.pt"))):
                results = load_results(plan, work)
                if str(seed) in results.get(name, {}):
                    continue
                recipe = recipe_of(plan, "task", start, seed=seed, weights=weights)
                folder = work / f"{name.replace(' + ', '-')}-s{seed}"
                outputs, truth = trained_outputs(recipe, data, folder, compute)
                right = (outputs.argmax(axis=1) == truth.argmax(axis=1)).tolist()
                updated = {**results, name: {**results.get(name, {}), str(seed): right}}
                results_path(plan, work).write_text(json.dumps(updated), "utf-8")


def results_path(plan: Mapping[str, Any], work: Path) -> Path:
    """The file of what trainings under the budget of this plan say."""
    budget = json.dumps([plan["task"], plan["starts"]], sort_keys=True)
    return work / f"results-{hashlib.sha256(budget.encode()).hexdigest()[:12]}.json"


def load_results(plan: Mapping[str, Any], work: Path) -> Right:
    """What the finished trainings say."""
    path = results_path(plan, work)
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def paired_gain(before: Mapping[str, list[bool]], after: Mapping[str, list[bool]]) -> tuple[float, float, float, int]:
    """Difference of the accuracies, mean over the seeds that both have, and its 95 % interval by face.

    Args:
        before: seed -> whether each face is read rightly, from the start itself.
        after: the same from the start after the pretext.

    Returns:
        The difference, the ends of its interval, and the number of seeds.
    """
    seeds = sorted(set(before) & set(after))
    change = np.mean([np.array(after[seed], float) - np.array(before[seed], float) for seed in seeds], axis=0)
    metric = bootstrap_metric("gain", len(change), lambda rows: float(change[rows].mean()))
    return metric.value, metric.low, metric.high, len(seeds)


def identity_page(plan: Mapping[str, Any], work: Path, n_train: int, measured: str) -> list[str]:
    """The lines of the page.

    Args:
        plan: content of ``identity.toml``.
        work: folder of weights and results.
        n_train: number of FER+ training faces.
        measured: last line of the page.
    """
    results = load_results(plan, work)
    rows, gains = [], []
    for start in plan["starts"]:
        facts = json.loads((work / f"{start}-identity/start.json").read_text("utf-8"))
        found = facts["metrics"][0]
        accuracy = f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        counts = str(facts["n_persons"]), str(found["n"])
        rows.append([start, facts["backbone"], *counts, accuracy, facts["provenance"].split(",")[1].strip()])
        before, after = results.get(start, {}), results.get(f"{start} + identity", {})
        if set(before) & set(after):
            value, low, high, n = paired_gain(before, after)
            means = [f"{np.mean([np.mean(one) for one in each.values()]):.3f}" for each in (before, after)]
            gains.append([start, str(n), *means, f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"])
    task = recipe_of(plan, "task", next(iter(plan["starts"])), seed=plan["seeds"][0])
    return [
        "# Identity as a pretext",
        "",
        notice(_NAME, edit="benchmarks/training/identity.toml"),
        "",
        "Published affect networks start from weights that name persons (VGGFace2; recipe `identity-emotieffnet-b0`).",
        "Here the same engine names LFW's training people who have at least two photos: few persons and few photos, so",
        "this measures the code and the method under a small budget, not what VGGFace2 would give.",
        "",
        f"## Naming persons, crops of {SIZE_PX} px",
        "",
        "Accuracy on the 10 % of photos that were held out, among all persons of the training, with its 95 % interval.",
        "",
        *table(["start", "backbone", "persons", "photos held out", "accuracy", "training"], rows),
        "",
        "## A short training on FER+ from each start",
        "",
        f"Trained for {budget_of(task, n_train)}; accuracy by plurality on FER+ valid, {task.model.given} crops.",
        "The gain is paired over the same seeds and faces; its interval is by face.",
        "",
        *(
            table(["start", "seeds", "from the start", "after the pretext", "gain"], gains)
            if gains
            else ["No pair of trainings is complete yet."]
        ),
        "",
        measured,
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing and write the page; 0."""
    options = create_training_parser(_NAME, __doc__).parse_args(arguments)
    plan = tomllib.loads(PLAN.read_text("utf-8"))
    run(plan, options.data, options.work, ComputeSettings(threads=options.threads))
    n_train = sum(face_counts(options.data, "train").values())
    measured = measured_by(_NAME, machine=machine_name(), date=today())
    write_page(options.page, identity_page(plan, options.work, n_train, measured))
    return 0
