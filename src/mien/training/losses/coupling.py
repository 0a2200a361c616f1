# SPDX-License-Identifier: Apache-2.0
"""What an expression tells of action units and the reverse: co-annotation of labels and distribution matching.

Source: Kollias et al., arXiv 2105.03790 and 2401.01219; the table is the psychological one of these papers, the
details are a reconstruction from their abstracts.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Floats = npt.NDArray[np.float32]

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
"""Expression -> action unit -> share of people who use it then; prototypical ones have 1."""


def relation(expressions: Sequence[str], units: Sequence[str]) -> Floats:
    """The table (E, A) restricted to these labels; a row of zeros says nothing of that expression."""
    table = [[RELATED_UNITS.get(name, {}).get(unit, 0.0) for unit in units] for name in expressions]
    return np.array(table, dtype=np.float32).reshape(len(expressions), len(units))


def co_annotate(expression: Floats, units: Floats, table: Floats, *, soft: bool) -> tuple[Floats, Floats]:
    """Fill unknown labels of each task from the known ones of the other; known ones stay.

    Hard: the prototypical units of the labelled expression become present; an image with all units of exactly one
    expression gets that expression. Soft: units get their weight; the expression becomes the softmax of each
    expression's share of matched unit weights.

    Args:
        expression: (N, E) shares, NaN where unknown.
        units: (N, A) probabilities, NaN where unknown.
        table: (E, A) from `relation`.
        soft: which of the two.

    Returns:
        Both, as new arrays.
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
    """How far the two heads' predictions disagree with what each implies of the other, on every row.

    Units implied by the predicted expressions: q_k = sum_e p(e) w(e, k), for expressions that the table knows; the
    expression implied by the predicted units: the softmax of each one's share of matched unit weights. The loss is the
    binary cross-entropy of the units to q plus the cross-entropy of the expression to its implied distribution, both
    over what the table knows. The implied side is taken as given, so neither head can please the other by giving up.

    Args:
        expression_logits: (N, E).
        unit_logits: (N, A).
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
    """`relation` for torch."""
    return torch.from_numpy(relation(expressions, units))
