# SPDX-License-Identifier: Apache-2.0
"""Lower bounds of the work in one pass through an ONNX graph: operations and bytes, counted from its shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from mien.inference import Session, create_session

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class GraphWork:
    """Work of one or several passes.

    Attributes:
        flop: floating-point operations of convolutions and matrix products, two per multiply-add; other nodes count by
            their bytes alone.
        weight_bytes: bytes of the parameters, each read once per pass.
        moved_bytes: bytes that all nodes read and write if nothing is fused: parameters, inputs and outputs.
    """

    flop: float = 0.0
    weight_bytes: float = 0.0
    moved_bytes: float = 0.0

    def __add__(self, other: GraphWork) -> GraphWork:
        return GraphWork(
            flop=self.flop + other.flop,
            weight_bytes=self.weight_bytes + other.weight_bytes,
            moved_bytes=self.moved_bytes + other.moved_bytes,
        )


def work_of(graph: bytes, shape: tuple[int, ...]) -> GraphWork:
    """Count the work of one pass, from the shapes of a pass on zeros.

    Args:
        graph: ONNX model with a single input, its weights inside.
        shape: shape of the input, batch included.
    """
    model = onnx.load_from_string(graph)
    fed = model.graph.input[0]
    zeros = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(fed.type.tensor_type.elem_type))
    declared = {output.name for output in model.graph.output}
    inner = {name for node in model.graph.node for name in node.output if name} - declared
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(inner))
    seen = create_session(model.SerializeToString()).run({fed.name: zeros})
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    tensors: dict[str, Array] = {fed.name: zeros, **seen, **weights}
    return GraphWork(
        flop=float(sum(_flop(node, tensors) for node in model.graph.node)),
        weight_bytes=float(sum(array.nbytes for array in weights.values())),
        moved_bytes=float(
            sum(
                tensors[name].nbytes
                for node in model.graph.node
                if node.op_type not in _FREE
                for name in (*node.input, *node.output)
                if name
            )
        ),
    )


class ShapeRecorder:
    """A session that records the shapes of its inputs; see `mien.inference.Session`.

    Args:
        session: the session that runs the graph.

    Attributes:
        shapes: shape of the first input of every call.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.shapes: list[tuple[int, ...]] = []
        self.input_names, self.output_names = session.input_names, session.output_names

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run the graph and record the shape of its first input."""
        self.shapes.append(next(iter(inputs.values())).shape)
        return self._session.run(inputs)


# Nodes that move no data.
_FREE = frozenset({"Constant", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"})


def _flop(node: onnx.NodeProto, tensors: Mapping[str, Array]) -> int:
    """Floating-point operations of a node: two per multiply-add, 0 where it has none."""
    if node.op_type not in ("Conv", "Gemm", "MatMul"):
        return 0
    left, right, out = (tensors[name].shape for name in (node.input[0], node.input[1], node.output[0]))
    if node.op_type == "Conv":
        return 2 * math.prod(out) * math.prod(right[1:])  # weights: (channels out, channels in a group, *kernel)
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return 2 * math.prod(out) * left[0 if transposed else -1]
