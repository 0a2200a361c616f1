# SPDX-License-Identifier: Apache-2.0
"""Heads of MCAN, as in its authors' code: a graph of action units, attention of expressions, a normalised dense layer.

Source: Nguyen et al., "Multi-task Cross Attention Network in Facial Behavior Analysis", arXiv 2207.10293, and its
public code; the graph is that of Luo et al., IJCAI 2022 (arXiv 2205.01782).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.core import ConfigError
from mien.training.recipes.settings import HeadSettings

_N_NEIGHBOURS = 4
# Keeps logits of similarities 0 and 1 finite.
_LEAST = 1e-6


def _dense(n_inputs: int, n_outputs: int, *, bias: bool = True) -> nn.Linear:
    """A dense layer with normal weights of variance 1 / n_outputs; before batch normalisation a bias has no effect."""
    layer = nn.Linear(n_inputs, n_outputs, bias=bias)
    nn.init.normal_(layer.weight, std=n_outputs**-0.5)
    return layer


class UnitGraphHead(nn.Module):
    """Graph with one node per action unit; nodes exchange messages and are compared with learned centres.

    A node is a dense layer of the features with dropout before and batch normalisation and ReLU after it. Its
    neighbours are the 4 nodes of the same sample with the largest inner product with it, itself among them; the
    adjacency is normalised by the degrees of both ends. The probability is the cosine similarity of the node, after
    the messages, to the positive part of its centre.

    Args:
        n_inputs: Number of features D.
        n_units: Number of action units K.
        width: Width W of a node; as many as features where published.
        drop_rate: Dropout before the dense layer of each node.
    """

    def __init__(self, n_inputs: int, n_units: int, width: int, *, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.n_units, self.width = n_units, width
        self.units = nn.ModuleList(
            nn.Sequential(nn.Dropout(drop_rate), _dense(n_inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())
            for _ in range(n_units)
        )
        self.message, self.own = nn.Linear(width, width), nn.Linear(width, width)
        for layer in (self.message, self.own):
            nn.init.normal_(layer.weight, std=(2 / width) ** 0.5)
        self.norm = nn.BatchNorm1d(n_units)
        self.centres = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_units, width)))

    def nodes(self, features: Tensor) -> Tensor:
        """Map features (N, D) to nodes (N, K, W) after the messages."""
        first = torch.stack([unit(features) for unit in self.units], dim=1)
        likeness = first.detach() @ first.detach().transpose(1, 2)
        nearest = likeness.topk(min(_N_NEIGHBOURS, self.n_units), dim=2).values[:, :, -1:]
        linked = (likeness >= nearest).to(first.dtype)
        scale = linked.sum(dim=2) ** -0.5
        share = scale[:, :, None] * linked * scale[:, None, :]
        received = share @ self.message(first)
        nodes: Tensor = torch.relu(first + self.norm(received + self.own(first)))
        return nodes

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, D) to logits (N, K)."""
        centres = functional.normalize(torch.relu(self.centres), dim=1)
        present = (functional.normalize(self.nodes(features), dim=2) * centres).sum(dim=2)
        present = present.clamp(_LEAST, 1 - _LEAST)
        return torch.log(present) - torch.log(1 - present)


class AttendingHead(nn.Module):
    """Dense logits of classes, each scaled by its share of the additive attention of the action units.

    The query is the probabilities of all units, keys and values are the logits of the classes.

    Args:
        n_features: Number of features D.
        n_outputs: Number of classes C.
        n_units: Number of action units K.
        width: Width of the attention.
    """

    def __init__(self, n_features: int, n_outputs: int, n_units: int, width: int) -> None:
        super().__init__()
        self._split = n_features
        self.dense = _dense(n_features, n_outputs)
        self.query, self.key = nn.Linear(n_units, width, bias=False), nn.Linear(1, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, D + K), features followed by logits of the units, to logits (N, C)."""
        features, units = inputs[:, : self._split], inputs[:, self._split :].sigmoid()
        logits: Tensor = self.dense(features)
        seen = torch.tanh(self.query(units)[:, None] + self.key(logits[:, :, None]))
        shares: Tensor = self.score(seen).squeeze(2).softmax(dim=1)
        return shares * logits


def unit_graph_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create a `UnitGraphHead` whose nodes have the single width in ``hidden``, or that of the features."""
    if len(settings.hidden) > 1:
        raise ConfigError(f"a unit_graph head has one hidden width or none, got {list(settings.hidden)}")
    width = settings.hidden[0] if settings.hidden else n_inputs
    return UnitGraphHead(n_inputs, n_outputs, width, drop_rate=settings.drop_rate)


def attending_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create an `AttendingHead` over ``steps`` action units; its attention has the single width in ``hidden``."""
    if len(settings.hidden) != 1:
        raise ConfigError(f"an attending head needs exactly one hidden width, got {list(settings.hidden)}")
    n_features = n_inputs - settings.steps
    if settings.steps < 1 or n_features < 1:
        raise ConfigError(f"steps = {settings.steps} action units do not fit into {n_inputs} inputs")
    return AttendingHead(n_features, n_outputs, settings.steps, settings.hidden[0])


def normalized_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create a dense layer, batch normalisation and a tanh, with outputs in [-1, 1]."""
    if settings.hidden:
        raise ConfigError("a normalized head has no hidden layers")
    return nn.Sequential(_dense(n_inputs, n_outputs, bias=False), nn.BatchNorm1d(n_outputs), nn.Tanh())
