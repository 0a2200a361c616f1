# SPDX-License-Identifier: Apache-2.0
"""The tasks in a form of answers: what each reads of a face in an affect table, and how it decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mien.affect import Smoothing, compound_scores
from mien.core import DIMENSIONS, EXPRESSION_ORDERS, ConfigError
from mien.evaluation.forms import AnswerForm

Floats = npt.NDArray[np.float64]

_CANONICAL = EXPRESSION_ORDERS["canonical"]

# Form -> classes of its field "expression", in the order of its numbers.
_CLASSES = MappingProxyType(
    {
        "expr": EXPRESSION_ORDERS["affwild2_8"],
        "expr-2020": EXPRESSION_ORDERS["affwild2_7"],
        "mtl": EXPRESSION_ORDERS["affwild2_8"],
        "lsd": EXPRESSION_ORDERS["lsd_6"],
    }
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One task of a form.

    Attributes:
        task: ``"va"``, ``"expr"`` (compound ones too) or ``"au"``.
        columns: of the tables.
        width: half-width of the filter, in frames.
        decide: scores (T, C) to entries of the form (T, entries).
        scores: columns of a face to scores; given where all faces of a frame count, None where the main one does.
    """

    task: str
    columns: tuple[str, ...]
    width: int
    decide: Callable[[Floats], Floats]
    scores: Callable[[Floats], Floats] | None = None


def parts_of(form: AnswerForm, smoothing: Smoothing, thresholds: Sequence[float] = ()) -> tuple[Part, ...]:
    """The tasks of a form, in the order of its fields.

    Args:
        form: one that affect tables can fill.
        smoothing: half-widths of the tasks.
        thresholds: one probability per action unit from which it counts as present; empty for .5 throughout.

    Raises:
        ConfigError: no affect table holds what the form asks for, or the thresholds do not fit it.
    """
    parts: list[Part] = []
    names = [entry.name for entry in form.entries]
    units = tuple(name for name in names if name.startswith("AU"))
    if names[:2] == list(DIMENSIONS):
        parts.append(Part(task="va", columns=DIMENSIONS, width=smoothing.va, decide=lambda v: np.clip(v, -1.0, 1.0)))
    if form.name == "ce":
        parts.append(
            Part(
                task="expr",
                columns=_expressions(_CANONICAL),
                width=smoothing.expr,
                decide=_highest,
                scores=lambda rows: compound_scores(rows, _CANONICAL),
            )
        )
    elif form.name in _CLASSES:
        columns = _expressions(_CLASSES[form.name])
        parts.append(Part(task="expr", columns=columns, width=smoothing.expr, decide=_highest))
    if units:
        limits = np.asarray(thresholds if len(thresholds) else [0.5] * len(units), dtype=np.float64)
        if limits.shape != (len(units),):
            raise ConfigError(f"there are {len(units)} action units, got {len(limits)} thresholds")
        parts.append(Part(task="au", columns=units, width=smoothing.au, decide=lambda v: (v >= limits).astype(float)))
    elif len(thresholds):
        raise ConfigError(f"{form.name} has no action units; leave out the thresholds")
    if not parts:
        raise ConfigError(f"affect tables do not hold what {form.name} asks for; give a file of answers")
    return tuple(parts)


def _expressions(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"expression_{label}" for label in labels)


def _highest(scores: Floats) -> Floats:
    return np.asarray(scores.argmax(axis=1)[:, None], dtype=np.float64)
