# SPDX-License-Identifier: Apache-2.0
"""Named heads: from features to the outputs of one task."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mien.core import ConfigError, Registry
from mien.training.settings import HeadSettings

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


_HERE = "mien.training.heads"

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
            target="mien.training.recurrent:recurrent_head",
            summary="a GRU over the `steps` of a sequence, one layer for each width in `hidden`, then intensities",
        ),
        Head(
            name="unit_graph",
            target="mien.training.graph_heads:unit_graph_head",
            summary="a graph of action units whose nodes have the width in `hidden`, as MCAN's",
        ),
        Head(
            name="attending",
            target="mien.training.graph_heads:attending_head",
            summary="dense logits refined by attention to `steps` nodes, as MCAN's; `after = ['action_units nodes']`",
        ),
        Head(
            name="normalized",
            target="mien.training.graph_heads:normalized_head",
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
