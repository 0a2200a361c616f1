# SPDX-License-Identifier: Apache-2.0
"""The formats of challenge submissions, and how each task's fields are decoded from an affect table."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mien.affect import Smoothing, compound_scores
from mien.core import (
    ACTION_UNITS_8,
    ACTION_UNITS_12,
    COMPOUND_EXPRESSIONS,
    DIMENSIONS,
    EMI_EMOTIONS,
    ERI_EMOTIONS,
    EXPRESSION_ORDERS,
    ConfigError,
)


@dataclass(frozen=True)
class SubmissionField:
    """One field of a row after the row's name.

    Attributes:
        name: for messages and look-up.
        low: smallest value.
        high: largest value.
        whole: whether it is a class or a yes-or-no, so that fractions are refused.
    """

    name: str
    low: float
    high: float
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class SubmissionFormat:
    """How the answers to one task are written.

    Attributes:
        name: of the task.
        key: header of the first field, which names the row.
        header: names of the header after the key. They need not match the entries: the header of the expression
            challenge names eight classes, its rows hold one number.
        entries: fields of a row after its name.
        of_frames: whether rows are named ``video/00001.jpg``, with frames counted from 1.
    """

    name: str
    key: str
    header: tuple[str, ...]
    entries: tuple[SubmissionField, ...]
    of_frames: bool = True

    @property
    def header_line(self) -> str:
        """The first line of a file."""
        return ",".join((self.key, *self.header))


def _class(n_classes: int) -> SubmissionField:
    return SubmissionField("expression", 0, n_classes - 1, whole=True)


def _titled(labels: Sequence[str], *, between: str = " ") -> tuple[str, ...]:
    return tuple(between.join(word.capitalize() for word in label.split()) for label in labels)


def _unit_names(labels: Sequence[str]) -> tuple[str, ...]:
    """``AU01`` is spelled ``AU1`` in official headers."""
    return tuple(f"AU{int(label[2:])}" for label in labels)


_VA = (SubmissionField("valence", -1, 1), SubmissionField("arousal", -1, 1))
_AU_12 = tuple(SubmissionField(label, 0, 1, whole=True) for label in ACTION_UNITS_12)
_AU_8 = tuple(SubmissionField(label, 0, 1, whole=True) for label in ACTION_UNITS_8)
_EXPR_8, _EXPR_7 = EXPRESSION_ORDERS["affwild2_8"], EXPRESSION_ORDERS["affwild2_7"]
_AFFECTNET = EXPRESSION_ORDERS["affectnet"]

SUBMISSIONS = MappingProxyType(
    {
        form.name: form
        for form in (
            SubmissionFormat(name="va", key="image_location", header=("valence", "arousal"), entries=_VA),
            SubmissionFormat(name="expr", key="image_location", header=_titled(_EXPR_8), entries=(_class(8),)),
            SubmissionFormat(name="au", key="image_location", header=_unit_names(ACTION_UNITS_12), entries=_AU_12),
            SubmissionFormat(
                name="mtl",
                key="image",
                header=("valence", "arousal", "expression", "aus"),
                entries=(*_VA, _class(8), *_AU_12),
            ),
            SubmissionFormat(name="lsd", key="image", header=("expression",), entries=(_class(6),), of_frames=False),
            SubmissionFormat(
                name="ce",
                key="image_location",
                header=_titled(COMPOUND_EXPRESSIONS, between="_"),
                entries=(_class(7),),
            ),
            SubmissionFormat(
                name="emi",
                key="Filename",
                header=_titled(EMI_EMOTIONS),
                entries=tuple(SubmissionField(label, 0, 1) for label in EMI_EMOTIONS),
                of_frames=False,
            ),
        )
    }
)
"""Task -> the official form of its submissions."""

PREDICTION_FORMATS = MappingProxyType(
    {
        **SUBMISSIONS,
        **{
            form.name: form
            for form in (
                SubmissionFormat(name="expr-2020", key="image_location", header=_titled(_EXPR_7), entries=(_class(7),)),
                SubmissionFormat(
                    name="au-2020", key="image_location", header=_unit_names(ACTION_UNITS_8), entries=_AU_8
                ),
                SubmissionFormat(
                    name="eri",
                    key="File_ID",
                    header=_titled(ERI_EMOTIONS),
                    entries=tuple(SubmissionField(label, 0, 1) for label in ERI_EMOTIONS),
                    of_frames=False,
                ),
                SubmissionFormat(
                    name="affectnet",
                    key="image",
                    header=_AFFECTNET,
                    entries=tuple(SubmissionField(label, -math.inf, math.inf) for label in _AFFECTNET),
                    of_frames=False,
                ),
            )
        },
    }
)
"""Every form that an evaluation reads: the official ones, older editions, and two of mien's own (eri, affectnet)."""


