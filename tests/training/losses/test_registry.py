# SPDX-License-Identifier: Apache-2.0
"""Properties that every registered loss shares, and weights from label counts."""

import dataclasses
import math

import numpy as np
import pytest

from mien.core import ConfigError
from mien.training.recipes.settings import HeadSettings, LossSettings

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.losses import registry  # noqa: E402 - needs torch

NAN = math.nan


REPEATS = {"landmark_distance": 68}
"""Loss -> how often it has two columns, where not once."""

OF_COLUMNS = [name for name in registry.LOSSES if name not in ("detection", "window_detection", "index_cross_entropy")]
"""Losses of rows of columns; the others have tests of their own (`test_detection_loss`, `test_window_loss`,
`test_identity_training`)."""


def create(name: str) -> registry.Loss:
    labels = np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32)
    return registry.create_loss(LossSettings(name=name), np.tile(labels, REPEATS.get(name, 1)))


def n_columns(name: str) -> int:
    return 2 * REPEATS.get(name, 1)


@pytest.mark.parametrize("name", OF_COLUMNS)
def test_unknown_rows_change_nothing(name: str) -> None:
    """Pitfall 7: rows are selected; a masked product would move CCC and cross-entropy."""
    torch.manual_seed(0)
    outputs, shares = torch.randn(6, n_columns(name)), torch.softmax(torch.randn(6, n_columns(name)), 1)
    with_holes = shares.clone()
    with_holes[4:] = NAN
    assert create(name)(outputs, with_holes) == create(name)(outputs[:4], shares[:4])


@pytest.mark.parametrize("name", OF_COLUMNS)
def test_nothing_known_is_a_zero_with_a_gradient(name: str) -> None:
    outputs = torch.randn(3, n_columns(name), requires_grad=True)
    value = create(name)(outputs, torch.full((3, n_columns(name)), NAN))
    value.backward()
    assert float(value.detach()) == 0
    assert outputs.grad is not None
    assert not outputs.grad.any()


@pytest.mark.parametrize("name", OF_COLUMNS)
def test_constant_outputs_have_a_finite_gradient(name: str) -> None:
    outputs = torch.zeros(4, n_columns(name), requires_grad=True)
    create(name)(outputs, torch.softmax(torch.randn(4, n_columns(name)), 1)).backward()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


def test_weighted_bce_is_the_product_form() -> None:
    targets = np.array([[1, 0], [0, 0], [0, 1], [0, NAN]], np.float32)
    loss = registry.create_loss(LossSettings(name="weighted_bce"), targets)
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


def test_task_weights() -> None:
    settings = {"a": LossSettings(name="bce"), "b": LossSettings(name="bce", weight=0.5)}
    rows = {"a": np.ones((8, 1), np.float32), "b": np.where(np.arange(8)[:, None] < 2, 1, NAN).astype(np.float32)}
    assert registry.task_weights(settings, rows, "fixed") == {"a": 1.0, "b": 0.5}
    assert registry.task_weights(settings, rows, "rows") == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("no_such_loss", {}, "no loss is named"),
        ("ccc", {"form": "D"}, "A, B or C"),
        ("landmark_distance", {}, "136 columns"),
        ("soft_cross_entropy", {"class_weights": "median"}, "'max', 'mean', 'total' or 'effective'"),
        ("bce", {"gamma": 2.0}, "does not accept these options"),
    ],
)
def test_unknown_names_and_options_are_refused(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        registry.create_loss(LossSettings(name=name, options=options), np.ones((3, 2), np.float32))


@pytest.mark.parametrize("name", OF_COLUMNS)
def test_a_better_prediction_has_a_lower_loss(name: str) -> None:
    shares = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]]).repeat(1, REPEATS.get(name, 1))
    right, wrong = torch.logit(shares), -torch.logit(shares)
    assert create(name)(right, shares) < create(name)(wrong, shares)


@pytest.mark.parametrize("name", ["soft_cross_entropy", "top_cross_entropy", "focal"])
def test_class_weights_come_from_the_training_labels(name: str) -> None:
    labels = np.array([[1, 0]] * 3 + [[0, 1]], np.float32)
    weighted = registry.create_loss(LossSettings(name=name, options={"class_weights": "max"}), labels)
    plain = registry.create_loss(LossSettings(name=name), labels)
    outputs = torch.tensor([[0.2, -0.4]])
    for target, weight in (([[1.0, 0.0]], 1.0), ([[0.0, 1.0]], 3.0)):
        expected = weight * plain(outputs, torch.tensor(target))
        torch.testing.assert_close(weighted(outputs, torch.tensor(target)), expected)


def test_pearson_needs_one_weight_per_column() -> None:
    settings = LossSettings(name="pearson", options={"column_weights": (1.0, 2.0, 3.0)})
    with pytest.raises(ConfigError, match="2 columns and 3 column_weights"):
        registry.create_loss(settings, np.ones((3, 2), np.float32))


def test_the_kernel_penalty_leaves_biases_out() -> None:
    head = torch.nn.Linear(2, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, -2.0]]))
        head.bias.fill_(9.0)
    settings = dataclasses.replace(HeadSettings(), l2=0.1)
    assert float(registry.kernel_penalty(head, settings).detach()) == pytest.approx(0.5)


def test_logit_adjustment_adds_frequencies_in_the_loss_alone() -> None:
    labels = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [NAN, NAN]], np.float32)
    adjusted = registry.create_loss(LossSettings(name="soft_cross_entropy", options={"logit_adjustment": 0.5}), labels)
    plain = registry.create_loss(LossSettings(name="soft_cross_entropy"), labels)
    logits, targets = torch.randn(4, 2), torch.from_numpy(labels[:4])
    offsets = 0.5 * torch.tensor([0.75, 0.25]).log()
    torch.testing.assert_close(adjusted(logits, targets), plain(logits + offsets, targets))
