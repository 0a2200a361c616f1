# SPDX-License-Identifier: Apache-2.0
"""Named heads: from features to the outputs of one task. Linear, MLP, recurrent and graph heads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.core import ConfigError, Registry
from mien.training.recipes.settings import HeadSettings

_SMALL_START = 0.1
_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


@dataclass(frozen=True, kw_only=True)
class Head:
    """One line of the table of heads.

    Attributes:
        name: what recipes write as ``kind``.
        target: ``"module:function"`` of (n_inputs, n_outputs, settings) that returns a module from (N, n_inputs) to
            (N, n_outputs).
        summary: one line for the docs.
    """

    name: str
    target: str
    summary: str


_HERE = "mien.training.models.heads"

HEADS = Registry(
    "head",
    (
        Head(name="linear", target=f"{_HERE}:linear_head", summary="one dense layer"),
        Head(name="mlp", target=f"{_HERE}:mlp_head", summary="dense layers of the widths in `hidden`, then one more"),
        Head(
            name="bounded",
            target=f"{_HERE}:bounded_head",
            summary="as linear, or as mlp where `hidden` is given, with a tanh behind: values in [-1, 1]",
        ),
        Head(
            name="intensity",
            target=f"{_HERE}:intensity_head",
            summary="the same with a sigmoid behind: intensities in [0, 1]",
        ),
        Head(
            name="recurrent",
            target="mien.training.models.heads:recurrent_head",
            summary="a GRU over the `steps` of a sequence, one layer for each width in `hidden`, then intensities",
        ),
        Head(
            name="unit_graph",
            target="mien.training.models.heads:unit_graph_head",
            summary="a graph of action units whose nodes have the width in `hidden`, as MCAN's",
        ),
        Head(
            name="attending",
            target="mien.training.models.heads:attending_head",
            summary="dense logits refined by attention to `steps` nodes, as MCAN's; `after = ['action_units nodes']`",
        ),
        Head(
            name="normalized",
            target="mien.training.models.heads:normalized_head",
            summary="one dense layer, batch normalisation and a tanh, as MCAN's",
        ),
    ),
)
"""Name -> `Head`."""


class BoundedLinear(nn.Linear):
    """A dense layer and a tanh."""

    def reset_parameters(self) -> None:
        """Small random weights: at the flat ends of the tanh nothing is learnt, least of all from a CCC."""
        super().reset_parameters()
        with torch.no_grad():
            self.weight.mul_(_SMALL_START)
            self.bias.zero_()

    def forward(self, features: Tensor) -> Tensor:
        """(N, n_inputs) to (N, n_outputs) in [-1, 1]."""
        return torch.tanh(super().forward(features))


def linear_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """One dense layer."""
    if settings.hidden:
        raise ConfigError("a linear head has no hidden layers; kind = 'mlp' has")
    return nn.Linear(n_inputs, n_outputs)


def mlp_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Dense layers with an activation, and dropout where asked for, between them."""
    if not settings.hidden:
        raise ConfigError("an mlp head needs hidden widths, for example hidden = [128]")
    if settings.activation not in _ACTIVATIONS:
        raise ConfigError(f"activation must be one of {sorted(_ACTIVATIONS)}, got {settings.activation!r}")
    layers: list[nn.Module] = []
    for width in settings.hidden:
        layers += [nn.Linear(n_inputs, width), _ACTIVATIONS[settings.activation]()]
        if settings.drop_rate:
            layers.append(nn.Dropout(settings.drop_rate))
        n_inputs = width
    return nn.Sequential(*layers, nn.Linear(n_inputs, n_outputs))


def bounded_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Outputs in [-1, 1]."""
    if settings.hidden:
        return nn.Sequential(mlp_head(n_inputs, n_outputs, settings), nn.Tanh())
    return BoundedLinear(n_inputs, n_outputs)


def intensity_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Outputs in [0, 1]."""
    head = mlp_head if settings.hidden else linear_head
    return nn.Sequential(head(n_inputs, n_outputs, settings), nn.Sigmoid())


def create_head(n_features: int, n_outputs: int, settings: HeadSettings, widths: dict[str, int]) -> nn.Module:
    """The head of one task; `head_inputs` cuts what it is fed.

    Args:
        n_features: width of the shared features.
        n_outputs: labels of the task.
        settings: of the head.
        widths: outputs of the tasks whose heads come first.

    Raises:
        ConfigError: the kind is unknown, ``columns`` are not among the features, or a task in ``after`` comes later.
    """
    width = len(range(n_features)[_columns(settings)])
    if not width:
        raise ConfigError(f"columns {settings.columns} are none of {n_features} features")
    missing = [task for task in settings.after if task not in widths]
    if missing:
        raise ConfigError(f"a head stands after {missing}, which have no head before it")
    width += sum(widths[task] for task in settings.after)
    head: nn.Module = HEADS.load(settings.kind)(width, n_outputs, settings)
    return head


def head_inputs(features: Tensor, settings: HeadSettings, outputs: dict[str, Tensor]) -> Tensor:
    """What a head sees: its columns of (N, D) features, then the outputs of earlier heads that it asks for."""
    parts = [features[:, _columns(settings)] if settings.columns else features]
    parts += [outputs[task] for task in settings.after]
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def _columns(settings: HeadSettings) -> slice:
    if not settings.columns:
        return slice(None)
    first, end = settings.columns
    return slice(first, end or None)


class RecurrentHead(nn.Module):
    """Gated recurrent layers over T steps, and intensities from the last layer's last state.

    Args:
        n_inputs: T D, step after step.
        n_outputs: intensities.
        steps: T.
        widths: of the layers.
    """

    def __init__(self, n_inputs: int, n_outputs: int, steps: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self._steps, self._n_values = steps, n_inputs // steps
        self._widths = widths
        sizes = (n_inputs // steps, *widths)
        self.cells = nn.ModuleList(nn.GRUCell(size, width) for size, width in zip(sizes, widths, strict=False))
        self.last = nn.Linear(widths[-1], n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, T D) to (N, n_outputs) in [0, 1]."""
        series = inputs.reshape(-1, self._steps, self._n_values).unbind(dim=1)
        for cell, width in zip(self.cells, self._widths, strict=True):
            state = torch.zeros_like(inputs[:, :1]).expand(-1, width)
            states = []
            for step in series:
                state = cell(step, state)
                states.append(state)
            series = tuple(states)
        return torch.sigmoid(self.last(series[-1]))


def recurrent_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """A `RecurrentHead` over ``steps``.

    Raises:
        ConfigError: there are no widths, or the vector is no whole number of steps.
    """
    if not settings.hidden or settings.steps < 1 or n_inputs % settings.steps:
        raise ConfigError(
            f"a recurrent head needs hidden widths, and steps that divide its input of {n_inputs}; "
            f"got hidden = {list(settings.hidden)}, steps = {settings.steps}"
        )
    return RecurrentHead(n_inputs, n_outputs, settings.steps, settings.hidden)


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
