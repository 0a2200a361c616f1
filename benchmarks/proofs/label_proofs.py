# SPDX-License-Identifier: Apache-2.0
"""Proof (c): the six classes of the LSD challenge, and compound expressions from the two leading votes of a face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.affect import COMPOUND_PAIRS, compound_scores
from mien.core import COMPOUND_EXPRESSIONS, EXPRESSION_ORDERS, EXPRESSIONS, MetricValue, columns_by_name
from mien.evaluation import bootstrap_metric
from mien.metrics import macro_f1

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

MIN_FACES = 25
"""Minimum number of faces for a compound to be reported."""

_MIN_VOTES = 2  # single votes are annotation noise


def six_classes(label: Ints, probabilities: Doubles) -> MetricValue:
    """Macro F1 over the six expressions of LSD, on the faces with these labels and predictions among these six.

    Args:
        label: (N,) into `EXPRESSIONS`.
        probabilities: (N, 8) in that order.
    """
    columns = columns_by_name(EXPRESSIONS, EXPRESSION_ORDERS["lsd_6"])
    rows = np.flatnonzero(np.isin(label, columns))
    truth = np.argsort(np.append(columns, np.setdiff1d(np.arange(len(EXPRESSIONS)), columns)))[label[rows]]
    predicted = probabilities[np.ix_(rows, columns)].argmax(axis=1)
    return bootstrap_metric(
        "macro F1, six classes", len(rows), lambda drawn: macro_f1(truth[drawn], predicted[drawn], len(columns))
    )


def compound_labels(votes: npt.NDArray[np.integer]) -> Ints:
    """(N,) into `COMPOUND_PAIRS` where the two expressions with most votes are such a pair, else -1.

    Both need two votes or more, and the third needs fewer votes than the second.

    Args:
        votes: (N, 8) or more columns; the eight expressions come first.
    """
    eight = np.asarray(votes)[:, : len(EXPRESSIONS)]
    order = np.argsort(-eight, axis=1, kind="stable")
    counts = np.take_along_axis(eight, order[:, :3], axis=1)
    clear = (counts[:, 1] >= _MIN_VOTES) & (counts[:, 2] < counts[:, 1])
    labels = np.full(len(eight), -1)
    for number, pair in enumerate(COMPOUND_PAIRS):
        members = sorted(EXPRESSIONS.index(name) for name in pair)
        found = (np.sort(order[:, :2], axis=1) == members).all(axis=1)
        labels[clear & found] = number
    return labels


@dataclass(frozen=True, kw_only=True)
class CompoundReport:
    """Zero-shot accuracy of compounds on faces whose votes name one.

    Attributes:
        counts: compound -> number of faces, also where it is too small.
        f1: macro F1 over the compounds with enough faces, which are the only possible predictions.
        recalls: recall of each of these compounds.
        chance: macro F1 of random predictions.
    """

    counts: dict[str, int]
    f1: MetricValue
    recalls: tuple[MetricValue, ...]
    chance: float


def compounds(votes: npt.NDArray[np.integer], probabilities: Doubles) -> CompoundReport:
    """Measure the mean of two probabilities as the score of a compound, on faces whose two leading votes are one."""
    labels = compound_labels(votes)
    counts = np.bincount(labels[labels >= 0], minlength=len(COMPOUND_PAIRS))
    kept = np.flatnonzero(counts >= MIN_FACES)
    rows = np.flatnonzero(np.isin(labels, kept))
    truth = np.searchsorted(kept, labels[rows])
    predicted = compound_scores(probabilities[rows], EXPRESSIONS)[:, kept].argmax(axis=1)
    random = np.random.default_rng(0).integers(0, len(kept), len(rows))
    return CompoundReport(
        counts=dict(zip(COMPOUND_EXPRESSIONS, counts.tolist(), strict=True)),
        f1=bootstrap_metric("macro F1", len(rows), lambda drawn: macro_f1(truth[drawn], predicted[drawn], len(kept))),
        recalls=tuple(_recalls(kept, truth, predicted)),
        chance=macro_f1(truth, random, len(kept)),
    )


def _recalls(kept: Ints, truth: Ints, predicted: Ints) -> Iterator[MetricValue]:
    for place, number in enumerate(kept):
        hits = predicted[truth == place] == place
        yield bootstrap_metric(
            COMPOUND_EXPRESSIONS[number], len(hits), lambda drawn, hits=hits: float(hits[drawn].mean())
        )
