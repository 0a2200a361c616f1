# SPDX-License-Identifier: Apache-2.0
"""A frozen bundle and a head that was trained on its vectors, as one graph: pixels in, the head's answers out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import compose, helper, version_converter

from mien.core import ConfigError, ModelError, ModelSpec
from mien.inference import Bundle, create_session, prepare
from mien.training.export import GRAPH_INPUT, MAX_PARITY_GAP, OPSET, without_traces
from mien.training.network import AffectNetwork
from mien.training.settings import ModelSettings

_BACKBONE, _HEAD = "backbone/", "head/"


def merge_graphs(backbone: Bundle, head: bytes, names: tuple[str, ...], model: ModelSettings) -> bytes:
    """The graph of a bundle with a head behind its features and raw scores.

    Args:
        backbone: the frozen bundle.
        head: graph of a network of vectors, as `export_onnx` writes it.
        names: of the head's outputs that the merged graph gives; the features follow.
        model: that says which stretches the head's vector has.

    Raises:
        ConfigError: the bundle lacks what the head sees.
        ModelError: the two graphs do not fit.
    """
    below = compose.add_prefix(_modern((backbone.folder / "model.onnx").read_bytes()), _BACKBONE, rename_inputs=False)
    above = compose.add_prefix(_modern(head), _HEAD)
    seen = _stretches(backbone.spec, model)
    outer = {name: f"{_HEAD}{name}" for name in names}
    outer[backbone.spec.features] = _BACKBONE + backbone.spec.features
    nodes = [
        *below.graph.node,
        helper.make_node("Concat", [_BACKBONE + name for name in seen], [_HEAD + GRAPH_INPUT], axis=1),
        *above.graph.node,
        *(helper.make_node("Identity", [inner], [name]) for name, inner in outer.items()),
    ]
    graph = helper.make_graph(
        nodes,
        "backbone and head",
        list(below.graph.input),
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n_faces", None]) for name in outer],
        initializer=[*below.graph.initializer, *above.graph.initializer],
    )
    imports = {own.domain: own for own in (*below.opset_import, *above.opset_import)}
    merged = helper.make_model(
        graph,
        opset_imports=list(imports.values()),
        functions=[*below.functions, *above.functions],
        ir_version=max(below.ir_version, above.ir_version),
    )
    try:
        onnx.checker.check_model(merged, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"{backbone.folder}: the head does not fit behind this graph ({error})") from error
    return without_traces(merged)


def merged_parity_gap(
    backbone: Bundle, network: AffectNetwork, graph: bytes, names: tuple[str, ...], model: ModelSettings, n: int = 8
) -> float:
    """Largest absolute difference between the merged graph and torch over the frozen bundle's own vectors.

    Measured on pictures of noise, of which no two are alike: they reach every part of both graphs.

    Raises:
        ModelError: it exceeds 1e-4.
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


def stretch_vectors(
    spec: ModelSpec, outputs: Mapping[str, npt.NDArray[np.float32]], model: ModelSettings
) -> npt.NDArray[np.float32]:
    """(N, D) what a head sees of a bundle's outputs."""
    return np.concatenate([outputs[name] for name in _stretches(spec, model)], axis=1)


def _stretches(spec: ModelSpec, model: ModelSettings) -> list[str]:
    """Outputs of the bundle in the order of the head's vector."""
    if model.clip != "frames":
        raise ConfigError("a head over whole clips cannot stand behind a bundle, which sees single faces")
    if not spec.features:
        raise ConfigError(f"{spec.name} gives no features; choose a bundle with an embedding")
    parts = {"features": [spec.features], "scores": [task.output for task in spec.tasks]}
    return [name for stretch in model.vectors for name in parts[stretch.part]]


def _modern(graph: bytes) -> onnx.ModelProto:
    """The graph in the operator set that heads are exported with."""
    model = onnx.load_from_string(graph)
    own = next(each.version for each in model.opset_import if not each.domain)
    return model if own == OPSET else version_converter.convert_version(model, OPSET)
