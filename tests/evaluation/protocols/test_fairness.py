# SPDX-License-Identifier: Apache-2.0
"""Groups compared with all others."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien.core import ConfigError, Faces
from mien.evaluation.protocols.fairness import evaluate_fairness
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name


def test_fairness_compares_groups_with_all_others(open_sets: Path) -> None:
    metrics = metrics_by_name(evaluate_fairness(FlatFaceAnalyzer(), open_sets))
    assert metrics["happiness where the teacher sees a smile, gender Female"].value == 1
    assert metrics["happiness where it sees none, gender Female"].value == 0
    assert metrics["AU12 agrees with the teacher, age 3-9, minus others"].value == 0
    assert metrics["action units agree with the teacher, race Indian"].value == 1
    female, male = metrics["happiness, gender Female"], metrics["happiness, gender Male"]
    difference = metrics["happiness, gender Female, minus others"]
    assert difference.value == pytest.approx(female.value - male.value)
    assert difference.low < difference.value < difference.high
    assert "happiness, gender Male, minus others" not in metrics  # two groups have one difference
    assert "happiness, race Indian, minus others" not in metrics  # one group has none
    ages = [name.split("age ")[1] for name in metrics if name.startswith("flip rate, age") and "minus" not in name]
    assert ages == ["3-9", "10-19", "more than 70"]


def test_action_units_are_present_from_the_bundles_thresholds_on(open_sets: Path) -> None:
    """AU12 has 0.9 on a smile and 0.1 without: at a threshold of 0.05 it is always present."""
    analyzer = FlatFaceAnalyzer()
    analyzer.spec = SimpleNamespace(**vars(FlatFaceAnalyzer.spec) | {"action_unit_thresholds": {"AU12": 0.05}})
    metrics = metrics_by_name(evaluate_fairness(analyzer, open_sets))
    agreement = metrics["AU12 agrees with the teacher, race Indian"].value
    assert agreement == pytest.approx(metrics["happiness, race Indian"].value)  # right where there is a smile
    assert agreement < 0.7
    assert (
        metrics_by_name(evaluate_fairness(FlatFaceAnalyzer(), open_sets))[
            "AU12 agrees with the teacher, race Indian"
        ].value
        == 1
    )


def test_a_bundle_without_smiles_is_refused(open_sets: Path) -> None:
    class WithoutUnits(FlatFaceAnalyzer):
        def crops(self, images: Sequence[Any], *, aligned: bool = False, given: str | None = None) -> Faces:
            return dataclasses.replace(
                super().crops(images, aligned=aligned, given=given),
                action_units=np.zeros((len(images), 0)),
                action_unit_intensity=np.zeros((len(images), 0)),
                action_unit_intervals=np.zeros((len(images), 0, 2)),
                action_unit_labels=(),
            )

    with pytest.raises(ConfigError, match="no AU12"):
        evaluate_fairness(WithoutUnits(), open_sets)
