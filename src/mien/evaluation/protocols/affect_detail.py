# SPDX-License-Identifier: Apache-2.0
"""Protocol of valence and arousal: do they say more than the expression?"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.core import (
    DEFAULT_THRESHOLD,
    DIMENSIONS,
    EXPRESSIONS,
    Bools,
    ConfigError,
    Float64,
    Floats,
    Indices,
    Integers,
    MetricValue,
)
from mien.datasets import (
    AffectMap,
    FaceSamples,
    affect_map,
    load_ferplus,
    load_held_out,
    load_pictures,
    load_votes,
    picture_file,
)
from mien.evaluation.evaluation_report import Report, bootstrap_metric
from mien.evaluation.face_crops import bundle_report, decode_pictures, expression_probabilities, mean_metric
from mien.metrics import ccc, rank_correlation

_N_HELD_OUT = 1500
# An expression with fewer predictions has no rank correlation of its own.
_MIN_FACES = 100
_MOUTH = "AU25"


def evaluate_affect_detail(subject: Analyzer, data: Path, split: str = "valid") -> Report:
    """Valence and arousal on FER+ beside what follows from the predicted expression, and within one expression.

    Three predictions from the expression alone compete with the bundle's own: the mean of the predicted label, the map
    from votes to ratings applied to the predicted probabilities, and the best map, which is fitted from the predicted
    probabilities to the targets of 1,500 held-out FER+ training faces. Within one predicted expression, ranks are
    compared with those of the mapped votes; two halves of the ten votes are the ceiling for five raters.

    Raises:
        ConfigError: The bundle has no valence and arousal.
        DatasetError: The data are incomplete.
    """
    samples, fitting = load_ferplus(data, split), load_held_out(data, _N_HELD_OUT)
    faces, held_out = (subject.crops(decode_pictures(of)) for of in (samples, fitting))
    own = np.stack([faces.valence, faces.arousal], axis=1).astype(np.float64)
    if np.isnan(own).any():
        raise ConfigError(f"{subject.spec.name} has no valence and arousal")
    probabilities, fitted = expression_probabilities(faces), expression_probabilities(held_out)
    label, votes_map = probabilities.argmax(axis=1), affect_map(data)
    rivals = {
        "mean of the predicted label": _means(fitted.argmax(axis=1), fitting.valence_arousal)[label],
        "map of predicted expressions": votes_map(probabilities),
        "best map of predicted expressions": AffectMap.fit(
            fitted.astype(np.float64), fitting.valence_arousal.astype(np.float64)
        )(probabilities),
    }
    truth = samples.valence_arousal.astype(np.float64)
    metrics: list[MetricValue] = []
    for column, dimension in enumerate(DIMENSIONS):
        metrics += _beside(dimension, truth[:, column], own[:, column], {n: v[:, column] for n, v in rivals.items()})
    halves = [votes_map(shares) for shares in _halves(_votes(data, split, samples))]
    for column, dimension in enumerate(DIMENSIONS):
        columns = {
            "": (own[:, column], truth[:, column]),
            ", best map": (rivals["best map of predicted expressions"][:, column], truth[:, column]),
            ", two halves of the votes": (halves[0][:, column], halves[1][:, column]),
        }
        metrics += _within(dimension, columns, label)
    metrics += _mouth(samples, own[:, 1], truth[:, 1], np.equal(label, EXPRESSIONS.index("happiness")))
    return bundle_report("affect-detail", f"FER+ {split}", subject, len(samples), {}, metrics)


def _means(label: Integers, values: Floats) -> Float64:
    """(8, 2) mean of the values over the rows with each label; the mean over all rows for a label without any."""
    rows = [values[label == number] for number in range(len(EXPRESSIONS))]
    return np.array([(of if len(of) else values).mean(axis=0) for of in rows], np.float64)


def _beside(dimension: str, truth: Float64, own: Float64, rivals: dict[str, Float64]) -> list[MetricValue]:
    """CCC of the own prediction, of each rival, and the difference."""

    def agreement(rows: Indices, *, values: Float64) -> float:
        return ccc(values[rows], truth[rows])

    def gain(rows: Indices, *, values: Float64) -> float:
        return ccc(own[rows], truth[rows]) - ccc(values[rows], truth[rows])

    n = len(truth)
    metrics = [bootstrap_metric(f"CCC {dimension}", n, partial(agreement, values=own))]
    for name, values in rivals.items():
        metrics.append(bootstrap_metric(f"CCC {dimension}, {name}", n, partial(agreement, values=values)))
        metrics.append(bootstrap_metric(f"CCC {dimension}, own minus {name}", n, partial(gain, values=values)))
    return metrics


def _within(dimension: str, columns: dict[str, tuple[Float64, Float64]], label: Integers) -> list[MetricValue]:
    """Rank correlation within one predicted expression, pooled, and of the own values within each frequent one.

    Nothing where values do not vary within an expression.
    """

    def ranks(rows: Indices, *, first: Float64, second: Float64) -> float:
        return rank_correlation(first[rows], second[rows], label[rows])

    metrics = []
    everything = np.arange(len(label))
    for name, (first, second) in columns.items():
        if np.isnan(ranks(everything, first=first, second=second)):
            continue
        title = f"rank correlation of {dimension} within one predicted expression{name}"
        metrics.append(bootstrap_metric(title, len(label), partial(ranks, first=first, second=second)))
    own, truth = columns[""]
    for number, expression in enumerate(EXPRESSIONS):
        rows = np.flatnonzero(label == number)
        if len(rows) >= _MIN_FACES and np.isfinite(rank_correlation(own[rows], truth[rows])):
            metrics.append(
                bootstrap_metric(
                    f"rank correlation of {dimension} within predicted {expression}",
                    len(rows),
                    lambda drawn, rows=rows: rank_correlation(own[rows[drawn]], truth[rows[drawn]]),  # type: ignore[misc]
                )
            )
    return metrics


def _votes(data: Path, split: str, samples: FaceSamples) -> Integers:
    """(N, 8) votes for the expressions of the samples' faces."""
    path = picture_file(data, "ferplus", split)
    row_of = {name: row for row, name in enumerate(load_pictures(path).names)}
    votes: Integers = load_votes(path)[[row_of[name] for name in samples.names], : len(EXPRESSIONS)]
    return votes


