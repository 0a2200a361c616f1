# SPDX-License-Identifier: Apache-2.0
"""Heads on frozen vectors of faces that the network never saw: slice and joint nets, on features, scores or both."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks.proofs.slice_heads import concordance_of, f1_of
from benchmarks.systems.gains import Gain, Statistic, paired_gain
from benchmarks.systems.nets import NETS, net_folder
from benchmarks.systems.new_task import extract_vectors, load_new_task, split_half
from mien.core import Float32, Float64
from mien.evaluation import search_thresholds
from mien.results import atomic_write
from mien.training import Recipe, Trainer, TrainingSet, load_recipe, load_source, raw_outputs
from mien.training.recipes.settings import DataSettings, SourceSettings, VectorSettings

logger = logging.getLogger(__name__)

Outputs = Mapping[str, Float32]

_N_SCORES = 10  # of a multi-task net: eight logits, valence and arousal
_PUBLISHED_FACES = 103_917  # of s-Aff-Wild2 with valence and arousal

TASKS = ("expression", "valence_arousal", "action_units")

# Network -> half of FER+ that its heads train on, which is the one that it never saw.
DIRECTIONS = {"frozen": "b", "frozen-b": "a"}

# System -> recipe, and what its heads see; None for what the recipe says.
SYSTEMS: Mapping[str, tuple[str, str | None]] = {
    "slice": ("hse-mtl", None),
    "separate, both": ("hse-mtl", ""),
    "separate, features": ("hse-mtl", "features"),
    "separate, scores": ("hse-mtl", "scores"),
    "joint, both": ("hse-mtl-joint", ""),
    "joint, features": ("hse-mtl-joint", "features"),
    "joint, scores": ("hse-mtl-joint", "scores"),
}

# Key of a condition -> (system that should be better, the other, measures that are added up), for each of its gains.
ORDERINGS: Mapping[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "slice-joint": (("slice", "joint, both", ("P_MTL",)),),
    "joint-both-features": (("joint, both", "joint, features", ("P_MTL",)),),
    "joint-features-scores": (("joint, features", "joint, scores", ("P_MTL",)),),
    "separate-features-scores": (("separate, features", "separate, scores", ("P_EXPR", "P_AU")),),
    "va-scores-features": (
        ("separate, scores", "separate, features", ("P_VA",)),
        ("separate, scores", "separate, both", ("P_VA",)),
    ),
}


def head_recipe(system: str, n_features: int, n_scores: int, n_faces: int, seed: int) -> Recipe:
    """The recipe of a system on vectors of these lengths, on stored NumPy files, with as many steps as published.

    Args:
        system: key of `SYSTEMS`.
        n_features: length of the features.
        n_scores: number of scores.
        n_faces: number of training faces; the epochs are multiplied by how many times s-Aff-Wild2 has as many.
        seed: seed of the training.
    """
    name, sees = SYSTEMS[system]
    published = load_recipe(name)
    vectors = (VectorSettings(part="features", n=n_features), VectorSettings(part="scores", n=n_scores))
    heads = dict(published.heads)
    if sees is not None:
        heads = {task: dataclasses.replace(head, sees=sees) for task, head in heads.items()}
    return dataclasses.replace(
        published,
        seed=seed,
        data=DataSettings(
            sources=(SourceSettings(name="vectors"),),
            valid=(SourceSettings(name="vectors", split="valid"),),
            expressions="affwild2_8",
        ),
        model=dataclasses.replace(published.model, vectors=vectors),
        heads=heads,
        stages=tuple(
            dataclasses.replace(stage, epochs=round(stage.epochs * _PUBLISHED_FACES / n_faces))
            for stage in published.stages
        ),
    )


def train_heads(data: Path, work: Path, seeds: tuple[int, ...]) -> None:
    """Train all systems on the vectors of every network that is trained, and keep their outputs.

    What is there already is not trained again.
    """
    torch.set_num_threads(1)
    wanted = [
        (net, seed)
        for net in NETS
        if net.name in DIRECTIONS
        for seed in seeds
        if (net_folder(net, seed, work) / "recipe.sha256").is_file()
        and any(not outputs_file(net.name, seed, system, work).is_file() for system in SYSTEMS)
    ]
    if not wanted:
        return
    everything, test = load_new_task(data, "train"), load_new_task(data, "valid")
    for net, seed in wanted:
        splits = split_half(everything, DIRECTIONS[net.name])
        vectors = extract_vectors(net, seed, {**splits, "test": test}, work)
        for system in SYSTEMS:
            if not outputs_file(net.name, seed, system, work).is_file():
                _train_system(system, seed, vectors, outputs_file(net.name, seed, system, work))


def outputs_file(net: str, seed: int, system: str, work: Path) -> Path:
    """File of the outputs of a system's heads on a network's vectors."""
    return work / "heads" / net / f"{seed}" / f"{system.replace(', ', '-')}.npz"


def _train_system(system: str, seed: int, vectors: Path, target: Path) -> None:
    logger.info("heads %s, %s", target.parent, system)
    recipe, train_set, valid = _read(system, seed, vectors)
    test = load_source(SourceSettings(name="vectors", split="test"), vectors, recipe)
    network = Trainer(recipe, train_set, target.with_suffix(""), valid=valid).run()
    kept = {}
    for split, samples in (("valid", valid), ("test", test)):
        outputs = raw_outputs(network, samples, recipe)
        kept |= {f"{split} {task}": outputs[task] for task in TASKS}
        kept |= {f"{split} true {task}": samples.targets[task] for task in TASKS}
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        np.savez(file, **kept)


def _read(system: str, seed: int, vectors: Path) -> tuple[Recipe, TrainingSet, TrainingSet]:
    """The recipe of a system, and the faces that it trains and selects on."""
    n_faces, length = np.load(vectors / "train/inputs.npy", mmap_mode="r").shape
    recipe = head_recipe(system, length - _N_SCORES, _N_SCORES, n_faces, seed)
    sets = [load_source(source, vectors, recipe) for source in (*recipe.data.sources, *recipe.data.valid)]
    return recipe, sets[0], sets[1]


def load_heads(net: str, seed: int, system: str, work: Path) -> Callable[[Float32], dict[str, Float32]]:
    """The trained heads of a system, as a function of vectors (N, D) that returns task -> (N, L) raw outputs."""
    folder = net_folder(next(row for row in NETS if row.name == net), seed, work) / "vectors"
    recipe, train_set, valid = _read(system, seed, folder)
    place = outputs_file(net, seed, system, work).with_suffix("")
    network = Trainer(recipe, train_set, place, valid=valid).run().eval()

    def run(vectors: Float32) -> dict[str, Float32]:
        with torch.inference_mode():
            outputs = network(torch.from_numpy(np.ascontiguousarray(vectors, np.float32)))
        return {task: outputs[number].numpy() for number, task in enumerate(network.tasks)}

    return run


def load_system(net: str, seed: int, system: str, work: Path) -> dict[str, Float32] | None:
    """Outputs and labels of a system; None where it is not trained."""
    path = outputs_file(net, seed, system, work)
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def mtl_statistics(truth: Outputs, outputs: Outputs, thresholds: Float64 | float = 0.5) -> dict[str, Statistic]:
    """P_VA, P_EXPR, P_AU and P_MTL of raw outputs, as functions of weights of the rows.

    Args:
        truth: task -> (N, L), NaN where unknown.
        outputs: task -> (N, L) logits, and values of valence and arousal.
        thresholds: probability from which a unit counts as present, one or one for each.
    """
    classes = np.arange(truth["expression"].shape[1])
    label, predicted = (each["expression"].argmax(axis=1)[:, None] == classes for each in (truth, outputs))
    rated = ~np.isnan(truth["valence_arousal"]).any(axis=1)
    concordance = concordance_of(
        truth["valence_arousal"][rated], np.clip(outputs["valence_arousal"][rated].astype(np.float64), -1, 1)
    )
    known = ~np.isnan(truth["action_units"])
    present = np.nan_to_num(truth["action_units"]) >= 0.5
    p_expr = f1_of(label, predicted, np.ones_like(label))
    p_au = f1_of(present, probabilities(outputs["action_units"]) >= thresholds, known)

    def p_va(weights: Float64) -> Float64:
        return concordance(weights[:, rated])

    def p_mtl(weights: Float64) -> Float64:
        return p_va(weights) + p_expr(weights) + p_au(weights)

    return {"P_VA": p_va, "P_EXPR": p_expr, "P_AU": p_au, "P_MTL": p_mtl}


def probabilities(logits: Float32) -> Float64:
    """Sigmoid of logits."""
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -60, 60)))


def head_gains(work: Path, seeds: tuple[int, ...]) -> dict[str, tuple[Gain, ...]]:
    """Key of a condition -> its gains. A run is one direction with one seed; those with all systems count."""
    runs = [
        {system: load_system(net, seed, system, work) for system in SYSTEMS} for seed in seeds for net in DIRECTIONS
    ]
    complete = [run for run in runs if all(found is not None for found in run.values())]
    if not complete:
        return {}
    statistics = [
        {system: mtl_statistics(*_sides(found, "test")) for system, found in run.items() if found is not None}
        for run in complete
    ]
    n = len(next(iter(complete[0].values()))["test expression"])  # type: ignore[index]  # complete runs have no None
    gains = {
        key: tuple(
            paired_gain(
                f"{better} over {other}",
                [_summed(run[better], measures) for run in statistics],
                [_summed(run[other], measures) for run in statistics],
                n,
            )
            for better, other, measures in orderings
        )
        for key, orderings in ORDERINGS.items()
    }
    tuned = [_tuned(run["slice"]) for run in complete if run["slice"] is not None]
    plain = [run["slice"]["P_AU"] for run in statistics]
    return {**gains, "thresholds": (paired_gain("tuned over 0.5", tuned, plain, n),)}


def head_pair_gain(
    work: Path, seeds: tuple[int, ...], better: str, other: str, measures: tuple[str, ...]
) -> Gain | None:
    """Gain of one system over another in the sum of some measures, over all runs; None where neither was run."""
    pairs = [
        [load_system(net, seed, system, work) for system in (better, other)] for seed in seeds for net in DIRECTIONS
    ]
    complete = [[run for run in pair if run is not None] for pair in pairs if None not in pair]
    if not complete:
        return None
    sides = [[_summed(mtl_statistics(*_sides(pair[side], "test")), measures) for pair in complete] for side in range(2)]
    return paired_gain(f"{better} over {other}", *sides, len(complete[0][0]["test expression"]))


def measures_of(work: Path, seeds: tuple[int, ...]) -> dict[str, list[tuple[float, ...]]]:
    """System -> (P_VA, P_EXPR, P_AU, P_MTL) of every run."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for system in SYSTEMS:
        for seed in seeds:
            for net in DIRECTIONS:
                run = load_system(net, seed, system, work)
                if run is not None:
                    own = mtl_statistics(*_sides(run, "test"))
                    once = np.ones((1, len(run["test expression"])))
                    found.setdefault(system, []).append(tuple(float(each(once)[0]) for each in own.values()))
    return found


def _sides(found: Mapping[str, Float32], split: str) -> tuple[Outputs, Outputs]:
    return (
        {task: found[f"{split} true {task}"] for task in TASKS},
        {task: found[f"{split} {task}"] for task in TASKS},
    )


def _tuned(found: Mapping[str, Float32]) -> Statistic:
    truth, outputs = _sides(found, "valid")
    known = ~np.isnan(truth["action_units"]).any(axis=1)
    search = search_thresholds(truth["action_units"][known], probabilities(outputs["action_units"][known]))
    return mtl_statistics(*_sides(found, "test"), np.array(search.thresholds))["P_AU"]


def _summed(statistics: Mapping[str, Statistic], names: tuple[str, ...]) -> Statistic:
    def total(weights: Float64) -> Float64:
        return np.asarray(sum(statistics[name](weights) for name in names))

    return total
