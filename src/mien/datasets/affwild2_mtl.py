# SPDX-License-Identifier: Apache-2.0
"""s-Aff-Wild2, the multi-task set: one list per split with valence, arousal, expression and 12 action units."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.core import ACTION_UNITS_12, EXPRESSION_ORDERS
from mien.datasets.columns import UNKNOWN
from mien.datasets.crops import find_crops
from mien.datasets.documents import load_document
from mien.datasets.frame_lists import check_list_header, frame_columns, load_frame_list
from mien.datasets.frames import FrameSamples
from mien.datasets.label_columns import read_action_units, read_ratings
from mien.datasets.problems import AnnotationError
from mien.datasets.tables import Field, read_rows
from mien.datasets.track_files import NOT_RATED

NAME = "affwild2-mtl"

_FILES = {"train": "training_set_annotations.txt", "valid": "validation_set_annotations.txt"}
_FIELDS = (
    Field("image", "text"),
    Field("valence"),
    Field("arousal"),
    Field("expression"),
    *(Field(label) for label in ACTION_UNITS_12),
)


def load_affwild2_mtl(folder: str | Path, split: str, *, crops: str | None = None) -> FrameSamples:
    """All three tasks of every listed frame, each with its own mask; rows keep the order of the list.

    Args:
        folder: that holds the lists and the crops.
        split: ``"train"``, ``"valid"``, or ``"test"`` (the one ``*test*.txt``, names only).
        crops: name of the folder of crops; None takes ``cropped_aligned``, else ``cropped``, else none.

    Raises:
        AnnotationError: the list is missing or malformed.
    """
    folder = Path(folder)
    images = find_crops(folder, crops)
    if split not in _FILES:
        return load_frame_list(_find_test_list(folder, split), NAME, images)
    document = load_document(folder / _FILES[split])
    check_list_header(document)
    table = read_rows(document, _FIELDS)
    labels = EXPRESSION_ORDERS["affwild2_8"]
    return FrameSamples(
        dataset=NAME,
        split=split,
        valence_arousal=read_ratings(table, not_rated=NOT_RATED),
        expression=table.classes("expression", low=UNKNOWN, high=len(labels) - 1).astype(np.int8),
        action_units=read_action_units(table, ACTION_UNITS_12),
        expression_labels=labels,
        action_unit_labels=ACTION_UNITS_12,
        crops=images,
        **frame_columns(table, images),
    )


def _find_test_list(folder: Path, split: str) -> Path:
    found = sorted(path for path in folder.glob("*.txt") if split == "test" and "test" in path.stem.lower())
    if len(found) != 1:
        raise AnnotationError(folder, f"holds {len(found)} lists for {split!r} (*test*.txt) instead of one")
    return found[0]
