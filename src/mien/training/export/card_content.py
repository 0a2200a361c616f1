# SPDX-License-Identifier: Apache-2.0
"""What a bundle says about its training data: sources, licences, measured ranges, rare classes and weak labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mien.core import INTENSITY_LABELS, TrainingSource
from mien.training.data.source_records import LabelOrigin, SourceRecord
from mien.training.data.training_set import TrainingSet

_LIMITS = (
    "It sees facial movements and guesses what a group of raters would call them; it does not see feelings.",
    "Not for decisions about people: hiring, policing, schooling, insurance, diagnosis.",
)
_PICTURE_LIMIT = "Profiles, small faces, strong blur and covered mouths make every number less accurate."
_AFFECT_TASKS = {"expression", "valence_arousal", "action_units", *INTENSITY_LABELS}

# Tasks of continuous values -> unit of the values in a sentence.
_RANGED_TASKS = {"valence_arousal": "", "pose": " rad", **dict.fromkeys(INTENSITY_LABELS, "")}
_FULL_RANGE = {"valence_arousal": (-1.0, 1.0), **dict.fromkeys(INTENSITY_LABELS, (0.0, 1.0))}
_RANGE_QUANTILES = (0.005, 0.995)
_NEARLY_FULL = 0.95  # share of the full range from which it is not worth a sentence

_RARE_TASKS = ("expression", "action_units")
_RARE_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class Card:
    """What goes into `mien.core.ModelSpec` about the training data.

    Attributes:
        notice: What a user must check before using the weights.
        training_sources: Data sets with the number of rows that were trained on, and what their labels rest on.
        limitations: Known limitations, in sentences.
        inferred: Action units whose labels were inferred from others.
        protocols: Names in `mien.evaluation.PROTOCOLS`.
    """

    notice: str
    training_sources: tuple[TrainingSource, ...]
    limitations: tuple[str, ...]
    inferred: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()


def create_card(samples: TrainingSet) -> Card:
    """The card of a network that is trained on these samples: every fact is theirs or their records'."""
    counts = [int((samples.record == number).sum()) for number in range(len(samples.records))]
    used = [(record, n) for record, n in zip(samples.records, counts, strict=True) if n]
    weak = [labels for record, _ in used for labels in record.weak]
    limits = _LIMITS if _AFFECT_TASKS & set(samples.targets) else _LIMITS[1:]
    return Card(
        notice=_notice([record for record, _ in used]),
        training_sources=(*_sets(samples, used), *_label_origins(used)),
        limitations=tuple(
            dict.fromkeys(
                (
                    *limits,
                    *(labels.sentence for labels in weak),
                    *_ranges(samples),
                    *_rare(samples),
                    *_pictures(samples),
                )
            )
        ),
        inferred=tuple(dict.fromkeys(name for labels in weak for name in labels.inferred)),
        protocols=tuple(dict.fromkeys(name for record, _ in used for name in record.protocols)),
    )


def _notice(records: list[SourceRecord]) -> str:
    public = [record for record in records if record.terms == "licence"]
    owned = [record for record in records if record.terms == "owners"]
    sentences = []
    if public:
        sets = ", ".join(f"{record.title} ({record.licence})" for record in public)
        sentences.append(f"Trained on {sets}: check their terms before commercial use.")
    if owned:
        sets = " and ".join(record.title for record in owned)
        sentences.append(f"Trained on {sets}: the terms of the owners decide who may use the weights, and for what.")
    return " ".join(sentences)


def _sets(samples: TrainingSet, used: list[tuple[SourceRecord, int]]) -> Iterator[TrainingSource]:
    for record, n in used:
        role = record.role or ", ".join(samples.labels)
        yield TrainingSource(name=record.title, role=role, n=n, licence=record.licence)


def _label_origins(used: list[tuple[SourceRecord, int]]) -> Iterator[TrainingSource]:
    """Models and data sets behind the labels; one that labelled every row of its sets counts their rows."""
    rows: dict[LabelOrigin, int] = {}
    for record, n in used:
        for origin in record.origins:
            rows[origin] = rows.get(origin, 0) + n
    for origin, n in rows.items():
        yield TrainingSource(name=origin.name, role=origin.role, n=origin.n or n, licence=origin.licence)


def _ranges(samples: TrainingSet) -> Iterator[str]:
    """One sentence per task of continuous values whose training targets leave a part of the range out."""
    for task, unit in _RANGED_TASKS.items():
        values = samples.targets.get(task)
        if values is None or not samples.known(task).any():
            continue
        low, high = np.nanquantile(values.astype(np.float64), _RANGE_QUANTILES, axis=0)
        if task in _FULL_RANGE:
            least, most = _FULL_RANGE[task]
            if ((high - low) >= _NEARLY_FULL * (most - least)).all():
                continue
        parts = ", ".join(
            f"{name} within [{first:.2f}, {last:.2f}]{unit}"
            for name, first, last in zip(samples.labels[task], low, high, strict=True)
        )
        yield f"99 % of the training targets have {parts}; values beyond these were hardly in the training data."


def _rare(samples: TrainingSet) -> Iterator[str]:
    """One sentence per task with classes that are rare among the known training targets."""
    for task in _RARE_TASKS:
        values = samples.targets.get(task)
        if values is None or not samples.known(task).any():
            continue
        known = ~np.isnan(values)
        counts = known.sum(axis=0)
        shares = np.where(known, values, 0).sum(axis=0, dtype=np.float64) / np.maximum(counts, 1)
        rare = [
            f"{name} ({share:.1%})"
            for name, share, count in zip(samples.labels[task], shares, counts, strict=True)
            if count and share < _RARE_SHARE
        ]
        if rare:
            kind = task.replace("_", " ")
            yield f"Rare among the training targets for {kind}, so expect misses: {', '.join(rare)}."


def _pictures(samples: TrainingSet) -> tuple[str, ...]:
    return () if isinstance(samples.inputs, np.ndarray) else (_PICTURE_LIMIT,)
