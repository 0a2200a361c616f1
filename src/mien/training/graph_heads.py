# SPDX-License-Identifier: Apache-2.0
"""Heads of MCAN (Nguyen et al., arXiv 2207.10293): a graph of action units, and expressions that attend to it.

The paper leaves much open; each choice is named where it is made.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.core import ConfigError
from mien.training.settings import HeadSettings

_N_NEIGHBOURS = 4
_FIRST_SCALE = 10.0


class UnitGraphHead(nn.Module):
    """One node per action unit; nodes exchange messages with their nearest and are held against learnt centres.

    A node's neighbours are the 4 nodes whose centres are most like it (cosine). [choice] Messages are a dense layer of
    the neighbours' mean, added to a dense layer of the node itself, normalised over the batch, ReLU, with a residual;
    the logit is the cosine with the node's own centre times a learnt scale, plus a learnt shift.

    Args:
        n_inputs: D.
        n_units: K.
        width: W of a node.
    """

    def __init__(self, n_inputs: int, n_units: int, width: int) -> None:
        super().__init__()
        self.n_units, self.width = n_units, width
        self.project = nn.Linear(n_inputs, n_units * width)
        self.own, self.message = nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(n_units)
        self.centres = nn.Parameter(torch.randn(n_units, width) / width**0.5)
        self.scale = nn.Parameter(torch.full((n_units,), _FIRST_SCALE))
        self.shift = nn.Parameter(torch.zeros(n_units))

    def nodes(self, features: Tensor) -> Tensor:
        """(N, D) to (N, K, W)."""
        first = self.project(features).reshape(-1, self.n_units, self.width)
        likeness = functional.normalize(first, dim=2) @ functional.normalize(self.centres, dim=1).T
        nearest = likeness.topk(min(_N_NEIGHBOURS, self.n_units), dim=2).indices
        share = functional.one_hot(nearest, self.n_units).to(first.dtype).mean(dim=2)
        nodes: Tensor = first + torch.relu(self.norm(self.own(first) + self.message(share @ first)))
        return nodes

    def classify(self, nodes: Tensor) -> Tensor:
        """(N, K, W) to logits (N, K)."""
        likeness = (functional.normalize(nodes, dim=2) * functional.normalize(self.centres, dim=1)).sum(dim=2)
        return likeness * self.scale + self.shift

    def forward(self, features: Tensor) -> Tensor:
        """(N, D) to logits (N, K)."""
        return self.classify(self.nodes(features))


class AttendingHead(nn.Module):
    """Dense logits, refined by what additive attention draws from the nodes of a `UnitGraphHead`.

    [choice] The refinement is a dense layer of the attended mean of the nodes, added to the logits.

    Args:
        n_features: D.
        n_outputs: C.
        n_nodes: K.
        width: W of a node, and of the attention.
    """

    def __init__(self, n_features: int, n_outputs: int, n_nodes: int, width: int) -> None:
        super().__init__()
        self._split, self._n_nodes, self._width = n_features, n_nodes, width
        self.dense = nn.Linear(n_features, n_outputs)
        self.query, self.key = nn.Linear(width, width), nn.Linear(n_features, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.refine = nn.Linear(width, n_outputs, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, D + K W), features and then nodes, to logits (N, C)."""
        features, flat = inputs[:, : self._split], inputs[:, self._split :]
        nodes = flat.reshape(-1, self._n_nodes, self._width)
        weight = self.score(torch.tanh(self.query(nodes) + self.key(features)[:, None])).softmax(dim=1)
        logits: Tensor = self.dense(features) + self.refine((weight * nodes).sum(dim=1))
        return logits


def unit_graph_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """A `UnitGraphHead` whose nodes have the one width in ``hidden``."""
    return UnitGraphHead(n_inputs, n_outputs, _width(settings))


def attending_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """An `AttendingHead` over ``steps`` nodes of the one width in ``hidden``."""
    width = _width(settings)
    n_features = n_inputs - settings.steps * width
    if settings.steps < 1 or n_features < 1:
        raise ConfigError(f"steps = {settings.steps} nodes of width {width} do not fit into {n_inputs} inputs")
    return AttendingHead(n_features, n_outputs, settings.steps, width)


def normalized_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """A dense layer, batch normalisation and a tanh: outputs in [-1, 1]."""
    if settings.hidden:
        raise ConfigError("a normalized head has no hidden layers")
    # No bias: the normalisation would take it away again.
    return nn.Sequential(nn.Linear(n_inputs, n_outputs, bias=False), nn.BatchNorm1d(n_outputs), nn.Tanh())


def _width(settings: HeadSettings) -> int:
    if len(settings.hidden) != 1:
        raise ConfigError(f"a {settings.kind} head has one hidden width, got {list(settings.hidden)}")
    return settings.hidden[0]
