# SPDX-License-Identifier: Apache-2.0
"""Does detecting parts in windows help to regress points? Completes docs/research/systems/regression-detection.md.

    python -m benchmarks regression-detection --data DATA --work WORK

Three systems on one trunk: regression alone; regression with part detection beside it ("heterogeneous"); regression on
a trunk that part detection has trained first ("pretrained"). All see the same number of training pictures in the same
crops, and the pretrained one spends half of them on detection. Two experiments:

- ``joints``: joints of drawn bodies, every seed with its own training bodies; 2,000 bodies that no seed
  trains on. PCP (both ends of a limb within half its length) and MPJPE.
- ``faces``: the 68 landmarks of FairFace and LFW training faces by the landmark teacher; FairFace's validation faces
  and LFW's test people, each in one crop that is shifted, scaled and turned like a detector's. Mean landmark error in
  distances between the eyes, of which at least 0.12 crop sides count, as in the loss.

Conditions, written before any counted run: a claim is supported where the mean gain over the seeds 1, 2, 3 has a 95 %
interval above 0 (1,000 paired resamples of the bodies, or of people) and every seed gains; it is not supported where
the interval is below 0; else it is undecided.

1. Joints: the heterogeneous network has a higher PCP, and a lower MPJPE, than regression alone.
2. Joints: the pretrained network has a higher PCP, and a lower MPJPE, than regression alone.
3. Faces: the heterogeneous network has a lower landmark error than regression alone, on all held-out people.
4. Faces: the pretrained network has a lower landmark error than regression alone, on all held-out people.

Added after the results of the joints were there, and no test of the paper: ``light``, the heterogeneous network with a
hundredth of the published weight of detection, whose sum over 1,210 windows is far larger than the regression loss.

The budget (8 and 4 epochs of 32 rows a step) was lowered from 20 and 6 of 64 rows since the machine was busy; one run
had ended by then, of regression alone (PCP 0.528, MPJPE 9.34). An interrupted run resumes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from benchmarks import ROOT, create_parser
from benchmarks.machine import today
from benchmarks.page import measured_by, replace_between, table, write_page
from benchmarks.systems.gains import Gain, Statistic, paired_gain
from mien.core import LIMB_ENDS, Bools, Float64, Floats, Indices
from mien.datasets import person
from mien.inference import machine_name
from mien.metrics import correct_parts, joint_distances
from mien.results import atomic_write
from mien.training import Recipe, Trainer, load_recipe, load_source
from mien.training.data.batch_loader import BatchLoader
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.data.training_set import TrainingSet, join_sets
from mien.training.recipes.settings import AugmentationSettings

_NAME = "regression-detection"
_PAGE = ROOT / "docs" / "research" / "systems" / "regression-detection.md"
_MARKS = ("<!-- results: written by `python -m benchmarks regression-detection` -->\n", "<!-- end of results -->")
SYSTEMS = ("regression", "heterogeneous", "pretrained")
LIGHT = "light"
_LIGHT_SHARE = 0.01
_WIDTH, _SIZE_PX, _BATCH = 8, 48, 32
_HIGHER = "PCP"  # the measure of which more is better
_SMALLEST_EYE_DISTANCE = 0.12
_JITTER = AugmentationSettings(shift=0.07, zoom=0.2, rotation_deg=8.0)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Points to regress.

    Attributes:
        name: name on the command line and in files.
        recipe: recipe of the heterogeneous network; ``RECIPE-pretrained`` is that of the pretrained one.
        points: task of the points.
        parts: auxiliary task of the parts.
        epochs: number of epochs of every system; the pretrained one spends half of them on parts.
        measures: names of the measures, all but ``"PCP"`` better where lower.
        systems: systems to train.
    """

    name: str
    recipe: str
    points: str
    parts: str
    epochs: int
    measures: tuple[str, ...]
    systems: tuple[str, ...] = SYSTEMS


EXPERIMENTS = (
    Experiment(
        name="joints",
        recipe="joint-windows",
        points="joints",
        parts="body_parts",
        epochs=8,
        measures=("PCP", "MPJPE in % of the crop's side"),
        systems=(*SYSTEMS, LIGHT),
    ),
    Experiment(
        name="faces",
        recipe="points-windows",
        points="landmarks",
        parts="face_parts",
        epochs=4,
        measures=("landmark error", "FairFace", "LFW"),
    ),
)


