# SPDX-License-Identifier: Apache-2.0
"""Faces of an audit: FairFace with its annotated traits, or a user's CSV with groups and labels."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import DIMENSIONS, EXPRESSIONS, Float32, Float64, Image, Indices, InputError, is_value_name, label_value
from mien.datasets import load_fairface, load_teacher, load_traits, picture_file, teacher_file
from mien.media import decode_image, read_image

FAIRFACE_TRAITS = ("age", "gender", "race")
"""Group columns of FairFace."""

_MAX_ROWS = 1_000_000
_RESERVED = frozenset({"image", "person", "expression", *DIMENSIONS})


@dataclass(frozen=True, eq=False, kw_only=True)
class AuditSamples:
    """N images of one face each, with the groups of their people and whatever labels there are.

    Attributes:
        title: Name of the data for the page.
        images: N encoded images, or paths.
        people: (N,) name of the person; faces of one person are resampled together.
        groups: Column -> (N,) group; empty text where unknown.
        expression: (N,) number of the true expression in `mien.core.EXPRESSIONS`, -1 where unknown.
        values: Name (valence, arousal, or an action unit) -> (N,) labels, NaN where unknown.
        reference: Whether ``values`` come from a model (agreement) and not from people (accuracy).
        landmarks: (N, 68, 2) fractions of the picture's width and height, or NaN.
        activation: (N,) smile of a teacher in [0, 1], or NaN.
    """

    title: str
    images: tuple[bytes | Path, ...]
    people: npt.NDArray[np.str_]
    groups: Mapping[str, npt.NDArray[np.str_]]
    expression: Indices
    values: Mapping[str, Float64]
    reference: bool
    landmarks: Float32
    activation: Float64

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, chosen: Indices) -> AuditSamples:
        """Some of the faces."""
        return AuditSamples(
            title=self.title,
            images=tuple(self.images[row] for row in chosen),
            people=self.people[chosen],
            groups={name: column[chosen] for name, column in self.groups.items()},
            expression=self.expression[chosen],
            values={name: column[chosen] for name, column in self.values.items()},
            reference=self.reference,
            landmarks=self.landmarks[chosen],
            activation=self.activation[chosen],
        )

    def pictures(self) -> list[Image]:
        """The images as (H, W, 3) RGB.

        Raises:
            InputError: An image cannot be read; the message names it.
        """
        return [
            decode_image(image, name=f"face {row}") if isinstance(image, bytes) else read_image(image, name=str(image))
            for row, image in enumerate(self.images)
        ]


def load_audit_samples(data: str | Path, split: str = "valid") -> AuditSamples:
    """FairFace of a folder of open sets, or the rows of a CSV.

    Args:
        data: Folder with ``fairface/val.parquet`` and the teacher's file, or a CSV with a column ``image``, any of
            ``expression``, ``valence``, ``arousal``, ``AU12`` and the like, ``person``, and at least one further column
            of groups.
        split: Split of FairFace; no meaning for a CSV.

    Raises:
        DatasetError: The open sets are incomplete.
        InputError: The CSV cannot be read or has no groups.
    """
    path = Path(data)
    return _of_csv(path) if path.suffix.lower() == ".csv" else _of_fairface(path, split)


def _of_fairface(folder: Path, split: str) -> AuditSamples:
    samples = load_fairface(folder, split)
    outputs = load_teacher(teacher_file(folder, "fairface", split), samples.names)
    smile = [outputs.blendshape_names.index(f"mouthSmile{side}") for side in ("Left", "Right")]
    activation = outputs.blendshapes[:, smile].mean(axis=1).astype(np.float64)
    return AuditSamples(
        title=f"FairFace {'val' if split == 'valid' else split}",
        images=samples.images,
        people=np.array(samples.names, np.str_),
        groups=load_traits(picture_file(folder, "fairface", split), FAIRFACE_TRAITS),
        expression=np.full(len(samples), -1, np.intp),
        values={
            label: samples.action_units[:, column].astype(np.float64)
            for column, label in enumerate(samples.action_unit_labels)
        },
        reference=True,
        landmarks=outputs.landmarks,
        activation=np.where(outputs.found, activation, np.nan),
    )


def _of_csv(path: Path) -> AuditSamples:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    names: Sequence[str] = list(rows[0]) if rows else ()
    if "image" not in names or len(rows) > _MAX_ROWS:
        raise InputError(f"{path}: needs the column 'image' and 1 to {_MAX_ROWS:,} rows")
    values = [name for name in names if is_value_name(name)]
    groups = [name for name in names if name not in _RESERVED and name not in values]
    if not groups:
        raise InputError(f"{path}: has no column of groups beside {', '.join(sorted(_RESERVED))} and action units")
    n = len(rows)
    return AuditSamples(
        title=path.name,
        images=tuple(path.parent / str(row["image"]) for row in rows),
        people=np.array([row.get("person") or row["image"] for row in rows], np.str_),
        groups={name: np.array([row[name] or "" for row in rows], np.str_) for name in groups},
        expression=np.array([_expression(path, i, row.get("expression")) for i, row in enumerate(rows, 2)], np.intp),
        values={
            name: np.array([label_value(f"{path}: line {i}", name, row[name]) for i, row in enumerate(rows, 2)])
            for name in values
        },
        reference=False,
        landmarks=np.full((n, 68, 2), np.nan, np.float32),
        activation=np.full(n, np.nan),
    )


def _expression(path: Path, line: int, text: str | None) -> int:
    if not text:
        return -1
    if text not in EXPRESSIONS:
        raise InputError(f"{path}: line {line}: {text!r} is no expression; write one of {', '.join(EXPRESSIONS)}")
    return EXPRESSIONS.index(text)
