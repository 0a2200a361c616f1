# SPDX-License-Identifier: Apache-2.0
"""What a pass through an ONNX graph has to do at least: operations and bytes, counted from its shapes."""

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
class Work:
    """One or several passes.

    Attributes:
        flop: floating-point operations of convolutions and matrix products, two a multiply-add; all else is counted by
            its bytes.
        weight_bytes: of the parameters, each read once a pass.
        moved_bytes: what all nodes read and write if nothing is fused: parameters, inputs and outputs.
    """

    flop: float = 0.0
    weight_bytes: float = 0.0
    moved_bytes: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            flop=self.flop + other.flop,
            weight_bytes=self.weight_bytes + other.weight_bytes,
            moved_bytes=self.moved_bytes + other.moved_bytes,
        )


def work_of(graph: bytes, shape: tuple[int, ...]) -> Work:
    """The work of one pass, by the shapes that a pass on zeros shows.

    Args:
        graph: with a single input, its weights inside.
        shape: of the input, batch included.
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
    return Work(
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


class ShapeNotes:
    """A session that notes the shapes of what it is given; see `mien.inference.Session`.

    Args:
        session: that does the work.

    Attributes:
        shapes: of the first input of every call.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.shapes: list[tuple[int, ...]] = []
        self.input_names, self.output_names = session.input_names, session.output_names

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What the session answers."""
        self.shapes.append(next(iter(inputs.values())).shape)
        return self._session.run(inputs)


# Nodes that only name things anew.
_FREE = frozenset({"Constant", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"})


def _flop(node: onnx.NodeProto, tensors: Mapping[str, Array]) -> int:
    """Two for each multiply-add of a node; 0 where it has none."""
    if node.op_type not in ("Conv", "Gemm", "MatMul"):
        return 0
    left, right, out = (tensors[name].shape for name in (node.input[0], node.input[1], node.output[0]))
    if node.op_type == "Conv":
        return 2 * math.prod(out) * math.prod(right[1:])  # weights: (channels out, channels in a group, *kernel)
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return 2 * math.prod(out) * left[0 if transposed else -1]
