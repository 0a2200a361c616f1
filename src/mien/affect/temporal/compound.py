# SPDX-License-Identifier: Apache-2.0
"""Compound expressions from basic ones without training for them (zero-shot)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mien.affect.temporal.filters import box_mean, fill_gaps
from mien.core import ConfigError, Float64, Indices, Integers, columns_by_name

COMPOUND_PAIRS = (
    ("fear", "surprise"),
    ("happiness", "surprise"),
    ("sadness", "surprise"),
    ("disgust", "surprise"),
    ("anger", "surprise"),
    ("sadness", "fear"),
    ("sadness", "anger"),
)
"""The seven compounds of C-EXPR-DB in its order: fearfully surprised, happily surprised, ... as pairs of basics."""

COMPOUND_COUNTS = (14445, 24915, 10780, 10637, 10535, 10112, 8878)
"""Number of frames of each compound in the training split, as its authors published them."""


CompoundMean = Literal["arithmetic", "geometric", "harmonic"]
"""Mean of the probabilities of two basic expressions."""

COMPOUND_MEANS: tuple[str, ...] = get_args(CompoundMean)
"""Names of the means."""


def compound_scores(expression: npt.ArrayLike, labels: Sequence[str], *, mean: CompoundMean = "arithmetic") -> Float64:
    """The score of each compound: the mean of the probabilities of its two basic expressions.

    In the publication the arithmetic mean came closer to the known frequencies than the geometric and the harmonic one
    (Kullback-Leibler divergence 0.060, 0.102 and 0.123 with MobileFaceNet).

    Args:
        expression: (N, E) probabilities, after one softmax; logits are refused.
        labels: Names of the E expressions; the six basic emotions must be among them.
        mean: Kind of the mean.

    Returns:
        (N, 7) scores in [0, 0.5].

    Raises:
        ConfigError: The rows are no probabilities, a basic emotion is missing, or the mean is unknown.

    Examples:
        >>> from mien.core import EXPRESSIONS
        >>> row = dict.fromkeys(EXPRESSIONS, 0.0) | {"happiness": 0.25, "surprise": 0.75}
        >>> scores = compound_scores([list(row.values())], EXPRESSIONS)
        >>> COMPOUND_PAIRS[scores[0].argmax()], scores.max().item()
        (('happiness', 'surprise'), 0.5)
    """
    probabilities = np.asarray(expression, dtype=np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        raise ConfigError(f"(N, {len(labels)}) probabilities are needed, got {probabilities.shape}")
    if len(probabilities) and not (np.abs(probabilities.sum(axis=1) - 1) < 1e-3).all():
        raise ConfigError("every row must hold probabilities that sum to 1; apply softmax once to logits, never twice")
    if mean not in COMPOUND_MEANS:
        raise ConfigError(f"mean must be one of {', '.join(COMPOUND_MEANS)}, got {mean!r}")
    first = probabilities[:, columns_by_name(labels, [pair[0] for pair in COMPOUND_PAIRS])]
    second = probabilities[:, columns_by_name(labels, [pair[1] for pair in COMPOUND_PAIRS])]
    if mean == "geometric":
        return np.asarray(np.sqrt(first * second))
    total = first + second
    if mean == "harmonic":
        return np.asarray(2 * first * second / np.where(total > 0, total, 1.0))
    return np.asarray(0.5 * total)


def strongest_per_frame(frames: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Integers, Float64]:
    """The maximum over the faces of each frame, class by class.

    Args:
        frames: (N,) the frame of each face, in any order.
        scores: (N, C).

    Returns:
        The (F,) frames with a face, ascending, and (F, C).

    Raises:
        ConfigError: There is no face, or the shapes do not fit.

    Examples:
        >>> frames, strongest = strongest_per_frame([4, 3, 4], [[0.1, 0.9], [0.5, 0.5], [0.3, 0.2]])
        >>> frames.tolist(), strongest.tolist()
        ([3, 4], [[0.5, 0.5], [0.3, 0.9]])
    """
    number, values = np.asarray(frames), np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or number.shape != values.shape[:1] or not len(number):
        raise ConfigError(f"N >= 1 frames and (N, C) scores are needed, got {number.shape} and {values.shape}")
    order = np.argsort(number, kind="stable")
    present, start = np.unique(number[order], return_index=True)
    return present, np.maximum.reduceat(values[order], start, axis=0)


def compound_expressions(
    frames: npt.ArrayLike,
    expression: npt.ArrayLike,
    labels: Sequence[str],
    timeline: npt.ArrayLike,
    *,
    half_width: int = 50,
    mean: CompoundMean = "arithmetic",
) -> Indices:
    """The compound expression of each frame of one video.

    All faces of a frame count, class by class with the strongest; frames without a face are interpolated; a box mean
    runs over time; the highest score decides.

    Args:
        frames: (N,) the frame of each face.
        expression: (N, E) probabilities of each face.
        labels: Names of the E expressions.
        timeline: (T,) consecutive frames of the result.
        half_width: Half-width of the box mean, in frames; 10, 50 and 100 are in use.
        mean: Mean of the two probabilities, see `compound_scores`.

    Returns:
        (T,) indices into `COMPOUND_PAIRS`.

    Raises:
        ConfigError: As for `compound_scores` and `strongest_per_frame`, or the timeline has gaps.

    Examples:
        >>> labels = ("surprise", "sadness", "anger", "disgust", "fear", "happiness")
        >>> compound_expressions([0, 4], [[0.6, 0.4, 0, 0, 0, 0]] * 2, labels, range(5), half_width=1).tolist()
        [2, 2, 2, 2, 2]
    """
    scores = compound_timeline(frames, expression, labels, timeline, half_width=half_width, mean=mean)
    return np.asarray(scores.argmax(axis=1), dtype=np.intp)


def compound_timeline(
    frames: npt.ArrayLike,
    expression: npt.ArrayLike,
    labels: Sequence[str],
    timeline: npt.ArrayLike,
    *,
    half_width: int = 50,
    mean: CompoundMean = "arithmetic",
) -> Float64:
    """The scores that `compound_expressions` decides by.

    Returns:
        (T, 7) in [0, 0.5]: means of two probabilities, not probabilities themselves.

    Raises:
        ConfigError: As for `compound_expressions`.
    """
    wanted = np.asarray(timeline)
    if (np.diff(wanted) != 1).any():
        raise ConfigError("the timeline must be consecutive frames; the filter counts them")
    present, scores = strongest_per_frame(frames, compound_scores(expression, labels, mean=mean))
    return np.asarray(box_mean(fill_gaps(present, scores, wanted), half_width))


def frequency_divergence(classes: npt.ArrayLike, expected_counts: Sequence[float] = COMPOUND_COUNTS) -> float:
    """Kullback-Leibler divergence of the frequencies of predicted classes from known ones, in nats; 0 is a match.

    Args:
        classes: (N,) class indices.
        expected_counts: Known count of each class, all > 0.

    Raises:
        ConfigError: There is no prediction, or a class is out of range.

    Examples:
        >>> frequency_divergence([0, 1, 0, 1], expected_counts=(50, 50))
        0.0
        >>> round(frequency_divergence([0, 0, 0, 0], expected_counts=(50, 50)), 3)
        0.693
    """
    found, counts = np.asarray(classes), np.asarray(expected_counts, dtype=np.float64)
    if not found.size or found.min() < 0 or found.max() >= len(counts):
        raise ConfigError(f"at least one class in 0..{len(counts) - 1} is needed")
    share = np.bincount(found, minlength=len(counts)) / found.size
    present = share > 0
    return float((share[present] * np.log(share[present] / (counts / counts.sum())[present])).sum())


def choose_by_frequencies(
    candidates: Mapping[str, npt.ArrayLike], expected_counts: Sequence[float] = COMPOUND_COUNTS
) -> tuple[str, dict[str, float]]:
    """The model whose predicted classes are closest to the known frequencies; it needs no labels.

    Args:
        candidates: Name -> (N,) class indices.
        expected_counts: Known count of each class.

    Returns:
        The best name, and the divergence of every candidate.

    Raises:
        ConfigError: There is no candidate, or as for `frequency_divergence`.

    Examples:
        >>> choose_by_frequencies({"flat": [0, 0, 0, 0], "even": [0, 1, 0, 1]}, expected_counts=(50, 50))[0]
        'even'
    """
    if not candidates:
        raise ConfigError("there is no candidate to choose from")
    divergences = {name: frequency_divergence(classes, expected_counts) for name, classes in candidates.items()}
    return min(divergences, key=divergences.__getitem__), divergences
