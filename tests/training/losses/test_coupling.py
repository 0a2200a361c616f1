# SPDX-License-Identifier: Apache-2.0
"""Co-annotation and distribution matching of expressions and action units."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.losses.coupling import (  # noqa: E402 - needs torch
    RELATED_UNITS,
    co_annotate,
    matching_loss,
    relation,
    relation_tensor,
)

EXPRESSIONS, UNITS = ("neutral", "happiness", "surprise"), ("AU01", "AU02", "AU06", "AU12", "AU25", "AU26")


def test_co_annotation_fills_only_what_is_unknown() -> None:
    table = relation(EXPRESSIONS, UNITS)
    expression = np.array([[0, 1, 0], [np.nan] * 3, [1, 0, 0]], np.float32)
    units = np.array([[np.nan, np.nan, np.nan, 0, np.nan, np.nan], [1, 1, 0, 0, 1, 1], [np.nan] * 6], np.float32)
    filled, completed = co_annotate(expression, units, table, soft=False)
    assert filled[1].tolist() == [0, 0, 1]  # all units of surprise are there
    np.testing.assert_array_equal(completed[0], [np.nan, np.nan, np.nan, 0, 1, np.nan])  # AU12 was known to be absent
    assert np.isnan(completed[2]).all()  # neutral says nothing
    filled, completed = co_annotate(expression, units, table, soft=True)
    assert completed[0, 2] == pytest.approx(0.51)
    assert filled[1].sum() == pytest.approx(1)
    assert filled[1].argmax() == 2
    assert filled[1, 0] == 0


def test_matching_is_least_where_the_heads_agree() -> None:
    table = torch.from_numpy(relation(EXPRESSIONS, UNITS))
    happy = torch.tensor([[-9.0, 9.0, -9.0]])
    smile, gasp = torch.tensor([[-9.0, -9, 0, 9, 9, -9]]), torch.tensor([[9.0, 9, -9, -9, 9, 9]])
    assert matching_loss(happy, smile, table) < 0.5 * matching_loss(happy, gasp, table)
    logits = happy.clone().requires_grad_()
    matching_loss(logits, gasp, table).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] > logits.grad[0, 2]  # descending moves from happiness to surprise


def test_the_relation_follows_the_order_of_labels() -> None:
    table = relation(("surprise", "neutral", "happiness"), ("AU12", "AU26"))
    np.testing.assert_array_equal(table, np.array([[0, 1], [0, 0], [1, 0]], np.float32))
    torch.testing.assert_close(relation_tensor(EXPRESSIONS, UNITS), torch.from_numpy(relation(EXPRESSIONS, UNITS)))
    assert all(max(units.values()) == 1.0 for units in RELATED_UNITS.values()), "no prototypical unit"


def test_without_a_known_expression_there_is_nothing_to_match() -> None:
    logits = torch.zeros(2, 1, requires_grad=True)
    loss = matching_loss(logits, torch.randn(2, 2), relation_tensor(("neutral",), ("AU12", "AU26")))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_several_complete_expressions_give_no_hard_label() -> None:
    expressions, units = ("happiness", "surprise"), ("AU01", "AU02", "AU05", "AU06", "AU12", "AU25", "AU26")
    table = relation(expressions, units)
    everything = np.ones((1, len(units)), np.float32)
    filled, _ = co_annotate(np.full((1, 2), np.nan, np.float32), everything, table, soft=False)
    assert np.isnan(filled).all()


def test_the_given_labels_are_not_changed() -> None:
    table = relation(EXPRESSIONS, UNITS)
    expression, units = np.array([[0, 1, 0]], np.float32), np.full((1, 6), np.nan, np.float32)
    co_annotate(expression, units, table, soft=True)
    assert expression.tolist() == [[0, 1, 0]]
    assert np.isnan(units).all()
