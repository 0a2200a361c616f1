# SPDX-License-Identifier: Apache-2.0
"""`FaceSamples`: cropped faces with any subset of labels, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mien.core import DatasetError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceSamples:
    """N cropped faces. An unknown label is NaN; a task whose whole row is NaN is not taught by that face.

    Attributes:
        names: N names, unique within the data set.
        images: N encoded images (PNG or JPEG bytes).
        expression: (N, 8) shares of the canonical expressions that sum to 1, or NaN.
        valence_arousal: (N, 2) in [-1, 1], or NaN.
        action_units: (N, A) chances in [0, 1] of ``action_unit_labels``, each may be NaN.
        action_unit_labels: A names.
        landmarks: (N, 5, 2) alignment points as fractions of the picture's width and height, or NaN.
    """

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    expression: Floats
    valence_arousal: Floats
    action_units: Floats
    action_unit_labels: tuple[str, ...]
    landmarks: Floats

    def __post_init__(self) -> None:
        n = len(self.names)
        shapes = {
            "images": (n,),
            "expression": (n, 8),
            "valence_arousal": (n, 2),
            "action_units": (n, len(self.action_unit_labels)),
            "landmarks": (n, 5, 2),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            got = (len(value),) if name == "images" else value.shape
            if got != shape:
                raise DatasetError(f"{name} must have shape {shape}, got {got}")

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: npt.ArrayLike) -> FaceSamples:
        """The chosen rows (a boolean mask or indices), in that order."""
        chosen = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            names=tuple(self.names[i] for i in chosen),
            images=tuple(self.images[i] for i in chosen),
            expression=self.expression[chosen],
            valence_arousal=self.valence_arousal[chosen],
            action_units=self.action_units[chosen],
            landmarks=self.landmarks[chosen],
        )


def concatenate(parts: Sequence[FaceSamples]) -> FaceSamples:
    """One set of several, in order; all must teach the same action units."""
    labels = {part.action_unit_labels for part in parts}
    if len(labels) != 1:
        raise DatasetError(f"sets to join must share their action units, got {sorted(labels)}")
    return FaceSamples(
        names=sum((part.names for part in parts), ()),
        images=sum((part.images for part in parts), ()),
        expression=np.concatenate([part.expression for part in parts]),
        valence_arousal=np.concatenate([part.valence_arousal for part in parts]),
        action_units=np.concatenate([part.action_units for part in parts]),
        action_unit_labels=parts[0].action_unit_labels,
        landmarks=np.concatenate([part.landmarks for part in parts]),
    )
