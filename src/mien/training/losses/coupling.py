# SPDX-License-Identifier: Apache-2.0
"""Coupling of expressions and action units: co-annotation of labels and distribution matching.

Source: Kollias et al., arXiv 2105.03790 and 2401.01219; the relation is the one from psychology in these papers, the
details are a reconstruction from their abstracts.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mien.core import Float32

RELATED_UNITS = MappingProxyType(
    {
        "happiness": {"AU12": 1.0, "AU25": 1.0, "AU06": 0.51},
        "sadness": {"AU04": 1.0, "AU15": 1.0, "AU01": 0.60, "AU06": 0.50, "AU11": 0.26, "AU17": 0.67},
        "fear": {"AU01": 1.0, "AU04": 1.0, "AU20": 1.0, "AU25": 1.0, "AU02": 0.57, "AU05": 0.63, "AU26": 0.33},
        "anger": {"AU04": 1.0, "AU07": 1.0, "AU24": 1.0, "AU10": 0.26, "AU17": 0.52, "AU23": 0.29},
        "surprise": {"AU01": 1.0, "AU02": 1.0, "AU25": 1.0, "AU26": 1.0, "AU05": 0.66},
        "disgust": {"AU09": 1.0, "AU10": 1.0, "AU17": 1.0, "AU04": 0.31, "AU24": 0.26},
    }
)
"""Share of people who show an action unit with an expression, by expression and unit; prototypical units have 1."""


def relation(expressions: Sequence[str], units: Sequence[str]) -> Float32:
    """Relation (E, A) of these labels; the row of an expression without known units is zero."""
    table = [[RELATED_UNITS.get(name, {}).get(unit, 0.0) for unit in units] for name in expressions]
    return np.array(table, dtype=np.float32).reshape(len(expressions), len(units))


def co_annotate(expression: Float32, units: Float32, table: Float32, *, soft: bool) -> tuple[Float32, Float32]:
    """Fill unknown labels of each task from the known labels of the other; known labels stay.

    Hard: the prototypical units of the labelled expression become present; an image with all units of exactly one
    expression gets that expression. Soft: units get their weight in the relation; the expression becomes the softmax
    of each expression's share of matched unit weights.

    Args:
        expression: (N, E) shares, NaN where unknown.
        units: (N, A) probabilities, NaN where unknown.
        table: (E, A) from `relation`.
        soft: Whether to fill in weights and not only prototypical labels.

    Returns:
        New arrays of the expression (N, E) and of the units (N, A).
    """
    named = np.asarray(~np.isnan(expression).any(axis=1))
    weights = table if soft else np.where(table == 1.0, 1.0, np.nan)
    implied = weights[np.nan_to_num(expression).argmax(axis=1)]
    fill = np.isnan(units) & named[:, None] & (np.nan_to_num(implied) > 0)
    new_units = np.where(fill, implied, units).astype(np.float32)

    unnamed = np.asarray(~named & ~np.isnan(units).all(axis=1))
    weight_sums = table.sum(axis=1)
    usable = weight_sums > 0
    shares = np.nan_to_num(units) @ table.T / np.maximum(weight_sums, 1e-6)
    new_expression = expression.copy()
    if soft:
        scores = np.where(usable, np.exp(shares), 0.0)
        new_expression[unnamed] = (scores / scores.sum(axis=1, keepdims=True))[unnamed]
    else:
        complete = usable & (shares > 1 - 1e-6)
        clear = unnamed & (complete.sum(axis=1) == 1)
        new_expression[clear] = complete[clear].astype(np.float32)
    return new_expression, new_units


def matching_loss(expression_logits: Tensor, unit_logits: Tensor, table: Tensor) -> Tensor:
    """Loss between the predictions of each head and those that the other head implies, over all rows.

    Units implied by the predicted expressions: q_k = sum_e p(e) w(e, k); expression implied by the predicted units:
    the softmax of each expression's share of matched unit weights. The loss is the binary cross-entropy of the units
    to q plus the cross-entropy of the expression to its implied distribution, both over the labels in the relation.
    No gradient flows into the implied side, so that neither head degrades to match the other.

    Args:
        expression_logits: (N, E) logits.
        unit_logits: (N, A) logits.
        table: (E, A) from `relation`.
    """
    known_expressions, known_units = table.sum(dim=1) > 0, table.sum(dim=0) > 0
    if not known_expressions.any():
        return expression_logits.sum() * 0
    weights = table[known_expressions][:, known_units]
    shares = functional.log_softmax(expression_logits[:, known_expressions], dim=1)
    units = unit_logits[:, known_units]
    implied_units = (shares.exp() @ weights).detach().clamp(0, 1)
    matched = units.sigmoid() @ weights.T / weights.sum(dim=1)
    implied_shares = matched.softmax(dim=1).detach()
    to_units = functional.binary_cross_entropy_with_logits(units, implied_units)
    return to_units - (implied_shares * shares).sum(dim=1).mean()


def relation_tensor(expressions: Sequence[str], units: Sequence[str]) -> Tensor:
    """`relation` as a tensor."""
    return torch.from_numpy(relation(expressions, units))
