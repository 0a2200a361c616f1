# SPDX-License-Identifier: Apache-2.0
"""What studies of recipes share: counts of faces, and a budget in words."""

import dataclasses
from pathlib import Path

from benchmarks.training.bundle_metrics import budget_of, face_counts
from mien.datasets import load_ferplus
from mien.training import load_recipe
from tests.helpers.open_face_sets import write_open_sets


def test_faces_are_counted_by_the_expression_that_most_raters_name(tmp_path: Path) -> None:
    counts = face_counts(write_open_sets(tmp_path), "valid")
    assert {name for name, n in counts.items() if n} == {"neutral", "happiness"}
    assert sum(counts.values()) == len(load_ferplus(tmp_path, "valid")) == 240


def test_a_budget_names_epochs_sides_and_faces() -> None:
    recipe = load_recipe("mien-light", {"data.sources.0.epoch_share": 0.5, "data.calibration_rows": 100})
    both = dataclasses.replace(recipe, stages=(recipe.stages[1], dataclasses.replace(recipe.stages[0], epochs=1)))
    assert budget_of(both, 4100) == "4 epochs at 112 px and 1 epoch at 80 px of 2,000 FER+ faces each"
    one = dataclasses.replace(recipe, stages=(dataclasses.replace(recipe.stages[0], size_px=0),))
    assert budget_of(one, 4100) == "6 epochs at 80 px of 2,000 FER+ faces"
