# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from mien.metrics import ccc

torch = pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")

from mien.training.losses import ccc_loss, concordance, partial_bce, soft_cross_entropy  # noqa: E402 - needs torch

NAN = math.nan


def test_concordance_is_the_metric() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 50, 2))
    got = concordance(torch.tensor(x), torch.tensor(y)).numpy()
    np.testing.assert_allclose(got, [ccc(x[:, i], y[:, i]) for i in range(2)], atol=1e-12)


def test_unknown_rows_change_nothing() -> None:
    """Pitfall 7: rows are selected; a masked product would move CCC and cross-entropy."""
    torch.manual_seed(0)
    logits, shares = torch.randn(6, 3), torch.softmax(torch.randn(6, 3), 1)
    values, ratings = torch.randn(6, 2), torch.randn(6, 2)
    holes = shares.clone(), ratings.clone()
    for target in holes:
        target[4:] = NAN
    assert soft_cross_entropy(logits, holes[0]) == soft_cross_entropy(logits[:4], shares[:4])
    assert ccc_loss(values, holes[1]) == ccc_loss(values[:4], ratings[:4])


def test_partial_bce_averages_columns_over_their_known_entries() -> None:
    logits = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    targets = torch.tensor([[1.0, NAN], [0.25, 0.0]])

    def cross_entropy(logit: float, target: float) -> float:
        p = 1 / (1 + math.exp(-logit))
        return -(target * math.log(p) + (1 - target) * math.log(1 - p))

    first = (cross_entropy(0, 1) + cross_entropy(1, 0.25)) / 2
    expected = (first + cross_entropy(-1, 0)) / 2
    assert float(partial_bce(logits, targets)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", [soft_cross_entropy, ccc_loss, partial_bce])
def test_nothing_known_is_a_zero_with_a_gradient(loss: object) -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    value = loss(logits, torch.full((3, 2), NAN))  # type: ignore[operator]
    value.backward()
    assert float(value.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()
