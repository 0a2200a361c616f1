# SPDX-License-Identifier: Apache-2.0
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
