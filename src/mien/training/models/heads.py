# SPDX-License-Identifier: Apache-2.0
"""Registry of heads, which map features to the outputs of one task, and the linear, MLP and recurrent ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mien.core import ConfigError, Registry
from mien.training.recipes.settings import HeadSettings

_SMALL_START = 0.1
_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


@dataclass(frozen=True, kw_only=True)
class Head:
    """One entry of the registry of heads.

    Attributes:
        name: Value of ``kind`` in a recipe.
        target: ``"module:function"`` of (n_inputs, n_outputs, settings) that returns a module from (N, n_inputs) to
            (N, n_outputs).
        summary: One-line description for the docs.
    """

    name: str
    target: str
    summary: str


_HERE = "mien.training.models.heads"

HEADS = Registry(
    "head",
    (
        Head(name="linear", target=f"{_HERE}:linear_head", summary="one dense layer"),
        Head(
            name="mlp",
            target=f"{_HERE}:mlp_head",
            summary="dense layers with the widths in `hidden` and an output layer",
        ),
        Head(
            name="bounded",
            target=f"{_HERE}:bounded_head",
            summary="linear, or mlp if `hidden` is given, followed by a tanh: values in [-1, 1]",
        ),
        Head(
            name="separate",
            target=f"{_HERE}:separate_head",
            summary="for each output two dense layers of its own, the first with the one width in `hidden`",
        ),
        Head(
            name="intensity",
            target=f"{_HERE}:intensity_head",
            summary="linear, or mlp if `hidden` is given, followed by a sigmoid: intensities from 0 to `unit`",
        ),
        Head(
            name="recurrent",
            target=f"{_HERE}:recurrent_head",
            summary="GRU over the `steps` of a sequence, one layer per width in `hidden`; intensities in [0, 1]",
        ),
        Head(
            name="unit_graph",
            target="mien.training.models.mcan_heads:unit_graph_head",
            summary="graph of action units, whose nodes are as wide as the features or as `hidden`; MCAN",
        ),
        Head(
            name="attending",
            target="mien.training.models.mcan_heads:attending_head",
            summary="dense logits, weighted by the attention of `steps` action units; `after = ['action_units']`; MCAN",
        ),
        Head(
            name="normalized",
            target="mien.training.models.mcan_heads:normalized_head",
            summary="one dense layer, batch normalisation and a tanh, as in MCAN",
        ),
        Head(
            name="branches",
            target="mien.training.models.branch_transformer:branches_head",
            summary="a temporal transformer over the `steps` of each stretch of the vectors, one layer per width in "
            "`hidden`; `branch_drop`; intensities in [0, 1]",
        ),
        Head(
            name="scaled",
            target="mien.training.models.scaled_heads:scaled_head",
            summary="one dense layer times `unit`",
        ),
        Head(
            name="offset",
            target="mien.training.models.scaled_heads:offset_head",
            summary="the last columns, moved by `unit` times a dense layer of the others",
        ),
        Head(
            name="places",
            target="mien.training.models.point_heads:places_head",
            summary="dense layers and a tanh times `unit` about the middle of the crop: places as fractions of its "
            "side; as published with a `unit` of 0.5",
        ),
        Head(
            name="windows",
            target="mien.training.models.point_heads:windows_head",
            summary="dense layers and one logit for each part and window of a grid of `steps` by `steps`; the labels "
            "are x and y of the parts' centres",
        ),
        Head(
            name="cells",
            target="mien.training.models.backbones.face_grid:cells_head",
            summary="the cells of a detector as the backbone gives them",
        ),
    ),
)
"""Registry of `Head` by name."""


class BoundedLinear(nn.Linear):
    """Dense layer with a tanh and small initial weights."""

    def reset_parameters(self) -> None:
        """Initialize with small random weights, since a saturated tanh has no gradient, above all under a CCC loss."""
        super().reset_parameters()
        with torch.no_grad():
            self.weight.mul_(_SMALL_START)
            self.bias.zero_()

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, n_inputs) to (N, n_outputs) in [-1, 1]."""
        return torch.tanh(super().forward(features))


class _ScaledSigmoid(nn.Module):
    """A sigmoid times the highest value."""

    def __init__(self, highest: float) -> None:
        super().__init__()
        self._highest = highest

    def forward(self, values: Tensor) -> Tensor:
        """Map (N, L) to (0, highest)."""
        bounded = torch.sigmoid(values)
        return bounded if self._highest == 1 else bounded * self._highest


