# SPDX-License-Identifier: Apache-2.0
"""Heads: shapes and ranges of all, recurrence, and settings that do not fit."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from torch import nn  # noqa: E402 - needs torch

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.models.heads import (  # noqa: E402 - needs torch
    HEADS,
    BoundedLinear,
    RecurrentHead,
    create_head,
    head_inputs,
)
from mien.training.recipes.settings import HeadSettings  # noqa: E402 - needs torch

# Settings with which each kind maps 12 inputs to 3 outputs, and the range of its outputs.
KINDS = {
    "linear": ({}, None),
    "mlp": ({"hidden": (5, 4)}, None),
    "bounded": ({}, (-1, 1)),
    "separate": ({"hidden": (4,)}, None),
    "intensity": ({}, (0, 1)),
    "recurrent": ({"hidden": (5, 4), "steps": 4}, (0, 1)),
    "unit_graph": ({"hidden": (4,)}, None),
    "attending": ({"hidden": (4,), "steps": 2}, None),
    "normalized": ({}, (-1, 1)),
    "branches": ({"hidden": (8, 8), "steps": 2, "branches": (8, 4)}, (0, 1)),
    "scaled": ({"unit": 0.5}, None),
    "offset": ({"unit": 0.5}, None),
    "places": ({"unit": 0.5}, (0, 1)),
}

# The cells of a detector pass their head unchanged (tests/training/models/backbones/test_face_grid.py); windows have
# more outputs than labels (tests/training/models/test_point_heads.py).
OF_FEATURES = [kind for kind in HEADS if kind not in ("cells", "windows")]


@pytest.mark.parametrize("kind", OF_FEATURES)
def test_every_kind_maps_inputs_to_outputs_within_its_range(kind: str) -> None:
    options, bounds = KINDS[kind]
    torch.manual_seed(0)
    head = create_head(12, 3, HeadSettings(kind=kind, **options), {})
    outputs = head(50 * torch.randn(64, 12))
    assert outputs.shape == (64, 3)
    assert outputs.std() > 0
    if bounds is not None:
        assert bounds[0] <= outputs.min() < outputs.max() <= bounds[1]
    else:
        assert outputs.abs().max() > 1


@pytest.mark.parametrize("kind", OF_FEATURES)
def test_the_gradient_reaches_every_parameter(kind: str) -> None:
    torch.manual_seed(0)
    head = create_head(12, 3, HeadSettings(kind=kind, **KINDS[kind][0]), {})
    (head(torch.randn(16, 12)) * torch.randn(16, 3)).sum().backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("kind", ["bounded", "intensity"])
def test_hidden_widths_become_dense_layers(kind: str) -> None:
    head = create_head(6, 2, HeadSettings(kind=kind, hidden=(5, 4), activation="gelu", drop_rate=0.5), {})
    dense = [(part.in_features, part.out_features) for part in head.modules() if isinstance(part, nn.Linear)]
    assert dense == [(6, 5), (5, 4), (4, 2)]
    assert sum(isinstance(part, nn.Dropout) for part in head.modules()) == 2
    assert sum(isinstance(part, nn.GELU) for part in head.modules()) == 2


def test_a_bounded_layer_starts_near_zero() -> None:
    torch.manual_seed(0)
    layer, plain = BoundedLinear(64, 2), nn.Linear(64, 2)
    assert not layer.bias.any()
    assert layer.weight.abs().max() < 0.2 * plain.weight.abs().max()


def test_recurrence_is_that_of_a_gru() -> None:
    torch.manual_seed(0)
    head, gru = RecurrentHead(5 * 3, 2, steps=5, widths=(4, 6)), nn.GRU(3, 4, batch_first=True)
    second = nn.GRU(4, 6, batch_first=True)
    for cell, layer in zip(head.cells, (gru, second), strict=True):
        layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    inputs = torch.randn(7, 15)
    states, _ = second(gru(inputs.reshape(7, 5, 3))[0])
    torch.testing.assert_close(head(inputs), torch.sigmoid(head.last(states[:, -1])))


def test_a_head_sees_its_columns_and_the_outputs_of_earlier_heads() -> None:
    settings = HeadSettings(columns=(2, 5), after=("expression",))
    features, outputs = torch.arange(12.0).reshape(2, 6), {"expression": torch.ones(2, 2)}
    inputs = head_inputs(features, settings, outputs)
    assert inputs.tolist() == [[2, 3, 4, 1, 1], [8, 9, 10, 1, 1]]
    assert create_head(6, 1, settings, {"expression": 2}).in_features == 5
    to_the_end = HeadSettings(columns=(4, 0))
    assert head_inputs(features, to_the_end, {}).tolist() == [[4, 5], [10, 11]]
    assert head_inputs(features, HeadSettings(), {}) is features


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "no_such_head"}, "no head is named 'no_such_head'"),
        ({"kind": "linear", "hidden": (3,)}, "a linear head has no hidden layers"),
        ({"kind": "mlp"}, "an mlp head needs hidden widths"),
        ({"kind": "recurrent", "hidden": (3,), "steps": 5}, "steps that divide its input of 12"),
        ({"kind": "recurrent", "steps": 4}, "a recurrent head needs hidden widths"),
        ({"kind": "unit_graph", "hidden": (3, 4)}, "a unit_graph head has one hidden width or none"),
        ({"kind": "attending", "hidden": (4,), "steps": 12}, "do not fit into 12 inputs"),
        ({"kind": "branches", "hidden": (4,), "steps": 5}, "do not fit into 12 inputs"),
        ({"kind": "branches", "hidden": (4, 8), "steps": 2}, "one or more equal hidden widths"),
        ({"kind": "normalized", "hidden": (4,)}, "a normalized head has no hidden layers"),
        ({"columns": (12, 20)}, r"columns \(12, 20\) are not within 12 features"),
        ({"after": ("valence_arousal",)}, "which have no head before it"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_head(12, 3, HeadSettings(**settings), {})


@pytest.mark.parametrize("kind", ["linear", "bounded", "mlp", "intensity"])
def test_heads_may_start_as_in_keras(kind: str) -> None:
    """Glorot uniform kernels: within sqrt(6 / (n_in + n_out)), of that variance; zero biases."""
    torch.manual_seed(0)
    hidden = (128,) if kind == "mlp" else ()
    head = create_head(300, 100, HeadSettings(kind=kind, hidden=hidden, start="glorot"), {})
    layers = [part for part in head.modules() if isinstance(part, nn.Linear)]
    assert len(layers) == 1 + len(hidden)
    for layer in layers:
        limit = (6 / (layer.in_features + layer.out_features)) ** 0.5
        assert 0.97 * limit < float(layer.weight.detach().abs().max()) <= limit
        assert float(layer.weight.detach().std()) == pytest.approx(limit / 3**0.5, rel=0.02)
        assert not layer.bias.any()


def test_outputs_of_a_separate_head_share_no_weights() -> None:
    head = create_head(12, 3, HeadSettings(kind="separate", hidden=(4,)), {})
    head(torch.randn(5, 12))[:, 1].sum().backward()
    first, last = head[0], head[3]
    assert first.weight.grad[:4].abs().sum() == first.weight.grad[8:].abs().sum() == 0
    assert first.weight.grad[4:8].abs().sum() > 0
    assert [bool(row.any()) for row in last.weight.grad] == [False, True, False]
    with pytest.raises(ConfigError, match="one hidden width"):
        create_head(12, 3, HeadSettings(kind="separate", hidden=(4, 4)), {})
