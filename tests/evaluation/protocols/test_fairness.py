# SPDX-License-Identifier: Apache-2.0
"""Groups compared with all others."""

from pathlib import Path

import pytest

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
