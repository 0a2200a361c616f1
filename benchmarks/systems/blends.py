# SPDX-License-Identifier: Apache-2.0
"""Blends of two families of networks, and the choice of an extractor for compounds by its class frequencies."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.proofs.label_proofs import MIN_FACES, compound_labels
from benchmarks.proofs.slice_heads import concordance_of
from benchmarks.systems.gains import Gain, Statistic, macro_f1_of, paired_gain
from benchmarks.systems.nets import load_outputs
from benchmarks.systems.sweeps.time_sweep import softmax
from mien.affect import blend, compound_scores, search_blend
from mien.core import EXPRESSIONS, Bools, Float64, Indices
from mien.datasets import load_ferplus, load_pictures, load_votes, picture_file
from mien.metrics import ccc, macro_f1, rank_correlation

FAMILIES = ("base-80", "face-80")
EXTRACTORS = ("base", "plain", "adam", "single", "base-b", "lite0-scratch")
"""The six extractors of the compounds."""


def blend_gains(data: Path, work: Path, seeds: tuple[int, ...]) -> dict[str, tuple[Gain, ...]]:
    """Gains of the blend over either family; the weight is chosen on the other half of the faces."""
    faces = load_ferplus(data, "valid")
    label, affect = faces.expression.argmax(axis=1), faces.valence_arousal.astype(np.float64)
    runs = [[load_outputs(net, seed, work) for net in FAMILIES] for seed in seeds]
    complete = [[own for own in run if own is not None] for run in runs if None not in run]
    if not complete:
        return {}
    probabilities = [[softmax(own["expression"]) for own in run] for run in complete]
    values = [[np.clip(own["valence_arousal"].astype(np.float64), -1, 1) for own in run] for run in complete]

    def f1(predicted: Float64) -> Statistic:
        return macro_f1_of(label, predicted.argmax(axis=1), len(EXPRESSIONS))

    def score_f1(blended: Float64, rows: Bools) -> float:
        return macro_f1(label[rows], blended.argmax(axis=1), len(EXPRESSIONS))

    def concordance(predicted: Float64) -> Statistic:
        return concordance_of(affect, predicted)

    def score_ccc(blended: Float64, rows: Bools) -> float:
        return float(np.mean([ccc(blended[:, column], affect[rows, column]) for column in range(2)]))

    found = {}
    for key, models, statistic, score in (
        ("blend-expr", probabilities, f1, score_f1),
        ("blend-va", values, concordance, score_ccc),
    ):
        after = [statistic(_cross_fitted(own, score)) for own in models]
        found[key] = tuple(
            paired_gain(f"blend over {name}", after, [statistic(own[number]) for own in models], len(label))
            for number, name in enumerate(FAMILIES)
        )
    return found


def _cross_fitted(models: list[Float64], score: object) -> Float64:
    blended = np.empty(models[0].shape)
    second = np.arange(len(blended)) % 2 == 1
    for scored in (second, ~second):
        judged = ~scored
        chosen = search_blend(
            [model[judged] for model in models],
            lambda values, rows=judged: score(values, rows),  # type: ignore[operator]  # a function of this module
        )
        blended[scored] = blend([model[scored] for model in models], chosen.weights)
    return blended


def compound_gains(data: Path, work: Path, seeds: tuple[int, ...]) -> dict[str, tuple[Gain, ...]]:
    """Rank correlation of -KL and macro F1 over six extractors, against 0."""
    faces = load_ferplus(data, "valid")
    runs = [[load_outputs(net, seed, work) for net in EXTRACTORS] for seed in seeds]
    complete = [[own for own in run if own is not None] for run in runs if None not in run]
    if not complete:
        return {}
    truth = _compounds(data, "valid")
    row_of = {name: row for row, name in enumerate(load_pictures(picture_file(data, "ferplus", "valid")).names)}
    labels = truth[[row_of[name] for name in faces.names]]
    counts = np.bincount(labels[labels >= 0], minlength=7)
    kept = np.flatnonzero(counts >= MIN_FACES)
    known = _compounds(data, "train")
    expected = np.bincount(known[known >= 0], minlength=7)[kept] / np.isin(known, kept).sum()
    rows = np.flatnonzero(np.isin(labels, kept))
    target = np.searchsorted(kept, labels[rows])
    statistics = [
        _agreement(
            target,
            [compound_scores(softmax(own["expression"][rows]), EXPRESSIONS)[:, kept].argmax(axis=1) for own in run],
            expected,
        )
        for run in complete
    ]
    nothing: list[Statistic] = [lambda weights: np.zeros(len(weights))] * len(statistics)
    return {"compounds": (paired_gain("rank correlation", statistics, nothing, len(rows)),)}


def _compounds(data: Path, split: str) -> Indices:
    return compound_labels(load_votes(picture_file(data, "ferplus", split)))


def _agreement(target: Indices, predicted: list[Indices], expected: Float64) -> Statistic:
    """Rank correlation over extractors of -KL and macro F1, as a function of weights of the faces."""
    classes = np.arange(len(expected))
    f1 = [macro_f1_of(target, own, len(classes)) for own in predicted]
    flags = [(own[:, None] == classes).astype(np.float64) for own in predicted]

    def correlation(weights: Float64) -> Float64:
        scores = np.stack([each(weights) for each in f1])
        shares = np.stack([weights @ each / weights.sum(axis=1, keepdims=True) for each in flags])
        divergence = (shares * np.log(np.maximum(shares, 1e-12) / expected)).sum(axis=2)
        return np.array([rank_correlation(-divergence[:, i], scores[:, i]) for i in range(len(weights))])

    return correlation
