# SPDX-License-Identifier: Apache-2.0
"""Prediction sets, intervals and reasons to abstain of `Faces`, and their table columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.core.arrays import Bools, Float32
from mien.core.uncertainty import (
    ABSTAIN_REASONS,
    UncertaintySpec,
    abstain_reasons,
    affect_interval,
    prediction_sets,
    unit_intervals,
)

if TYPE_CHECKING:
    from mien.core.face_types.faces import Faces

NAME_SEPARATOR = ";"
"""Between the names in the columns ``possible_expressions`` and ``abstain``."""

UNCERTAIN_NUMBERS = (
    "valence_low",
    "valence_high",
    "arousal_low",
    "arousal_high",
    "covered",
    "unfamiliar",
    "view_spread",
)
"""Columns of numbers that a calibrated bundle adds to the table, in order."""


def with_uncertainty(faces: Faces, spec: UncertaintySpec | None) -> Faces:
    """The same faces with the sets, intervals and reasons that follow from their predictions.

    Args:
        faces: N faces whose ``covered`` and ``unfamiliar`` are filled where the bundle has such probes.
        spec: Calibration of the bundle; None changes nothing.

    Examples:
        >>> from mien.core import Faces
        >>> faces = Faces(boxes=np.zeros((1, 4)), expression=[[0.6, 0.4]], expression_labels=("neutral", "fear"))
        >>> spec = UncertaintySpec(
        ...     coverage=0.9, expression_limits={"neutral": 0.5, "fear": 0.1}, half_widths={}, unit_offsets={}
        ... )
        >>> with_uncertainty(faces, spec).expression_sets.tolist()
        [[True, True]]
    """
    if spec is None or not len(faces):
        return faces
    fields: dict[str, Any] = {
        "expression_sets": prediction_sets(faces.expression, faces.expression_labels, spec.expression_limits),
        "abstain": abstain_reasons(spec, faces.keypoints, faces.pose_rad, faces.covered, faces.unfamiliar),
    }
    tops = faces.top_expressions()
    for name, widths in spec.half_widths.items():
        fields[f"{name}_interval"] = affect_interval(getattr(faces, name), tops, widths)
    if spec.unit_offsets:
        fields["action_unit_intervals"] = unit_intervals(
            faces.action_units, faces.action_unit_labels, spec.unit_offsets
        )
    return replace(faces, **fields)


def uncertain_numbers(faces: Faces) -> dict[str, Float32]:
    """Column of `UNCERTAIN_NUMBERS` -> its (N,) values."""
    ends = [faces.valence_interval[:, 0], faces.valence_interval[:, 1]]
    ends += [faces.arousal_interval[:, 0], faces.arousal_interval[:, 1]]
    return dict(zip(UNCERTAIN_NUMBERS, [*ends, faces.covered, faces.unfamiliar, faces.view_spread], strict=True))


def joined_names(members: Bools, names: Sequence[str]) -> list[str | None]:
    """The names of each row's members, joined by `NAME_SEPARATOR`; None for none.

    Args:
        members: (N, K) bool.
        names: K names.

    Examples:
        >>> joined_names(np.array([[True, True], [False, False]]), ("small", "turned"))
        ['small;turned', None]
    """
    return [NAME_SEPARATOR.join(np.array(names, object)[row]) or None for row in np.asarray(members, np.bool_)]


def uncertain_columns(faces: Faces) -> dict[str, Any]:
    """Columns of the table contract that a calibrated bundle adds; empty where none is known."""
    known = faces.expression_sets.any() or faces.abstain.any()
    if not (known or any(np.isfinite(values).any() for values in uncertain_numbers(faces).values())):
        return {}
    return {
        "possible_expressions": joined_names(faces.expression_sets, faces.expression_labels),
        **uncertain_numbers(faces),
        "abstain": joined_names(faces.abstain, ABSTAIN_REASONS),
    }
