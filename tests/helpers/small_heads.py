# SPDX-License-Identifier: Apache-2.0
"""A small clip head for tests. Needs onnx."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import INTENSITY_LABELS, HeadInput, HeadSpec


def small_head(folder: Path) -> dict[str, Any]:
    """Write the graph of a head of 20 inputs and return its description."""
    onnx = pytest.importorskip("onnx", reason="needs onnx to make a graph")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", width])
        for name, width in (("vectors", 20), ("intensities", 6))
    ]
    weight = onnx.numpy_helper.from_array(np.full((20, 6), 0.1, np.float32), "weight")
    nodes = [
        onnx.helper.make_node("MatMul", ["vectors", "weight"], ["raw"]),
        onnx.helper.make_node("Sigmoid", ["raw"], ["intensities"]),
    ]
    graph = onnx.helper.make_graph(nodes, "head", ends[:1], ends[1:], [weight])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    data = model.SerializeToString()
    (folder / "head.onnx").write_bytes(data)
    spec = HeadSpec(
        head_version=1,
        name="tiny",
        version="1",
        sha256=hashlib.sha256(data).hexdigest(),
        task="emi",
        labels=INTENSITY_LABELS["emi"],
        inputs=(
            HeadInput(made_by="net", digest="n", part="scores", n=2, every=5),
            HeadInput(made_by="speech", digest="s", part="features", n=3),
        ),
        input="vectors",
        output="intensities",
        unit="share of the largest rating",
    )
    content: dict[str, Any] = json.loads(json.dumps(spec.to_json()))
    return content
