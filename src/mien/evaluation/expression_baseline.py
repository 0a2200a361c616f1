# SPDX-License-Identifier: Apache-2.0
"""Action units that follow from the expression alone: what a unit's own output must beat to count as observed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.affect import Analyzer
from mien.datasets import AU_RULES, load_set_aside
from mien.evaluation.crops import align_samples, expression_chances, with_points

Floats = npt.NDArray[np.float64]

# As many as the default recipe sets aside; they are the first of the same order, so none of them taught the bundle.
_N_SET_ASIDE = 1500


@dataclass(frozen=True, eq=False)
class ExpressionBaseline:
    """A linear map from expression probabilities to the teacher's chance of each action unit.

    Attributes:
        weights: (8, A); probabilities sum to 1, so it needs no constant.
        labels: A names.
    """

    weights: Floats
    labels: tuple[str, ...]

    @classmethod
    def fit(cls, chances: npt.ArrayLike, units: npt.ArrayLike, labels: tuple[str, ...]) -> ExpressionBaseline:
        """Least squares, each unit on the rows where the teacher knows it.

        Args:
            chances: (N, 8) expression probabilities.
            units: (N, A) the teacher's chances in [0, 1], NaN where unknown.
            labels: A names.
        """
        x, y = np.asarray(chances, dtype=np.float64), np.asarray(units, dtype=np.float64)
        columns = [np.linalg.lstsq(x[known], column[known], rcond=None)[0] for column, known in _known_columns(y)]
        return cls(np.stack(columns, axis=1), labels)

    @classmethod
    def of_bundle(cls, analyzer: Analyzer, data: Path) -> ExpressionBaseline:
        """Fitted on what the bundle says of FER+ training faces that were set aside, aligned.

        Raises:
            DatasetError: the data are incomplete.
        """
        samples = with_points(load_set_aside(data, _N_SET_ASIDE))
        chances = expression_chances(analyzer.crops(align_samples(samples, analyzer.spec)[0]))
        return cls.fit(chances, samples.action_units, tuple(AU_RULES))

    def __call__(self, chances: npt.ArrayLike, label: str) -> Floats:
        """(N,) scores of one unit for (N, 8) expression probabilities."""
        scores: Floats = np.asarray(chances, dtype=np.float64) @ self.weights[:, self.labels.index(label)]
        return scores


def _known_columns(units: Floats) -> list[tuple[Floats, npt.NDArray[np.bool_]]]:
    return [(column, ~np.isnan(column)) for column in units.T]
