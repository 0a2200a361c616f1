# SPDX-License-Identifier: Apache-2.0
"""Bundles and heads whose description fits their graph's names and whose graph does not do its work. Needs onnx."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from mien.core import InputSpec, TaskSpec
from mien.inference import load_spec

SIZE, LABELS = 4, ("neutral", "happiness", "surprise")

Constants = dict[str, npt.NDArray[Any]]


def write_bundle_of(folder: Path, nodes: list[NodeProto], constants: Constants, kind: int = TensorProto.FLOAT) -> Path:
    """Write a bundle of three expressions whose nodes compute ``logits`` from ``flat``, (n, 16) float."""
    before = [
        helper.make_node("Cast", ["crops"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
    ]
    graph = helper.make_graph(
        [*before, *nodes],
        "broken",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", SIZE, SIZE, 1])],
        [helper.make_tensor_value_info("logits", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    data = to_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))
    default = load_spec()
    expression: TaskSpec = replace(default.tasks[0], output="logits", labels=LABELS)
    pixels = InputSpec(name="crops", size_px=SIZE, colour="gray", layout="NHWC", dtype="uint8")
    spec = replace(
        default, name="broken", sha256=hashlib.sha256(data).hexdigest(), input=pixels, tasks=(expression,), features=""
    )
    folder.mkdir()
    (folder / "model.onnx").write_bytes(data)
    (folder / "model.json").write_text(json.dumps(spec.to_json()), "utf-8")
    return folder


def endless_loop(*, growing: bool = False) -> tuple[list[NodeProto], Constants]:
    """Nodes of a loop that does not end, and whose value doubles its size in each turn if it is growing."""
    turn = (
        helper.make_node("Concat", ["v", "v"], ["next"], axis=1)
        if growing
        else helper.make_node("Abs", ["v"], ["next"])
    )
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), turn],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["turns", "always", "flat"], ["logits"], body=body)
    return [loop], {"turns": np.asarray(2**62, np.int64), "always": np.asarray(True)}


def to_bytes(model: ModelProto) -> bytes:
    """The content of an ONNX file."""
    return bytes(model.SerializeToString())
