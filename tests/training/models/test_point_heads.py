# SPDX-License-Identifier: Apache-2.0
"""Heads of places and windows: ranges, shapes, refusals."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.heads import create_head  # noqa: E402 - needs torch
from mien.training.recipes.settings import HeadSettings  # noqa: E402 - needs torch


@pytest.mark.parametrize("hidden", [(), (8, 6)])
def test_places_stay_within_a_unit_of_the_middle(hidden: tuple[int, ...]) -> None:
    head = create_head(5, 4, HeadSettings(kind="places", unit=0.75, hidden=hidden), {})
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(50)
    places = head(torch.randn(200, 5) * 10).detach()
    assert places.shape == (200, 4)
    assert -0.25 <= float(places.min()) < 0
    assert 1 < float(places.max()) <= 1.25


@pytest.mark.parametrize("hidden", [(), (8, 6)])
def test_windows_have_a_logit_for_each_part_and_window(hidden: tuple[int, ...]) -> None:
    head = create_head(5, 6, HeadSettings(kind="windows", steps=4, hidden=hidden), {})
    assert head(torch.zeros(2, 5)).shape == (2, 3 * 16)
    assert sum(isinstance(layer, torch.nn.Linear) for layer in head.modules()) == len(hidden) + 1


@pytest.mark.parametrize(
    ("settings", "n_outputs", "message"),
    [
        (HeadSettings(kind="windows"), 6, "needs steps"),
        (HeadSettings(kind="windows", steps=4), 5, "5 labels"),
        (HeadSettings(kind="places", unit=0.0), 4, "unit of a places head must be positive"),
    ],
)
def test_refusals(settings: HeadSettings, n_outputs: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_head(5, n_outputs, settings, {})
