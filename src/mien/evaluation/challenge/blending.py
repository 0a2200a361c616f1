# SPDX-License-Identifier: Apache-2.0
"""Blends of the scores of several models for one track, on probabilities or logits, and the weights of a blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from mien.affect import blend
from mien.core import Bools, ConfigError, Float64

BlendOn = Literal["probabilities", "logits"]
"""What is averaged: probabilities, or their logits as in the LSD challenge."""

BLEND_ON: tuple[str, ...] = get_args(BlendOn)
"""Names of what is averaged."""

OWN = "bundle"
"""Stands for what the bundle itself names: its smoothing, thresholds and weights."""

Weights = Mapping[str, Sequence[float]]
"""Task or emotion -> weights of the models in their order; one number alone is the weight of the first of two."""

# Smallest probability of which a logarithm is taken: float32 holds nothing smaller exactly.
_TINY = float(np.finfo(np.float32).tiny)


def blend_scores(models: Sequence[Float64], weights: Sequence[float], task: str, on: BlendOn) -> Float64:
    """Weighted mean of the models' scores (T, C) of one task, as scores of the same kind.

    On logits, class probabilities become the softmax of the mean logits, and probabilities of action units the sigmoid
    of theirs; valence and arousal are averaged as they are. The weight of a model that does not know a value (NaN) goes
    to the others.

    Args:
        models: Scores (T, C) of each model.
        weights: One number >= 0 per model, summing to 1.
        task: ``"va"``, ``"expr"`` or ``"au"``.
        on: What is averaged.

    Raises:
        ConfigError: Shapes or weights do not fit.

    Examples:
        >>> first, second = np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]])
        >>> blend_scores([first, second], (0.5, 0.5), "expr", "logits").round(2).tolist()
        [[0.75, 0.25]]
        >>> blend_scores([first, np.full((1, 2), np.nan)], (0.5, 0.5), "expr", "probabilities").tolist()
        [[0.9, 0.1]]
    """
    if on == "probabilities" or task == "va":
        return _known_mean(models, weights, 0.0)
    if task == "au":
        mean = _known_mean([_log(model) - _log(1 - model) for model in models], weights, -np.inf)
        return np.asarray(1 / (1 + np.exp(-mean)))
    mean = _known_mean([_log(model) for model in models], weights, -np.inf)
    shares = np.exp(mean - mean.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _log(probabilities: Float64) -> Float64:
    return np.asarray(np.log(np.maximum(probabilities, _TINY)))


def _known_mean(models: Sequence[Float64], weights: Sequence[float], unknown: float) -> Float64:
    """The mean over the models that know a value.

    ``unknown`` stands in a column that no model knows, NaN in a row without any value.
    """
    stacked = np.stack(models)
    known: Bools = np.asarray(np.isfinite(stacked))
    if known.all():
        return blend(list(models), weights)
    given = np.asarray(weights, dtype=np.float64)[:, None, None] * known
    # Where no model with a weight above 0 knows the value, all that know it count alike.
    given = np.where(given.sum(axis=0) > 0, given, known)
    total = given.sum(axis=0)
    mean = (given * np.nan_to_num(stacked)).sum(axis=0) / np.where(total > 0, total, 1)
    mean = np.where(total > 0, mean, unknown)
    any_known = np.asarray(known.any(axis=(0, 2)), dtype=bool)
    return np.where(any_known[:, None], mean, np.nan)


def complete_weights(
    weights: Weights | Literal["bundle"], n_models: int, named: Sequence[Mapping[str, float]]
) -> dict[str, tuple[float, ...]]:
    """One weight per model for each task or emotion.

    Args:
        weights: Weights as given, or ``"bundle"`` for those that the models name.
        n_models: Number of models.
        named: Weights that each model names for itself in a blend of two, by task or emotion.

    Raises:
        ConfigError: A number of weights does not fit, or no model names any.

    Examples:
        >>> complete_weights({"va": (0.8,)}, 2, [])
        {'va': (0.8, 0.2)}
        >>> complete_weights("bundle", 2, [{}, {"expr": 0.7}])
        {'expr': (0.3, 0.7)}
    """
    if isinstance(weights, str):
        place = next((number for number, own in enumerate(named) if own), None)
        if n_models != 2 or place is None:
            raise ConfigError("two models are needed of which one names the weights of its blend; give numbers")
        own = {task: (share, round(1 - share, 9)) for task, share in named[place].items()}
        return {task: shares if place == 0 else shares[::-1] for task, shares in own.items()}
    found = {}
    for name, given in weights.items():
        values = tuple(float(value) for value in given)
        if len(values) == 1 and n_models == 2 and 0 <= values[0] <= 1:
            values = (values[0], round(1 - values[0], 9))
        if len(values) != n_models or min(values) < 0 or abs(sum(values) - 1) > 1e-9:
            raise ConfigError(f"{name}: {n_models} models need as many weights >= 0 that sum to 1, got {values}")
        found[name] = values
    return found