def _halves(votes: Integers) -> tuple[Float64, Float64]:
    """Vote shares (N, 8) of a random half of each face's raters and of the other half; uniform without a vote."""
    rng = np.random.default_rng(0)
    first = np.stack([rng.multivariate_hypergeometric(row, int(row.sum()) // 2) for row in votes.astype(np.int64)])
    return _shares(first), _shares(votes - first)


def _shares(votes: Integers) -> Float64:
    total = votes.sum(axis=1, keepdims=True)
    shares: Float64 = np.where(total > 0, votes / np.maximum(total, 1), 1 / votes.shape[1])
    return shares


def _mouth(samples: FaceSamples, own: Float64, truth: Float64, happy: Bools) -> list[MetricValue]:
    """Mean arousal of laughs minus that of smiles: predicted happiness with the mouth open and closed."""
    if _MOUTH not in samples.action_unit_labels:
        return []
    unit = samples.action_units[:, samples.action_unit_labels.index(_MOUTH)]
    laugh, smile = happy & (unit >= DEFAULT_THRESHOLD), happy & (unit < DEFAULT_THRESHOLD)
    if not laugh.any() or not smile.any():
        return []
    everyone = np.arange(len(own))
    name = "arousal in predicted happiness, mouth open minus closed"
    return [
        mean_metric(title, values, laugh, everyone, minus=smile)
        for title, values in ((name, own), (f"{name}, votes", truth))
    ]
