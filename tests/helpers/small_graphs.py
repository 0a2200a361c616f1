# SPDX-License-Identifier: Apache-2.0
"""A small ONNX graph in the form that `mien train` exports, with its spec and random crops. Needs onnx."""

import dataclasses
import hashlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mien.core import ModelSpec
from mien.inference import load_spec

SIZE, UNITS = 16, ("AU04", "AU12")
OUTPUTS = {"expression_logits": 8, "valence_arousal": 2, "action_unit_logits": 2, "features": 32}


def small_graph() -> bytes:
    """Graph from grayscale crops through two convolutions to three heads and features."""
    rng = np.random.default_rng(0)
    constants = {"mean": np.float32(127.5), "std": np.float32(64), "low": np.float32(0), "high": np.float32(6)}
    constants["conv1"] = rng.normal(0, 0.4, (32, 1, 3, 3)).astype(np.float32)
    constants["conv2"] = rng.normal(0, 0.1, (32, 32, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["crops"], ["nchw"], name="order", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["nchw"], ["float"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "mean"], ["centred"], name="sub"),
        helper.make_node("Div", ["centred", "std"], ["scaled"], name="div"),
        helper.make_node("Conv", ["scaled", "conv1"], ["a"], name="conv1"),
        helper.make_node("Clip", ["a", "low", "high"], ["b"], name="clip1"),
        helper.make_node("Conv", ["b", "conv2"], ["c"], name="conv2"),
        helper.make_node("Clip", ["c", "low", "high"], ["d"], name="clip2"),
        helper.make_node("GlobalAveragePool", ["d"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["features"], name="flat"),
    ]
    for name, width in list(OUTPUTS.items())[:3]:
        constants[f"w_{name}"] = rng.normal(0, 0.5, (32, width)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", ["features", f"w_{name}"], [name], name=name))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", SIZE, SIZE, 1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in OUTPUTS.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def small_spec(graph: bytes) -> ModelSpec:
    """Spec of the default bundle, adapted to the small graph."""
    spec = load_spec()
    expression, affect, units = spec.tasks[:3]
    units = dataclasses.replace(units, labels=UNITS, thresholds=(0.5, 0.5), inferred=())
    assert spec.quality is not None, "the default bundle has a quality model"
    return dataclasses.replace(
        spec,
        name="small",
        sha256=hashlib.sha256(graph).hexdigest(),
        input=dataclasses.replace(spec.input, size_px=SIZE),
        tasks=(expression, affect, units),
        metrics=(),
        limitations=(),
        quality=dataclasses.replace(spec.quality, hiding=()),  # it reads another embedding
        uncertainty=None,
    )


def noise_crops(n: int, seed: int = 0) -> np.ndarray:
    """(n, SIZE, SIZE, 1) uint8 random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 1), dtype=np.uint8)
