# SPDX-License-Identifier: Apache-2.0
"""Comparison of two networks by one random state: layers by the order of their calls, and what is not the same."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from torch import nn  # noqa: E402 - needs torch

from benchmarks.parity import (  # noqa: E402 - needs torch
    LIMIT,
    Difference,
    authors_modules,
    called_layers,
    copy_layers,
    find_checkout,
    main,
    randomize,
    relative,
)
from mien.core import ConfigError  # noqa: E402 - needs torch


class Theirs(nn.Module):
    """Layers in another order than they are called in, and one that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.unused = nn.Linear(5, 2), nn.Linear(3, 5)
        self.norm, self.first = nn.BatchNorm1d(5), nn.Linear(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.norm(self.first(x)))


def test_states_are_copied_in_the_order_of_the_calls() -> None:
    torch.manual_seed(0)
    theirs, ours = Theirs(), nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))
    randomize(theirs, torch.Generator().manual_seed(1))
    inputs = torch.randn(4, 3)
    layers = called_layers(theirs.eval(), lambda net: net(inputs))
    assert layers == [theirs.first, theirs.norm, theirs.last]
    assert relative(theirs(inputs), ours.eval()(inputs)) > LIMIT
    copy_layers(layers, called_layers(ours.eval(), lambda net: net(inputs)))
    assert relative(theirs(inputs), ours(inputs)) < LIMIT
    theirs.train()
    ours.train()
    assert relative(theirs(inputs), ours(inputs)) < LIMIT
    assert relative(theirs.norm.running_mean, ours[1].running_mean) < LIMIT
    with torch.no_grad():
        ours[2].bias.add_(1e-3)
    assert not Difference("x", "y", relative(theirs.eval()(inputs), ours.eval()(inputs))).passed


def test_a_bias_before_batch_normalisation_moves_into_its_mean() -> None:
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
    ours = nn.Sequential(nn.Linear(3, 5, bias=False), nn.BatchNorm1d(5))
    randomize(theirs, torch.Generator().manual_seed(1))
    copy_layers(list(theirs), list(ours))
    inputs = torch.randn(6, 3)
    for training in (False, True):
        assert relative(theirs.train(training)(inputs), ours.train(training)(inputs)) < LIMIT


def test_other_layers_are_named() -> None:
    with pytest.raises(ConfigError, match="calls 1 layers with weights, ours 2"):
        copy_layers([nn.Linear(2, 2)], [nn.Linear(2, 2), nn.Linear(2, 2)])
    with pytest.raises(ConfigError, match="layer 0 has"):
        copy_layers([nn.Linear(2, 2)], [nn.Linear(2, 3)])


def test_checkouts_are_found_and_forgotten(tmp_path: Path) -> None:
    root = tmp_path / "their code"
    (root / "networks").mkdir(parents=True)
    (root / "networks" / "DDAM.py").write_text("value = 3\n")
    (root / "model.py").write_text("from turtle import forward\nvalue = 4\n")
    assert find_checkout(tmp_path, "networks/DDAM.py") == root
    assert find_checkout(tmp_path, "mobilefacenet.py") is None
    with authors_modules(root, ["networks.DDAM", "model"]) as modules:
        assert [module.value for module in modules] == [3, 4]
    import sys

    assert not {"model", "networks.DDAM"} & set(sys.modules)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        main(["--authors", str(tmp_path / "nowhere")])


def test_a_missing_checkout_is_no_pass() -> None:
    assert not Difference("DDAMFN", "no networks/DDAM.py", float("nan")).passed