def linear_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create one dense layer."""
    if settings.hidden:
        raise ConfigError("a linear head has no hidden layers; use kind = 'mlp'")
    return nn.Linear(n_inputs, n_outputs)


def mlp_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create dense layers with an activation and, if ``drop_rate`` is set, dropout between them."""
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
    """Create a head with outputs in [-1, 1]."""
    if settings.hidden:
        return nn.Sequential(mlp_head(n_inputs, n_outputs, settings), nn.Tanh())
    return BoundedLinear(n_inputs, n_outputs)


def separate_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create two dense layers for each output, which no two outputs share."""
    if len(settings.hidden) != 1 or settings.activation not in _ACTIVATIONS:
        raise ConfigError(f"a separate head needs one hidden width and an activation, got {list(settings.hidden)}")
    width = settings.hidden[0] * n_outputs
    return nn.Sequential(
        nn.Linear(n_inputs, width),
        _ACTIVATIONS[settings.activation](),
        nn.Unflatten(1, (width, 1)),
        nn.Conv1d(width, n_outputs, 1, groups=n_outputs),
        nn.Flatten(),
    )


def intensity_head(n_inputs: int, n_outputs: int, settings: HeadSettings) -> nn.Module:
    """Create a head with outputs in [0, ``unit``]."""
    head = mlp_head if settings.hidden else linear_head
    return nn.Sequential(head(n_inputs, n_outputs, settings), _ScaledSigmoid(settings.unit))


def create_head(n_features: int, n_outputs: int, settings: HeadSettings, widths: dict[str, int]) -> nn.Module:
    """Create the head of one task; `head_inputs` selects its inputs.

    Args:
        n_features: Number of shared features.
        n_outputs: Number of labels of the task.
        settings: Settings of the head.
        widths: Number of outputs of each task whose head comes earlier.

    Raises:
        ConfigError: The kind is unknown, ``columns`` are out of range, or a task in ``after`` comes later.
    """
    width = len(range(n_features)[_columns(settings)])
    if not width:
        raise ConfigError(f"columns {settings.columns} are not within {n_features} features")
    missing = [task for task in settings.after if task not in widths]
    if missing:
        raise ConfigError(f"a head comes after {missing}, which have no head before it")
    width += sum(widths[task] for task in settings.after)
    head: nn.Module = HEADS.load(settings.kind)(width, n_outputs, settings)
    if settings.start == "glorot":
        init_glorot(head)
    return head


def init_glorot(module: nn.Module) -> None:
    """Initialize matrices with Keras' default, Glorot uniform, and their biases with zeros."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def head_inputs(features: Tensor, settings: HeadSettings, outputs: dict[str, Tensor]) -> Tensor:
    """Concatenate the inputs of a head: its columns of the features and the outputs of the tasks in ``after``.

    Args:
        features: (N, D) shared features.
        settings: Settings of the head.
        outputs: Outputs (N, L) of earlier heads by task.
    """
    parts = [features[:, _columns(settings)] if settings.columns else features]
    parts += [outputs[task] for task in settings.after]
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def _columns(settings: HeadSettings) -> slice:
    if not settings.columns:
        return slice(None)
    first, end = settings.columns
    return slice(first, end or None)


class RecurrentHead(nn.Module):
    """GRU layers over T steps, and intensities from the last state of the last layer.

    Args:
        n_inputs: Number of inputs T D, step after step.
        n_outputs: Number of intensities.
        steps: Number of steps T.
        widths: Width of each layer.
    """

    def __init__(self, n_inputs: int, n_outputs: int, steps: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self._steps, self._n_values = steps, n_inputs // steps
        self._widths = widths
        sizes = (n_inputs // steps, *widths)
        self.cells = nn.ModuleList(nn.GRUCell(size, width) for size, width in zip(sizes, widths, strict=False))
        self.last = nn.Linear(widths[-1], n_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (N, T D) to (N, n_outputs) in [0, 1]."""
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
    """Create a `RecurrentHead` over ``steps``.

    Raises:
        ConfigError: There are no widths, or the number of inputs is not a multiple of ``steps``.
    """
    if not settings.hidden or settings.steps < 1 or n_inputs % settings.steps:
        raise ConfigError(
            f"a recurrent head needs hidden widths, and steps that divide its input of {n_inputs}; "
            f"got hidden = {list(settings.hidden)}, steps = {settings.steps}"
        )
    return RecurrentHead(n_inputs, n_outputs, settings.steps, settings.hidden)
