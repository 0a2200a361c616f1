# SPDX-License-Identifier: Apache-2.0
"""The formats of challenge submissions, and the decoders from scores to the fields of each task."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mien.affect import CompoundMean, Smoothing, compound_scores
from mien.core import (
    ACTION_UNITS_8,
    ACTION_UNITS_12,
    COMPOUND_EXPRESSIONS,
    DIMENSIONS,
    EMI_EMOTIONS,
    ERI_EMOTIONS,
    EXPRESSION_ORDERS,
    ConfigError,
    Float64,
)
from mien.metrics import OFFICIAL_THRESHOLD


@dataclass(frozen=True)
class SubmissionField:
    """One field of a row after the row's name.

    Attributes:
        name: Name of the field: a label, or ``"expression"``.
        low: Smallest value that is allowed.
        high: Largest value that is allowed.
        whole: Whether the field is a class or a binary label, so that fractions are not allowed.
    """

    name: str
    low: float
    high: float
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class SubmissionFormat:
    """The file format of the predictions of one task.

    Attributes:
        name: Name of the task.
        key: Header of the first field, which names the row.
        header: Names of the header after the key. They need not match the fields: the header of the expression
            challenge names eight classes, its rows hold one number.
        fields: Fields of a row after its name.
        per_frame: Whether rows are named ``video/00001.jpg``, with frames numbered from 1.
        other_headers: Further first lines that are read; the owners of one set spell a name in two ways.

    Examples:
        >>> task_format = submission_format("va")
        >>> task_format.header_line
        'image_location,valence,arousal'
        >>> [(field.name, field.low, field.high) for field in task_format.fields]
        [('valence', -1, 1), ('arousal', -1, 1)]
    """

    name: str
    key: str
    header: tuple[str, ...]
    fields: tuple[SubmissionField, ...]
    per_frame: bool = True
    other_headers: tuple[str, ...] = ()

    @property
    def header_line(self) -> str:
        """First line of a file."""
        return ",".join((self.key, *self.header))


def _class(n_classes: int) -> SubmissionField:
    return SubmissionField("expression", 0, n_classes - 1, whole=True)


def _scores(name: str, order: str) -> SubmissionFormat:
    """One score per class of a data set of still images, in its own order."""
    labels = EXPRESSION_ORDERS[order]
    fields = tuple(SubmissionField(label, -math.inf, math.inf) for label in labels)
    return SubmissionFormat(name=name, key="image", header=labels, fields=fields, per_frame=False)


def _titled(labels: Sequence[str], *, between: str = " ") -> tuple[str, ...]:
    return tuple(between.join(word.capitalize() for word in label.split()) for label in labels)


def _unit_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Official spelling of action units: ``AU1`` for ``AU01``."""
    return tuple(f"AU{int(label[2:])}" for label in labels)


_VA = (SubmissionField("valence", -1, 1), SubmissionField("arousal", -1, 1))
_AU_12 = tuple(SubmissionField(label, 0, 1, whole=True) for label in ACTION_UNITS_12)
_AU_8 = tuple(SubmissionField(label, 0, 1, whole=True) for label in ACTION_UNITS_8)
_EXPR_8, _EXPR_7 = EXPRESSION_ORDERS["affwild2_8"], EXPRESSION_ORDERS["affwild2_7"]

SUBMISSIONS = MappingProxyType(
    {
        task_format.name: task_format
        for task_format in (
            SubmissionFormat(name="va", key="image_location", header=("valence", "arousal"), fields=_VA),
            SubmissionFormat(name="expr", key="image_location", header=_titled(_EXPR_8), fields=(_class(8),)),
            SubmissionFormat(name="au", key="image_location", header=_unit_names(ACTION_UNITS_12), fields=_AU_12),
            SubmissionFormat(
                name="mtl",
                key="image",
                header=("valence", "arousal", "expression", "aus"),
                fields=(*_VA, _class(8), *_AU_12),
            ),
            SubmissionFormat(name="lsd", key="image", header=("expression",), fields=(_class(6),), per_frame=False),
            SubmissionFormat(
                name="ce",
                key="image_location",
                header=_titled(COMPOUND_EXPRESSIONS, between="_"),
                fields=(_class(7),),
            ),
            SubmissionFormat(
                name="emi",
                key="Filename",
                header=_titled(EMI_EMOTIONS),
                fields=tuple(SubmissionField(label, 0, 1) for label in EMI_EMOTIONS),
                per_frame=False,
            ),
        )
    }
)
"""Task -> official format of its submissions."""

PREDICTION_FORMATS = MappingProxyType(
    {
        **SUBMISSIONS,
        **{
            task_format.name: task_format
            for task_format in (
                SubmissionFormat(name="expr-2020", key="image_location", header=_titled(_EXPR_7), fields=(_class(7),)),
                SubmissionFormat(
                    name="au-2020", key="image_location", header=_unit_names(ACTION_UNITS_8), fields=_AU_8
                ),
                SubmissionFormat(
                    name="eri",
                    key="File_ID",
                    header=_titled(ERI_EMOTIONS),
                    fields=tuple(SubmissionField(label, 0, 1) for label in ERI_EMOTIONS),
                    per_frame=False,
                    other_headers=(",".join(("File_ID", *_titled(ERI_EMOTIONS))).replace("Empathic ", "Empathic-"),),
                ),
                _scores("affectnet", "affectnet"),
                _scores("rafdb", "raf_basic"),
                _scores("fer2013", "fer2013"),
                _scores("ferplus-csv", "ferplus"),
            )
        },
    }
)
"""Task -> format of predictions: the official ones, older editions, and mien's own (eri, scores of still images)."""