def edition_format(task: str, expressions: Sequence[str], units: Sequence[str]) -> SubmissionFormat:
    """The form of a frame task for the edition whose labels these are: 7 expressions or 8 action units are of 2020."""
    if task == "expr" and tuple(expressions) == _EXPR_7:
        return PREDICTION_FORMATS["expr-2020"]
    if task == "au" and tuple(units) == ACTION_UNITS_8:
        return PREDICTION_FORMATS["au-2020"]
    return PREDICTION_FORMATS[task]


def submission_format(task: str) -> SubmissionFormat:
    """The official form of a task.

    Raises:
        ConfigError: there is none of that name.
    """
    if task not in SUBMISSIONS:
        near = difflib.get_close_matches(task, SUBMISSIONS, cutoff=0.5)
        raise ConfigError(f"no challenge is named {task!r}; choose from {', '.join(near or SUBMISSIONS)}")
    return SUBMISSIONS[task]


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
class TaskDecoder:
    """One task of a form.

    Attributes:
        task: ``"va"``, ``"expr"`` (compound ones too) or ``"au"``.
        columns: of the tables.
        width: half-width of the filter, in frames.
        decode: scores (T, C) to entries of the form (T, entries).
        scores: columns of a face to scores; given where all faces of a frame count, None where the main one does.
    """

    task: str
    columns: tuple[str, ...]
    width: int
    decode: Callable[[Floats], Floats]
    scores: Callable[[Floats], Floats] | None = None


def task_decoders(
    form: SubmissionFormat, smoothing: Smoothing, thresholds: Sequence[float] = ()
) -> tuple[TaskDecoder, ...]:
    """The tasks of a form, in the order of its fields.

    Args:
        form: one that affect tables can fill.
        smoothing: half-widths of the tasks.
        thresholds: one probability per action unit from which it counts as present; empty for .5 throughout.

    Raises:
        ConfigError: no affect table holds what the form asks for, or the thresholds do not fit it.
    """
    parts: list[TaskDecoder] = []
    names = [entry.name for entry in form.entries]
    units = tuple(name for name in names if name.startswith("AU"))
    if names[:2] == list(DIMENSIONS):
        parts.append(
            TaskDecoder(task="va", columns=DIMENSIONS, width=smoothing.va, decode=lambda v: np.clip(v, -1.0, 1.0))
        )
    if form.name == "ce":
        parts.append(
            TaskDecoder(
                task="expr",
                columns=_expressions(_CANONICAL),
                width=smoothing.expr,
                decode=_highest,
                scores=lambda rows: compound_scores(rows, _CANONICAL),
            )
        )
    elif form.name in _CLASSES:
        columns = _expressions(_CLASSES[form.name])
        parts.append(TaskDecoder(task="expr", columns=columns, width=smoothing.expr, decode=_highest))
    if units:
        limits = np.asarray(thresholds if len(thresholds) else [0.5] * len(units), dtype=np.float64)
        if limits.shape != (len(units),):
            raise ConfigError(f"there are {len(units)} action units, got {len(limits)} thresholds")
        parts.append(
            TaskDecoder(task="au", columns=units, width=smoothing.au, decode=lambda v: (v >= limits).astype(float))
        )
    elif len(thresholds):
        raise ConfigError(f"{form.name} has no action units; leave out the thresholds")
    if not parts:
        raise ConfigError(f"affect tables do not hold what {form.name} asks for; give a file of answers")
    return tuple(parts)


def _expressions(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"expression_{label}" for label in labels)


def _highest(scores: Floats) -> Floats:
    return np.asarray(scores.argmax(axis=1)[:, None], dtype=np.float64)
