# SPDX-License-Identifier: Apache-2.0
"""MCAN's graph of action units and attention, against the formulae of the paper's code written out for one sample."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from torch.nn import functional  # noqa: E402 - needs torch

from mien.training.models.mcan_heads import AttendingHead, UnitGraphHead  # noqa: E402 - needs torch


def test_nodes_receive_messages_from_their_nearest_neighbours() -> None:
    torch.manual_seed(0)
    head = UnitGraphHead(6, 5, 6).eval()
    features = torch.randn(3, 6)
    nodes = head.nodes(features)
    bn = (1 + head.norm.eps) ** 0.5  # batch normalisation of an untrained network in evaluation mode
    for row in range(3):
        first = torch.stack([unit(features[row][None])[0] for unit in head.units])
        similarity = first @ first.T
        linked = torch.stack([(own >= own.sort(descending=True).values[3]).float() for own in similarity])
        degree = linked.sum(dim=1)
        adjacency = linked / (degree[:, None] * degree[None]).sqrt()
        expected = torch.relu(first + (adjacency @ head.message(first) + head.own(first)) / bn)
        torch.testing.assert_close(nodes[row], expected)
    cosine = functional.cosine_similarity(nodes, torch.relu(head.centres)[None], dim=2)
    torch.testing.assert_close(head(features).sigmoid(), cosine.clamp(1e-6, 1 - 1e-6))


def test_classes_are_weighted_by_the_attention_of_the_units() -> None:
    torch.manual_seed(0)
    head = AttendingHead(4, 3, n_units=2, width=5)
    features, units = torch.randn(6, 4), torch.randn(6, 2)
    logits = head.dense(features)
    query, key = head.query.weight, head.key.weight[:, 0]
    for row in range(6):
        seen = torch.tanh(query @ units[row].sigmoid() + logits[row][:, None] * key)
        shares = (seen @ head.score.weight[0]).softmax(dim=0)
        got = head(torch.cat([features, units], dim=1))[row]
        torch.testing.assert_close(got, shares * logits[row])


def test_nodes_are_as_wide_as_the_features_unless_told_otherwise() -> None:
    from mien.training.models.heads import create_head
    from mien.training.recipes.settings import HeadSettings

    assert create_head(12, 3, HeadSettings(kind="unit_graph"), {}).width == 12
    assert create_head(12, 3, HeadSettings(kind="unit_graph", hidden=(5,)), {}).width == 5
