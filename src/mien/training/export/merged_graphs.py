# SPDX-License-Identifier: Apache-2.0
"""Merges the graph of a head into that of the frozen bundle whose outputs it reads, and checks graphs put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import torch
from onnx import compose, helper, version_converter

from mien.core import ConfigError, Float32, ModelError, ModelSpec
from mien.inference import Bundle, create_session, prepare
from mien.training.export.onnx_export import GRAPH_INPUT, MAX_PARITY_GAP, OPSET, strip_debug_info
from mien.training.models.network import AffectNetwork
from mien.training.recipes.settings import ModelSettings

_BACKBONE, _HEAD = "backbone/", "head/"


def merge_graphs(backbone: Bundle, head: bytes, names: tuple[str, ...], model: ModelSettings) -> bytes:
    """Merge a head into the graph of the bundle whose features and raw scores are its inputs.

    Args:
        backbone: Frozen bundle.
        head: ONNX model of a network of vectors, as `export_onnx` creates it.
        names: Outputs of the head that the merged graph has; the features follow.
        model: Settings with the stretches of the head's vector.

    Raises:
        ConfigError: The bundle lacks an input of the head.
        ModelError: The two graphs do not fit together.
    """
    bundle_graph = compose.add_prefix(
        _converted((backbone.folder / "model.onnx").read_bytes()), _BACKBONE, rename_inputs=False
    )
    head_graph = compose.add_prefix(_converted(head), _HEAD)
    inputs = _stretches(backbone.spec, model)
    outer = {name: f"{_HEAD}{name}" for name in names}
    outer[backbone.spec.features] = _BACKBONE + backbone.spec.features
    nodes = [
        *bundle_graph.graph.node,
        helper.make_node("Concat", [_BACKBONE + name for name in inputs], [_HEAD + GRAPH_INPUT], axis=1),
        *head_graph.graph.node,
        *(helper.make_node("Identity", [inner], [name]) for name, inner in outer.items()),
    ]
    graph = helper.make_graph(
        nodes,
        "backbone and head",
        list(bundle_graph.graph.input),
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n_faces", None]) for name in outer],
        initializer=[*bundle_graph.graph.initializer, *head_graph.graph.initializer],
    )
    return checked_graph(
        graph, (bundle_graph, head_graph), f"{backbone.folder}: the head does not fit behind this graph"
    )


def checked_graph(graph: onnx.GraphProto, parts: Sequence[onnx.ModelProto], complaint: str) -> bytes:
    """The ONNX model of a graph that was put together from the nodes of others, checked.

    Args:
        graph: Graph of the result.
        parts: Models that its nodes come from; of two versions of an operator set, that of the last one counts.
        complaint: Begin of the message of an error.

    Raises:
        ModelError: The parts do not fit together.
    """
    imports = {own.domain: own for part in parts for own in part.opset_import}
    model = helper.make_model(
        graph,
        opset_imports=list(imports.values()),
        functions=[function for part in parts for function in part.functions],
        ir_version=max(part.ir_version for part in parts),
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"{complaint} ({error})") from error
    return strip_debug_info(model)


def merged_parity_gap(
    backbone: Bundle, network: AffectNetwork, graph: bytes, names: tuple[str, ...], model: ModelSettings, n: int = 8
) -> float:
    """Largest absolute difference between the merged graph and torch over vectors of the frozen bundle.

    The inputs are random images, which differ enough to exercise both graphs.

    Args:
        backbone: Frozen bundle.
        network: Head on the CPU.
        graph: Merged ONNX model.
        names: Outputs of the head in the merged graph.
        model: Settings with the stretches of the head's vector.
        n: Number of random images.

    Raises:
        ModelError: The gap exceeds 1e-4.
    """
    spec = backbone.spec.input
    shape = (n, spec.size_px, spec.size_px) if spec.n_channels == 1 else (n, spec.size_px, spec.size_px, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    vectors = stretch_vectors(backbone.spec, backbone.run(crops), model)
    with torch.inference_mode():
        expected = [output.numpy() for output in network.eval()(torch.from_numpy(vectors))]
    got = create_session(graph).run({spec.name: prepare(crops, spec)})
    gap = max(float(np.abs(want - got[name]).max()) for name, want in zip(names, expected, strict=False))
    if not gap <= MAX_PARITY_GAP:
        raise ModelError(f"the merged graph differs from its parts by {gap:.2e}, more than {MAX_PARITY_GAP:.0e}")
    return gap


def stretch_vectors(spec: ModelSpec, outputs: Mapping[str, Float32], model: ModelSettings) -> Float32:
    """Concatenate the outputs of a bundle to the input vectors (N, D) of a head."""
    return np.concatenate([outputs[name] for name in _stretches(spec, model)], axis=1)


def _stretches(spec: ModelSpec, model: ModelSettings) -> list[str]:
    """Names of the outputs of the bundle in the order of the head's vector."""
    if model.clip != "frames":
        raise ConfigError("a head over whole clips cannot be merged into a bundle, whose inputs are single faces")
    if not spec.features:
        raise ConfigError(f"{spec.name} has no features; choose a bundle with an embedding")
    parts = {"features": [spec.features], "scores": [task.output for task in spec.tasks]}
    return [name for stretch in model.vectors for name in parts[stretch.part]]


def _converted(graph: bytes) -> onnx.ModelProto:
    """The model, converted to the opset in which heads are exported."""
    model = onnx.load_from_string(graph)
    own = next(each.version for each in model.opset_import if not each.domain)
    return model if own == OPSET else version_converter.convert_version(model, OPSET)
