# SPDX-License-Identifier: Apache-2.0
"""Start weights from a bundle: its graph has no batch normalisation any more, which training needs back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.core import ConfigError, ModelError
from mien.inference import create_session, find_bundle, load_spec
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.training_set import TrainingSet
from mien.training.engine.checkpoint import Checkpoint, Progress, save_checkpoint
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe

_N_FACES = 256
_N_COMPARED = 16
_LEAST_CORRELATION = 0.999


def start_from_bundle(bundle: str | Path, recipe: Recipe, samples: TrainingSet, path: str | Path) -> None:
    """Write a checkpoint for ``[model] start`` whose backbone computes what that of a bundle computes.

    The export of a bundle folds each batch normalisation into the convolution before it. It is put back with the
    statistics of some training faces: the network still computes the same, and trains as any other. Of a joined bundle,
    the network that has the backbone of the recipe counts.

    Args:
        bundle: Name or folder of a bundle that mien exported with features, not quantized.
        recipe: Recipe with the backbone of the bundle and its normalisation of pixels; its heads start again.
        samples: Faces of which the first 256 give the statistics.
        path: File of the checkpoint.

    Raises:
        ConfigError: The recipe has another backbone or another normalisation of pixels.
        ModelError: The bundle is missing or damaged, or its graph has no weights under the names of the backbone.
        OutputError: The file cannot be written.
    """
    load_spec(bundle, kind="affect")
    own = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, start="scratch"))
    network = AffectNetwork(own, samples.labels).eval()
    graph, arrays = _fitting_part(bundle, network)
    _check_pixels(arrays, network, bundle)
    inputs = torch.from_numpy(clean_inputs(samples, own, np.arange(min(_N_FACES, len(samples)))))
    with torch.no_grad():
        _fill(network, arrays, inputs, bundle)
    _compare(network, graph, own, samples, bundle)
    checkpoint = Checkpoint(
        recipe=json.dumps(dataclasses.asdict(own)),
        labels={task: list(names) for task, names in samples.labels.items()},
        progress=Progress(stage=len(own.stages)),
        network=network.state_dict(),
        average=None,
        optimizer={},
        best=None,
    )
    save_checkpoint(Path(path), checkpoint)


def _fitting_part(bundle: str | Path, network: AffectNetwork) -> tuple[bytes, dict[str, Tensor]]:
    """Graph and weights of the bundle, or of that network of a joined one that has most weights of this backbone.

    Raises:
        ConfigError: None has any.
    """
    import onnx
    from onnx import numpy_helper

    from mien.training.export.joined_bundles import joined_parts
    from mien.training.export.quantize import widen_weights

    shapes = {name: p.shape for name, p in network.named_parameters() if name.startswith("backbone.")}
    found = []
    for graph in map(widen_weights, joined_parts((find_bundle(bundle) / "model.onnx").read_bytes())):
        tensors = onnx.load_from_string(graph).graph.initializer
        arrays = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in tensors}
        n_shared = sum(arrays[name].shape == shape for name, shape in shapes.items() if name in arrays)
        found.append((n_shared, graph, arrays))
    n_shared, graph, arrays = max(found, key=lambda part: part[0])
    if not n_shared:
        raise ConfigError(f"{bundle} has another backbone than the recipe, or is no export in float32")
    return graph, arrays


def _check_pixels(arrays: Mapping[str, Tensor], network: AffectNetwork, bundle: str | Path) -> None:
    for name, own in (("pixel_mean", network.pixel_mean), ("pixel_std", network.pixel_std)):
        if name not in arrays or arrays[name].shape != own.shape or not torch.allclose(arrays[name].float(), own):
            found = arrays[name].flatten().tolist() if name in arrays else "none"
            raise ConfigError(
                f"{bundle} has {name} {found}, the recipe {own.flatten().tolist()}; set mean and std to it"
            )


def _fill(network: AffectNetwork, arrays: Mapping[str, Tensor], inputs: Tensor, bundle: str | Path) -> None:
    """Copy the weights of the backbone, and set each batch normalisation while the faces pass it."""
    biases: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if not name.startswith("backbone.") or isinstance(module, nn.BatchNorm2d):
            continue
        for kind, parameter in module.named_parameters(recurse=False):
            key = f"{name}.{kind}"
            if key not in arrays or arrays[key].shape != parameter.shape:
                raise ConfigError(
                    f"{bundle} has no weights {key} {tuple(parameter.shape)}: it has another backbone, or "
                    "is no export in float32"
                )
            parameter.copy_(arrays[key].float())
        folded = f"{name}.weight_bias"
        if folded in arrays:
            biases[name] = arrays[folded].float()
    latest: list[str] = []
    handles: list[Any] = []

    def passed(name: str) -> Callable[..., None]:
        return lambda *_: latest.append(name)

    def restore(name: str) -> Callable[..., None]:
        def hook(norm: nn.BatchNorm2d, arguments: tuple[Tensor, ...]) -> None:
            bias = biases.pop(latest[-1], None) if latest else None
            if bias is None:
                raise ModelError(f"{bundle}: its graph has no folded bias of {name}; it was exported otherwise")
            _set_statistics(norm, arguments[0], bias)

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(passed(name)))
        elif isinstance(module, nn.BatchNorm2d):
            handles.append(module.register_forward_pre_hook(restore(name)))
    try:
        network.embed(inputs)
    finally:
        for handle in handles:
            handle.remove()


def _set_statistics(norm: nn.BatchNorm2d, values: Tensor, bias: Tensor) -> None:
    """Give a batch normalisation the statistics of (N, C, H, W) values, and make it add the bias and nothing else."""
    if norm.running_mean is None or norm.running_var is None:
        raise ModelError("a batch normalisation without running statistics cannot be restored")
    mean, variance = values.mean(dim=(0, 2, 3)), values.var(dim=(0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean + bias)


def _compare(network: AffectNetwork, graph: bytes, recipe: Recipe, samples: TrainingSet, bundle: str | Path) -> None:
    """Refuse a network whose features differ from those of the bundle's graph, which takes crops as mien exports do."""
    import onnx

    spec = load_spec(bundle, kind="affect")
    shape = onnx.load_from_string(graph).graph.input[0].type.tensor_type.shape
    side_px = max(dim.dim_value for dim in shape.dim)
    crops = clean_inputs(samples, recipe, np.arange(min(_N_COMPARED, len(samples))), size_px=side_px)
    expected = create_session(graph, threads=1).run({spec.input.name: np.asarray(crops, np.uint8)})
    if spec.features not in expected:
        raise ModelError(f"{bundle}: has no features to compare with; export it with features = true")
    with torch.inference_mode():
        *_, features = network(torch.from_numpy(crops))
    found, features_of_graph = features.numpy(), expected[spec.features]
    if (
        found.shape != features_of_graph.shape
        or np.corrcoef(found.ravel(), features_of_graph.ravel())[0, 1] < _LEAST_CORRELATION
    ):
        raise ConfigError(
            f"{bundle} and the recipe's {recipe.model.backbone} compute different features; the options of "
            "the backbone must be those that the bundle was trained with"
        )