def edition_format(task: str, expressions: Sequence[str], units: Sequence[str]) -> SubmissionFormat:
    """Format of a frame task for the edition with these labels: 7 expressions or 8 action units belong to 2020.

    Args:
        task: Name in `PREDICTION_FORMATS`.
        expressions: Expression labels of the data set.
        units: Action unit labels of the data set.

    Examples:
        >>> edition_format("au", (), ACTION_UNITS_8).name
        'au-2020'
    """
    if task == "expr" and tuple(expressions) == _EXPR_7:
        return PREDICTION_FORMATS["expr-2020"]
    if task == "au" and tuple(units) == ACTION_UNITS_8:
        return PREDICTION_FORMATS["au-2020"]
    return PREDICTION_FORMATS[task]


def submission_format(task: str) -> SubmissionFormat:
    """The official format of a task.

    Raises:
        ConfigError: No challenge has that name.

    Examples:
        >>> len(submission_format("mtl").fields)
        15
    """
    if task not in SUBMISSIONS:
        near = difflib.get_close_matches(task, SUBMISSIONS, cutoff=0.5)
        raise ConfigError(f"no challenge is named {task!r}; choose from {', '.join(near or SUBMISSIONS)}")
    return SUBMISSIONS[task]


_CANONICAL = EXPRESSION_ORDERS["canonical"]

# Format -> classes of its field "expression", in the order of its numbers.
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
    """The decoder of one task of a format, from table columns to fields.

    Attributes:
        task: ``"va"``, ``"expr"`` (compound expressions, too) or ``"au"``.
        columns: Names of the table columns that are needed.
        width: Half-width of the filter, in frames; 0 for none.
        decode: Function from scores (T, C) to fields (T, F).
        scores: Function from columns (N, K) to scores (N, C), for tasks in which all faces of a frame count; None for
            tasks in which the main face counts and the columns are the scores.
    """

    task: str
    columns: tuple[str, ...]
    width: int
    decode: Callable[[Float64], Float64]
    scores: Callable[[Float64], Float64] | None = None


def task_decoders(
    task_format: SubmissionFormat,
    smoothing: Smoothing,
    thresholds: Sequence[float] = (),
    compound_mean: CompoundMean = "arithmetic",
) -> tuple[TaskDecoder, ...]:
    """The decoders of a format's tasks, in the order of its fields.

    Args:
        task_format: Format that affect tables can fill.
        smoothing: Half-widths of the filters.
        thresholds: One probability per action unit, from which it counts as present; empty for `OFFICIAL_THRESHOLD`
            throughout.
        compound_mean: Mean of two probabilities that scores a compound expression.

    Raises:
        ConfigError: No affect table holds what the format needs, or the thresholds do not fit it.

    Examples:
        >>> [decoder.task for decoder in task_decoders(submission_format("mtl"), Smoothing(va=50))]
        ['va', 'expr', 'au']
        >>> units = task_decoders(submission_format("au"), Smoothing(), thresholds=[0.4] * 12)[0]
        >>> units.decode(np.full((1, 12), 0.4))[0, :3].tolist()
        [1.0, 1.0, 1.0]
    """
    decoders: list[TaskDecoder] = []
    names = [field.name for field in task_format.fields]
    units = tuple(name for name in names if name.startswith("AU"))
    if names[:2] == list(DIMENSIONS):
        decoders.append(
            TaskDecoder(task="va", columns=DIMENSIONS, width=smoothing.va, decode=lambda v: np.clip(v, -1.0, 1.0))
        )
    if task_format.name == "ce":
        decoders.append(
            TaskDecoder(
                task="expr",
                columns=_expressions(_CANONICAL),
                width=smoothing.expr,
                decode=_highest,
                scores=lambda rows: compound_scores(rows, _CANONICAL, mean=compound_mean),
            )
        )
    elif task_format.name in _CLASSES:
        columns = _expressions(_CLASSES[task_format.name])
        decoders.append(TaskDecoder(task="expr", columns=columns, width=smoothing.expr, decode=_highest))
    if units:
        limits = np.asarray(thresholds if len(thresholds) else [OFFICIAL_THRESHOLD] * len(units), dtype=np.float64)
        if limits.shape != (len(units),):
            raise ConfigError(f"there are {len(units)} action units, got {len(limits)} thresholds")
        decoders.append(
            TaskDecoder(task="au", columns=units, width=smoothing.au, decode=lambda v: (v >= limits).astype(float))
        )
    elif len(thresholds):
        raise ConfigError(f"{task_format.name} has no action units; leave out the thresholds")
    if not decoders:
        raise ConfigError(f"affect tables do not hold what {task_format.name} needs; give a file of predictions")
    return tuple(decoders)


def _expressions(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"expression_{label}" for label in labels)


def _highest(scores: Float64) -> Float64:
    return np.asarray(scores.argmax(axis=1)[:, None], dtype=np.float64)
