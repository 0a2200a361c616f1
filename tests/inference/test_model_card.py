# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import pytest

from mien.inference import list_bundles, load_spec, model_card

CARD = Path(__file__).resolve().parents[2] / "docs/reference/model-card.md"


def test_the_page_is_what_the_bundle_says() -> None:
    assert CARD.read_text("utf-8") == model_card(load_spec()) + "\n", "run: make docs"


@pytest.mark.parametrize("name", list_bundles())
def test_every_bundle_says_what_a_person_must_know(name: str) -> None:
    spec = load_spec(name)
    assert spec.weights_notice
    assert spec.training_sources
    assert spec.limitations
    assert spec.metrics
    card = model_card(spec)
    for metric in spec.metrics:
        assert f"| {metric.name} | {metric.value:.3f} |" in card
        assert f"`{metric.command}`" in card


def test_thresholds_are_named_by_how_they_were_chosen() -> None:
    spec = load_spec()
    units = next(task for task in spec.tasks if task.thresholds)
    rule = "reached by 2 % of held-out neutral faces, at least 0.15"
    assert units.threshold_rule == rule
    assert f"Thresholds of action_units, {rule}: {units.labels[0]} {units.thresholds[0]:g}" in model_card(spec)
    unknown = replace(spec, tasks=(replace(units, threshold_rule=""),))
    assert f"Thresholds of action_units: {units.labels[0]} " in model_card(unknown)
