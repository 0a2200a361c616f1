# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from mien.core import ConfigError
from mien.metrics import ccc, pearson
from mien.training.recipes.settings import LossSettings

torch = pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")

from mien.training.losses import registry as objectives  # noqa: E402 - needs torch
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


@pytest.mark.parametrize(
    ("convention", "expected"), [("max", [1.0, 3.0, 6.0]), ("mean", [5 / 9, 5 / 3, 10 / 3]), ("total", [5 / 3, 5, 10])]
)
def test_class_weights(convention: str, expected: list[float]) -> None:
    got = losses.class_weights(torch.tensor([9.0, 3.0, 1.5]) * 10 / 9, convention)
    # counts 10, 3.33, 1.67: mean 5, total 15
    np.testing.assert_allclose(got, np.array(expected) * (1 if convention == "max" else 0.9), rtol=1e-5)


def test_weighted_bce_is_the_product_form() -> None:
    targets = np.array([[1, 0], [0, 0], [0, 1], [0, NAN]], np.float32)
    loss = objectives.create_loss(LossSettings(name="weighted_bce"), targets)
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.1], [-0.7, 0.4], [0.0, 5.0]])
    positive, negative = [4 / 2, 3 / 2], [4 / 6, 3 / 4]
    terms = []
    for row in range(4):
        for column in range(2):
            y = targets[row, column]
            if not math.isnan(y):
                p = 1 / (1 + math.exp(-float(logits[row, column])))
                terms.append(-(positive[column] * y * math.log(p) + negative[column] * (1 - y) * math.log(1 - p)))
    assert float(loss(logits, torch.from_numpy(targets))) == pytest.approx(sum(terms) / 7, abs=1e-6)


def test_focal_and_asymmetric_without_focus_are_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, shares = torch.randn(6, 3), torch.softmax(torch.randn(6, 3), 1)
    torch.testing.assert_close(losses.focal_loss(logits, shares, gamma=0.0), losses.soft_cross_entropy(logits, shares))
    labels = torch.randint(0, 2, (6, 3)).float()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    torch.testing.assert_close(losses.asymmetric_loss(logits, labels, gamma_negative=0.0, margin=0.0), plain)


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


def create(name: str) -> objectives.Loss:
    labels = np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32)
    return objectives.create_loss(LossSettings(name=name), labels)


@pytest.mark.parametrize("name", list(objectives.LOSSES))
def test_unknown_rows_change_nothing(name: str) -> None:
    """Pitfall 7: rows are selected; a masked product would move CCC and cross-entropy."""
    torch.manual_seed(0)
    outputs, shares = torch.randn(6, 2), torch.softmax(torch.randn(6, 2), 1)
    with_holes = shares.clone()
    with_holes[4:] = NAN
    assert create(name)(outputs, with_holes) == create(name)(outputs[:4], shares[:4])


@pytest.mark.parametrize("name", list(objectives.LOSSES))
def test_nothing_known_is_a_zero_with_a_gradient(name: str) -> None:
    outputs = torch.randn(3, 2, requires_grad=True)
    value = create(name)(outputs, torch.full((3, 2), NAN))
    value.backward()
    assert float(value.detach()) == 0
    assert outputs.grad is not None
    assert not outputs.grad.any()


@pytest.mark.parametrize("name", list(objectives.LOSSES))
def test_constant_outputs_have_a_finite_gradient(name: str) -> None:
    outputs = torch.zeros(4, 2, requires_grad=True)
    create(name)(outputs, torch.softmax(torch.randn(4, 2), 1)).backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


def test_task_weights() -> None:
    settings = {"a": LossSettings(name="bce"), "b": LossSettings(name="bce", weight=0.5)}
    rows = {"a": np.ones((8, 1), np.float32), "b": np.where(np.arange(8)[:, None] < 2, 1, NAN).astype(np.float32)}
    assert objectives.task_weights(settings, rows, "fixed") == {"a": 1.0, "b": 0.5}
    assert objectives.task_weights(settings, rows, "rows") == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("no_such_loss", {}, "no loss is named"),
        ("ccc", {"form": "D"}, "A, B or C"),
        ("soft_cross_entropy", {"class_weights": "median"}, "'max', 'mean' or 'total'"),
        ("bce", {"gamma": 2.0}, "does not accept these options"),
    ],
)
def test_slips_are_named(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        objectives.create_loss(LossSettings(name=name, options=options), np.ones((3, 2), np.float32))


def test_top_cross_entropy_is_that_of_the_most_voted_class() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0], [3.0, 3.0, 3.0]])
    shares = torch.tensor([[0.5, 0.4, 0.1], [0.5, 0.5, 0.0], [torch.nan] * 3])
    expected = torch.nn.functional.cross_entropy(logits[:2], torch.tensor([0, 0]))  # the first of equals
    torch.testing.assert_close(losses.top_cross_entropy(logits, shares), expected)