def system_recipe(experiment: Experiment, system: str, *, seed: int, rows: int, epochs: int) -> Recipe:
    """The recipe of one system in small.

    Args:
        experiment: points to regress.
        system: one of the experiment's systems.
        seed: seed of weights, batches and training bodies.
        rows: number of training bodies.
        epochs: number of epochs, an even one.
    """
    name = f"{experiment.recipe}-pretrained" if system == "pretrained" else experiment.recipe
    recipe = load_recipe(name)
    tasks = [task for task in recipe.tasks if task != experiment.parts or system != "regression"]
    share = 2 if system == "pretrained" else 1
    losses = {task: recipe.losses[task] for task in tasks}
    if system == LIGHT:
        detection = losses[experiment.parts]
        losses[experiment.parts] = dataclasses.replace(detection, weight=_LIGHT_SHARE * detection.weight)
    sources = tuple(dataclasses.replace(source, rows=rows if source.rows else 0) for source in recipe.data.sources)
    return dataclasses.replace(
        recipe,
        seed=seed,
        data=dataclasses.replace(recipe.data, sources=sources, valid=()),
        model=dataclasses.replace(recipe.model, input_px=_SIZE_PX, options={"width": _WIDTH}),
        heads={task: recipe.heads[task] for task in tasks},
        losses=losses,
        stages=tuple(dataclasses.replace(stage, epochs=epochs // share, batch=_BATCH) for stage in recipe.stages),
    )


def held_out_crops(
    experiment: Experiment, samples: TrainingSet, recipe: Recipe
) -> tuple[torch.Tensor, dict[str, Floats]]:
    """Crops (N, S, S, 1) of held-out pictures and their targets, the same for every system and seed."""
    jitter = _JITTER if experiment.name == "faces" else AugmentationSettings()
    still = dataclasses.replace(recipe, seed=0, augmentation=jitter)
    wanted = {task: np.asarray(samples.targets[task]) for task in (experiment.points, experiment.parts)}
    batch = BatchLoader(samples, wanted, still, 0).batch(0, 0, np.arange(len(samples)))
    return batch.inputs, {task: values.numpy() for task, values in batch.targets.items()}


def measures(experiment: Experiment, found: Floats, truth: Floats, samples: TrainingSet) -> dict[str, Float64]:
    """Measure -> value of every held-out picture, NaN where it does not count.

    Args:
        experiment: points that were regressed.
        found: (N, 2 K) predicted x and y, fractions of the crop's side.
        truth: (N, 2 K) true ones.
        samples: held-out pictures.
    """
    places, true = found.reshape(len(found), -1, 2), truth.reshape(len(truth), -1, 2)
    if experiment.points == "joints":
        away = joint_distances(places, true).mean(axis=1)
        return dict(
            zip(experiment.measures, (correct_parts(places, true, LIMB_ENDS).mean(axis=1), 100 * away), strict=True)
        )
    eyes = np.linalg.norm(true[:, 36:42].mean(axis=1) - true[:, 42:48].mean(axis=1), axis=1)
    error = joint_distances(places, true).mean(axis=1) / np.maximum(eyes, _SMALLEST_EYE_DISTANCE)
    own = is_fairface(samples)
    return {"landmark error": error, "FairFace": np.where(own, error, np.nan), "LFW": np.where(own, np.nan, error)}


def is_fairface(samples: TrainingSet) -> Bools:
    """(N,) pictures of FairFace; the others are of LFW."""
    own = np.array([record.title.startswith("FairFace") for record in samples.records])
    return np.asarray(own[samples.record])


def groups_of(experiment: Experiment, samples: TrainingSet) -> Indices:
    """(N,) number of what is resampled: the body, the FairFace picture, or the person of LFW."""
    names = list(samples.groups)
    if experiment.name == "faces":
        names = [n if own else person(n) for n, own in zip(names, is_fairface(samples), strict=True)]
    return np.unique(np.array(names), return_inverse=True)[1]


def mean_by_group(values: Float64, groups: Indices) -> Statistic:
    """Mean of the values that are not NaN, groups counted by weights (R, G)."""
    known = ~np.isnan(values)
    n_groups = int(groups.max()) + 1
    sums = np.bincount(groups[known], values[known], n_groups)
    counts = np.bincount(groups[known], minlength=n_groups)
    return lambda weights: np.asarray((weights @ sums) / np.maximum(weights @ counts, 1e-12))


def parts_found(logits: Floats, centres: Floats) -> float:
    """Share of parts whose most probable window holds the part's centre, for windows side by side."""
    n_parts = centres.shape[1] // 2
    scores = logits.reshape(len(logits), n_parts, -1)
    side = round(scores.shape[2] ** 0.5)
    best = scores.argmax(axis=2)
    cells = np.floor(centres.reshape(len(centres), n_parts, 2) * side)
    return float(((best % side == cells[..., 0]) & (best // side == cells[..., 1])).mean())


def run_system(
    experiment: Experiment, system: str, seed: int, folders: tuple[Path, Path], size: tuple[int, int]
) -> None:
    """Train a system and keep its measures of every held-out picture; nothing is done where they are kept.

    Args:
        experiment: points to regress.
        system: one of the experiment's systems.
        seed: seed of the training.
        folders: folder of the data sets, and that of the results.
        size: number of training bodies and of epochs.
    """
    data, work = folders
    path = outputs_file(work, experiment.name, system, seed)
    if path.is_file():
        return
    rows, epochs = size
    recipe = system_recipe(experiment, system, seed=seed, rows=rows, epochs=epochs)
    train = join_sets([load_source(source, data, recipe) for source in recipe.data.sources])
    if experiment.name == "faces":  # bodies are pixels already
        train = train.cached(default_cache_folder(), cached_side_px(recipe.model.input_px))
    trainer = Trainer(recipe, train, work / f"{experiment.name}-{system}-{seed}")
    network = trainer.run()
    samples = held_out(experiment.name, data)
    crops, truth = held_out_crops(experiment, samples, recipe)
    with torch.inference_mode():
        blocks = [network(crops[start : start + 256]) for start in range(0, len(crops), 256)]
    outputs = {task: torch.cat([b[i] for b in blocks]).numpy() for i, task in enumerate(network.tasks)}
    found = measures(experiment, outputs[experiment.points], truth[experiment.points], samples)
    extra = {"seconds": np.array(trainer.seconds), "training pictures": np.array(len(train))}
    if system in ("heterogeneous", LIGHT):
        extra["parts found"] = np.array(parts_found(outputs[experiment.parts], truth[experiment.parts]))
    with atomic_write(path) as file:
        np.savez(file, **{**found, **extra})
    shown = ", ".join(f"{name} {np.nanmean(values):.4f}" for name, values in {**found, **extra}.items())
    print(f"{experiment.name}, {system}, seed {seed}: {shown}", flush=True)


def outputs_file(work: Path, experiment: str, system: str, seed: int) -> Path:
    """File of the measures of one run."""
    work.mkdir(parents=True, exist_ok=True)
    return work / f"{experiment}-{system}-{seed}.npz"


@cache
def held_out(experiment: str, data: Path) -> TrainingSet:
    """The held-out pictures of an experiment."""
    chosen = next(one for one in EXPERIMENTS if one.name == experiment)
    recipe = load_recipe(chosen.recipe)
    if experiment == "joints":
        return load_source(recipe.data.valid[0], data, recipe)
    tests = [dataclasses.replace(source, split="test") for source in recipe.data.sources]
    return join_sets([load_source(source, data, recipe) for source in tests])


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all systems with all seeds, and write the results into the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the open face sets (docs/how-to/training.md)"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of the results; a run resumes from there")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in EXPERIMENTS], help="experiments to run [all]")
    parser.add_argument("--figures", type=int, default=3000, help="training bodies of a seed [3000]")
    parser.add_argument("--epochs", type=int, default=0, help="epochs of every system [8 for joints, 4 for faces]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds [1 2 3]")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page to complete")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for experiment in EXPERIMENTS:
        if options.only and experiment.name not in options.only:
            continue
        for seed in options.seeds:
            for system in experiment.systems:
                size = options.figures, options.epochs or experiment.epochs
                run_system(experiment, system, seed, (options.data, options.work), size)
    if list(options.seeds) != [1, 2, 3]:
        return 0
    lines = report(options.data, options.work, tuple(options.seeds))
    facts = (
        f"{_SIZE_PX} px, {_WIDTH} channels in the first convolution, {_BATCH} rows a step",
        f"{options.figures} bodies a seed",
        f"epochs {', '.join(f'{options.epochs or one.epochs} ({one.name})' for one in EXPERIMENTS)}",
        "seeds 1, 2, 3, torch in one thread",
    )
    lines += ["", measured_by(_NAME, *facts, machine=machine_name(), date=today()), ""]
    text = options.page.read_text("utf-8")
    write_page(options.page, replace_between(text, {_MARKS: "\n".join(lines)}).splitlines())
    print("\n".join(lines))
    return 0


Runs = Mapping[str, list[dict[str, Float64]]]


def report(data: Path, work: Path, seeds: tuple[int, ...]) -> list[str]:
    """The tables of all experiments with their verdicts, as lines of Markdown."""
    lines: list[str] = []
    for experiment in EXPERIMENTS:
        runs = load_runs(experiment, work, seeds)
        if runs is None:
            lines += [f"`{experiment.name}`: not run.", ""]
            continue
        samples = held_out(experiment.name, data)
        groups = groups_of(experiment, samples)
        lines += [*_means(experiment, runs), "", *_claims(experiment, runs, groups), ""]
    return lines[:-1]


def load_runs(experiment: Experiment, work: Path, seeds: tuple[int, ...]) -> Runs | None:
    """System -> measures of each seed; None where a run of the conditions is missing, without others that are."""
    paths = {
        system: [outputs_file(work, experiment.name, system, seed) for seed in seeds] for system in experiment.systems
    }
    complete = {system: each for system, each in paths.items() if all(path.is_file() for path in each)}
    if not set(SYSTEMS) <= set(complete):
        return None
    return {system: [dict(np.load(path)) for path in each] for system, each in complete.items()}


def _means(experiment: Experiment, runs: Runs) -> list[str]:
    """Table of the systems: mean over seeds of every measure, with the lowest and highest seed."""
    rows = []
    for system, each in runs.items():
        cells = [system]
        for name in experiment.measures:
            values = [float(np.nanmean(run[name])) for run in each]
            cells.append(f"{fmean(values):.4f} ({min(values):.4f} to {max(values):.4f})")
        parts = [float(run["parts found"]) for run in each if "parts found" in run]
        rows.append(
            [*cells, f"{fmean(parts):.3f}" if parts else "-", f"{fmean(float(r['seconds']) for r in each):.0f}"]
        )
    n = int(runs[SYSTEMS[0]][0]["training pictures"])
    heading = [
        f"{experiment.name} ({n:,} training pictures)",
        *experiment.measures,
        "parts found",
        "seconds of training",
    ]
    return table(heading, rows)


def _claims(experiment: Experiment, runs: Runs, groups: Indices) -> list[str]:
    rows = []
    for system in list(runs)[1:]:
        for name in experiment.measures:
            gain = gain_of(runs, system, name, groups)
            each = ", ".join(f"{value:+.4f}" for value in gain.per_seed)
            shown = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
            better = "higher" if name == _HIGHER else "lower"
            added = " (added afterwards)" if system == LIGHT else ""
            claim = f"{system}{added}: {name} {better} than with regression alone"
            rows.append([claim, shown, each, f"{gain.n:,}", verdict(gain)])
    return table(["claim", "gain, 95 % interval", "each seed", "n", "verdict"], rows)


def gain_of(runs: Runs, system: str, name: str, groups: Indices) -> Gain:
    """Gain of a system over regression alone in one measure, positive where the claim holds."""
    sign = 1.0 if name == _HIGHER else -1.0
    after, before = (
        [mean_by_group(sign * np.asarray(run[name], np.float64), groups) for run in runs[one]]
        for one in (system, SYSTEMS[0])
    )
    n = int((~np.isnan(runs[system][0][name])).sum())
    return paired_gain(f"{system}, {name}", after, before, int(groups.max()) + 1, rows=n)


def verdict(gain: Gain) -> str:
    """Whether a claim is supported, not supported or undecided, by the conditions above."""
    if gain.low > 0 and min(gain.per_seed) > 0:
        return "supported"
    return "not supported" if gain.high < 0 else "undecided"
