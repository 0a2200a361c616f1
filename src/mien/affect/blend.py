# SPDX-License-Identifier: Apache-2.0
"""Ensembles: weighted means of several models with a weight search, and the confidence filter."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Float64, Indices, columns_by_name

_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class BlendSearch:
    """Result of a weight search. The weights are selected on the data that they are scored on: report that, too.

    Attributes:
        weights: Weights of the models, summing to 1; among equal scores those nearest to equal weights.
        score: Score of these weights.
        tried: Every (weights, score), from all weight on the last model to all on the first.
        note: Warning about the data that they are selected on; empty for none.
    """

    weights: tuple[float, ...]
    score: float
    tried: tuple[tuple[tuple[float, ...], float], ...]
    note: str = ""


def blend(models: Sequence[npt.ArrayLike], weights: Sequence[float]) -> Float64:
    """Weighted mean of the models' probabilities, values or logits of the same classes.

    Blend first, then smooth, then decide.

    Args:
        models: Arrays of one common shape.
        weights: One number >= 0 per model, summing to 1.

    Raises:
        ConfigError: Shapes differ, or the weights do not fit.

    Examples:
        >>> blend([[0.0, 1.0], [0.5, 0.5]], (0.5, 0.5)).tolist()
        [0.25, 0.75]
    """
    arrays = _alike(models)
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(arrays),) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise ConfigError(f"{len(arrays)} models need as many weights >= 0 that sum to 1, got {tuple(weights)}")
    total = np.zeros(arrays[0].shape)
    for share, array in zip(shares, arrays, strict=True):
        total += share * array
    return total


def search_blend(models: Sequence[npt.ArrayLike], score: Callable[[Float64], float]) -> BlendSearch:
    """The weights in steps of 0.1 with the best score.

    Args:
        models: At least two arrays of one common shape. The number of trials grows quickly: 11 for two models, 66 for
            three, 286 for four.
        score: Score of a blend, higher is better; it may smooth and decide. NaN never wins.

    Raises:
        ConfigError: There are fewer than two models, shapes differ, or no blend has a score.

    Examples:
        >>> found = search_blend([[0.0, 1.0], [1.0, 0.0]], score=lambda blended: -abs(blended[0] - 0.3))
        >>> found.weights
        (0.7, 0.3)
    """
    arrays = _alike(models)
    if len(arrays) < 2:
        raise ConfigError("a blend needs at least two models")
    tried = tuple((weights, float(score(blend(arrays, weights)))) for weights in _grid(len(arrays)))
    if all(np.isnan(value) for _, value in tried):
        raise ConfigError("no blend has a score; the metric is undefined on these data")

    def merit(trial: tuple[tuple[float, ...], float]) -> tuple[float, float]:
        weights, value = trial
        return (-np.inf if np.isnan(value) else value, -sum(weight**2 for weight in weights))

    best = max(tried, key=merit)
    return BlendSearch(weights=best[0], score=best[1], tried=tried)


def search_blend_per_column(
    models: Sequence[npt.ArrayLike], score: Callable[[int, Float64], float]
) -> tuple[BlendSearch, ...]:
    """Separate weights for each column, such as each emotion of the EMI challenge.

    Args:
        models: At least two (N, K) arrays.
        score: Score of column k, given k and the (N,) blend of that column; higher is better.

    Returns:
        K searches; ``blend_per_column`` applies them.

    Raises:
        ConfigError: As for `search_blend`.

    Examples:
        >>> first, second = [[0.0, 1.0]], [[1.0, 0.0]]
        >>> searches = search_blend_per_column([first, second], score=lambda column, blended: blended[0])
        >>> [search.weights for search in searches]
        [(0.0, 1.0), (1.0, 0.0)]
    """
    arrays = _alike(models)
    if arrays[0].ndim != 2:
        raise ConfigError(f"models must have shape (N, K), got {arrays[0].shape}")

    def searched(column: int) -> BlendSearch:
        return search_blend([array[:, column] for array in arrays], lambda values: score(column, values))

    return tuple(searched(column) for column in range(arrays[0].shape[1]))


def blend_per_column(models: Sequence[npt.ArrayLike], weights: Sequence[Sequence[float]]) -> Float64:
    """Weighted mean of (N, K) arrays with separate weights for each column.

    Args:
        models: Arrays (N, K) of one common shape.
        weights: For each of the K columns one number >= 0 per model, summing to 1.

    Raises:
        ConfigError: Shapes or numbers of weights do not fit.

    Examples:
        >>> blend_per_column([[[0.0, 1.0]], [[1.0, 0.0]]], [(0.5, 0.5), (1.0, 0.0)]).tolist()
        [[0.5, 1.0]]
    """
    arrays = _alike(models)
    if arrays[0].ndim != 2 or arrays[0].shape[1] != len(weights):
        raise ConfigError(f"{len(weights)} lists of weights do not fit models of shape {arrays[0].shape}")
    columns = [blend([array[:, k] for array in arrays], own) for k, own in enumerate(weights)]
    return np.stack(columns, axis=1)


def confidence_filter(
    confident: npt.ArrayLike,
    confident_labels: Sequence[str],
    trained: npt.ArrayLike,
    trained_labels: Sequence[str],
    threshold: float,
) -> Indices:
    """Decisions of a confident pretrained model where it is certain, of the trained one elsewhere.

    The pretrained model decides among the classes that both models know; its probabilities of these are used without
    renormalisation. Smooth them before. Source: the expression entry of Savchenko at the 8th ABAW.

    Args:
        confident: (N, E) smoothed probabilities of the pretrained model.
        confident_labels: Names of the E classes.
        trained: (N, C) probabilities of the trained model.
        trained_labels: Names of the C classes.
        threshold: Highest shared probability above which the pretrained model decides; 0.7 to 0.9.

    Returns:
        (N,) indices into ``trained_labels``.

    Raises:
        ConfigError: Shapes do not fit, or no label is shared.

    Examples:
        >>> confident, trained = [[0.9, 0.1], [0.6, 0.4]], [[0.2, 0.8], [0.2, 0.8]]
        >>> labels = ("neutral", "happiness")
        >>> confidence_filter(confident, labels, trained, labels, threshold=0.8).tolist()
        [0, 1]
    """
    sure, own = np.asarray(confident, dtype=np.float64), np.asarray(trained, dtype=np.float64)
    shared = [label for label in trained_labels if label in confident_labels]
    if not shared:
        raise ConfigError("the two models share no class")
    if sure.shape != (len(sure), len(confident_labels)) or own.shape != (len(sure), len(trained_labels)):
        raise ConfigError(f"probabilities of shape {sure.shape} and {own.shape} do not fit their labels")
    sure = sure[:, columns_by_name(confident_labels, shared)]
    certain = columns_by_name(trained_labels, shared)[sure.argmax(axis=1)]
    decided = np.where(sure.max(axis=1) > threshold, certain, own.argmax(axis=1))
    return np.asarray(decided, dtype=np.intp)


def _alike(models: Sequence[npt.ArrayLike]) -> list[Float64]:
    arrays = [np.asarray(model, dtype=np.float64) for model in models]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) != 1:
        raise ConfigError(f"models to blend need one common shape, got {shapes}; bring them to the same rows first")
    return arrays


def _grid(n_models: int) -> Iterator[tuple[float, ...]]:
    """All weights that are multiples of 0.1 and sum to 1."""
    for parts in itertools.product(range(_STEPS + 1), repeat=n_models - 1):
        if sum(parts) <= _STEPS:
            yield (*(part / _STEPS for part in parts), (_STEPS - sum(parts)) / _STEPS)
