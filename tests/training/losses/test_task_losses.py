# SPDX-License-Identifier: Apache-2.0
"""Losses against metrics, closed forms and each other."""

import math

import numpy as np
import pytest

from mien.metrics import ccc, pearson

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.losses import task_losses as losses  # noqa: E402 - needs torch

NAN = math.nan


def test_concordance_is_the_metric_with_its_golden_value() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 50, 2))
    got = losses.concordance(torch.tensor(x), torch.tensor(y)).numpy()
    np.testing.assert_allclose(got, [ccc(x[:, i], y[:, i]) for i in range(2)], atol=1e-12)
    x, y = torch.tensor([[0.1, 0.4, -0.2, 0.8], [0.0, 0.5, -0.1, 0.6]], dtype=torch.float64)[..., None]
    assert float(losses.concordance(x, y)) == pytest.approx(0.9239130434782609, abs=1e-12)
    assert float(losses.pearson_loss(x, y)) == pytest.approx(1 - 0.9442695958926463, abs=1e-9)


def test_forms_of_the_ccc_loss() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, 20, 2)
    form_a = losses.ccc_loss(x, y, form="A")
    assert float(losses.ccc_loss(x, y, form="B")) == pytest.approx(float(form_a), abs=1e-6)
    assert float(losses.ccc_loss(x, y, form="C")) == pytest.approx(2 * float(form_a), abs=1e-6)


def test_pearson_with_column_weights() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 30, 3))
    r = [pearson(x[:, i], y[:, i]) for i in range(3)]
    got = losses.pearson_loss(torch.tensor(x), torch.tensor(y), column_weights=(1.0, 0.5, 0.25))
    assert float(got) == pytest.approx(1 - (r[0] + 0.5 * r[1] + 0.25 * r[2]) / 1.75, abs=1e-9)


def test_smoothing_and_weights_apply_to_every_class_of_the_soft_target() -> None:
    logits = torch.tensor([[1.0, -1.0, 0.5]])
    target = torch.tensor([[0.0, 1.0, 0.0]])
    weights = torch.tensor([1.0, 4.0, 2.0])
    log_p = torch.log_softmax(logits, dim=1)[0]
    soft = torch.tensor([0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3])
    expected = -(weights * soft * log_p).sum()
    got = losses.soft_cross_entropy(logits, target, weights=weights, label_smoothing=0.1)
    torch.testing.assert_close(got, expected)


def test_top_cross_entropy_is_that_of_the_most_voted_class() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0], [3.0, 3.0, 3.0]])
    shares = torch.tensor([[0.5, 0.4, 0.1], [0.5, 0.5, 0.0], [torch.nan] * 3])
    expected = torch.nn.functional.cross_entropy(logits[:2], torch.tensor([0, 0]))  # the first of equals
    torch.testing.assert_close(losses.top_cross_entropy(logits, shares), expected)


@pytest.mark.parametrize(
    ("convention", "expected"), [("max", [1.0, 3.0, 6.0]), ("mean", [5 / 9, 5 / 3, 10 / 3]), ("total", [5 / 3, 5, 10])]
)
def test_class_weights(convention: str, expected: list[float]) -> None:
    got = losses.class_weights(torch.tensor([9.0, 3.0, 1.5]) * 10 / 9, convention)
    # counts 10, 3.33, 1.67: mean 5, total 15
    np.testing.assert_allclose(got, np.array(expected) * (1 if convention == "max" else 0.9), rtol=1e-5)


def test_focal_and_asymmetric_without_focus_are_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, shares = torch.randn(6, 3), torch.softmax(torch.randn(6, 3), 1)
    torch.testing.assert_close(losses.focal_loss(logits, shares, gamma=0.0), losses.soft_cross_entropy(logits, shares))
    labels = torch.randint(0, 2, (6, 3)).float()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    torch.testing.assert_close(losses.asymmetric_loss(logits, labels, gamma_negative=0.0, margin=0.0), plain)


def test_the_asymmetric_loss_of_mcan_by_its_code() -> None:
    """Negatives count by their detached probability, units by their weight; means over units, then rows."""
    torch.manual_seed(0)
    logits = torch.randn(8, 3, requires_grad=True)
    labels = torch.randint(0, 2, (8, 3)).float()
    weights = torch.tensor([0.5, 1.0, 1.5])
    p = logits.sigmoid()
    reference = labels * p.log() + (1 - labels) * p.detach() * (1 - p).log()
    reference = -(reference * weights).mean(dim=1).mean()
    got = losses.asymmetric_loss(logits, labels, gamma_negative=1.0, margin=0.0, weights=weights, detach_focus=True)
    torch.testing.assert_close(got, reference)
    first = torch.autograd.grad(got, logits, retain_graph=True)[0]
    torch.testing.assert_close(first, torch.autograd.grad(reference, logits)[0])


def test_focal_and_asymmetric_by_hand() -> None:
    p = 1 / (1 + math.exp(-1.0))
    two = torch.tensor([[1.0, 0.0]])
    assert float(losses.focal_loss(two, torch.tensor([[1.0, 0.0]]))) == pytest.approx(-((1 - p) ** 2) * math.log(p))
    q = p - 0.05
    got = losses.asymmetric_loss(torch.tensor([[1.0]]), torch.tensor([[0.0]]))
    assert float(got) == pytest.approx(-(q**4) * math.log(1 - q), abs=1e-6)


def test_partial_bce_averages_columns_over_their_known_entries() -> None:
    logits = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    targets = torch.tensor([[1.0, NAN], [0.25, 0.0]])

    def cross_entropy(logit: float, target: float) -> float:
        p = 1 / (1 + math.exp(-logit))
        return -(target * math.log(p) + (1 - target) * math.log(1 - p))

    first = (cross_entropy(0, 1) + cross_entropy(1, 0.25)) / 2
    expected = (first + cross_entropy(-1, 0)) / 2
    assert float(losses.partial_bce(logits, targets)) == pytest.approx(expected, abs=1e-6)


def test_weighted_bce_of_a_soft_target() -> None:
    logits, targets = torch.tensor([[0.7, -0.2]]), torch.tensor([[0.3, NAN]])
    p = 1 / (1 + math.exp(-0.7))
    got = losses.weighted_bce(logits, targets, positive=torch.tensor([3.0, 1.0]), negative=torch.tensor([0.6, 1.0]))
    assert float(got) == pytest.approx(-(3.0 * 0.3 * math.log(p) + 0.6 * 0.7 * math.log(1 - p)), abs=1e-6)


def test_squared_error_counts_known_entries() -> None:
    got = losses.squared_error(torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[0.0, NAN], [1.0, 0.0]]))
    assert float(got) == pytest.approx((1 + 4 + 0) / 3)


def test_known_rows_have_no_nan() -> None:
    assert losses.known_rows(torch.tensor([[1.0, 2.0], [NAN, 0.0], [NAN, NAN]])).tolist() == [True, False, False]


def test_weights_of_the_effective_number_of_samples() -> None:
    """Cui et al., CVPR 2019, equation 2: (1 - b) / (1 - b^n); the classes with rows have a mean weight of 1."""
    got = losses.class_weights(torch.tensor([10_000.0, 100.0, 0.0]), "effective")
    expected = np.array([(1 - 0.9999) / (1 - 0.9999**n) for n in (10_000, 100)])
    np.testing.assert_allclose(got.numpy(), [*(expected * 2 / expected.sum()), 0], rtol=1e-4)
