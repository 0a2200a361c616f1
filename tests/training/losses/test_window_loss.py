# SPDX-License-Identifier: Apache-2.0
"""Labels of windows from the centres of parts, and the cross-entropy over them, by hand."""

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.losses.registry import create_loss  # noqa: E402 - needs torch
from mien.training.losses.window_loss import window_detection, window_labels  # noqa: E402 - needs torch
from mien.training.recipes.settings import LossSettings  # noqa: E402 - needs torch


@pytest.mark.parametrize(
    ("place", "window"),
    [((0.1, 0.1), 0), ((0.5, 0.1), 1), ((0.9, 0.1), 2), ((0.1, 0.5), 3), ((0.34, 0.99), 7), ((1 / 3, 0.0), 1)],
)
def test_one_window_of_three_by_three_holds_a_place(place: tuple[float, float], window: int) -> None:
    labels = window_labels(torch.tensor([[place]], dtype=torch.float64), 3)
    assert labels.shape == (1, 1, 9)
    assert torch.nonzero(labels[0, 0]).flatten().tolist() == [window]


def test_windows_that_overlap_hold_a_place_together() -> None:
    labels = window_labels(torch.tensor([[[0.5, 0.5]]], dtype=torch.float64), 4, span=2.0)
    # Middles at 1/8, 3/8, 5/8, 7/8, half a width of 1/4: 3/8 and 5/8 hold 0.5.
    assert torch.nonzero(labels[0, 0]).flatten().tolist() == [5, 6, 9, 10]


def test_a_place_outside_is_in_no_window() -> None:
    assert not window_labels(torch.tensor([[[-0.01, 0.5], [0.5, 1.01]]]), 4).any()


def test_the_loss_sums_windows_and_averages_known_rows() -> None:
    targets = torch.tensor([[0.25, 0.25, 0.75, 0.75], [math.nan] * 4, [0.25, 0.25, math.nan, 0.5]])
    logits = torch.zeros(3, 8)
    logits[0] = torch.tensor([2.0, -2, -2, -2, -2, -2, -2, 2])
    expected = 8 * math.log1p(math.exp(-2))
    assert float(window_detection(logits, targets)) == pytest.approx(expected, abs=1e-6)
    assert float(window_detection(torch.zeros(1, 8), targets[:1])) == pytest.approx(8 * math.log(2), abs=1e-6)


def test_without_a_known_row_loss_and_gradient_are_zero() -> None:
    logits = torch.ones(2, 8, requires_grad=True)
    loss = window_detection(logits, torch.full((2, 4), math.nan))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_outputs_that_are_no_square_grid_are_refused() -> None:
    with pytest.raises(ConfigError, match="no square grid"):
        window_detection(torch.zeros(1, 6), torch.full((1, 4), 0.5))
    with pytest.raises(ConfigError, match="positive span"):
        create_loss(LossSettings(name="window_detection", options={"span": 0.0}), torch.zeros(2, 4).numpy())
    with pytest.raises(ConfigError, match="got 3 columns"):
        create_loss(LossSettings(name="window_detection"), torch.zeros(2, 3).numpy())
