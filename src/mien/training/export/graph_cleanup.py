# SPDX-License-Identifier: Apache-2.0
"""Rewrites of exported graphs that keep their outputs and make CPU runtimes faster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

_SMALLEST = 1e-12


def speed_up(model: onnx.ModelProto) -> None:
    """Apply all rewrites to a graph, in place."""
    flush_small_weights(model)
    replace_prelu(model)
    fold_padding(model)


def flush_small_weights(model: onnx.ModelProto) -> None:
    """Set weights below 1e-12 to zero, in place.

    Products with denormal numbers take a processor many times as long as others: a face network became eight times
    slower by them. Single numbers, such as the epsilon of a division, are kept.
    """
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        small = (np.abs(values) < _SMALLEST) & (values != 0)
        if values.size > 1 and small.any():
            tensor.CopyFrom(numpy_helper.from_array(np.where(small, np.float32(0), values), tensor.name))


def replace_prelu(model: onnx.ModelProto) -> None:
    """Write each PReLU with constant slopes a as (1 - a) relu(x) + a x, in place.

    ONNX Runtime computes a PReLU far slower than the four operations: three times in a chain of 1 x 1 convolutions.
    """
    slopes = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "PRelu" and node.input[1] in slopes:
            slope = numpy_helper.to_array(slopes[node.input[1]])
            model.graph.initializer.append(numpy_helper.from_array((1 - slope).astype(slope.dtype), _inner(node, "c")))
            nodes += _plain(node)
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def fold_padding(model: onnx.ModelProto) -> None:
    """Give the zeros that a Pad adds around maps to the convolution behind it, in place.

    A padding of its own copies the map, and 8-bit variants would leave their integers for it.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {value.name for value in model.graph.output}
    kept = []
    for node in model.graph.node:
        followers = readers.get(node.output[0], [])
        zeros = _zeros_around(node, constants)
        alone = node.output[0] not in outputs and all(each.op_type == "Conv" for each in followers)
        if zeros is None or not followers or not alone or any(_pads(each) is None for each in followers):
            kept.append(node)
            continue
        for follower in followers:
            pads = _pads(follower)
            if pads is not None:  # checked above
                pads.ints[:] = [own + more for own, more in zip(pads.ints, zeros, strict=True)]
            follower.input[0] = node.input[0]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _zeros_around(node: onnx.NodeProto, constants: Mapping[str, npt.NDArray[Any]]) -> list[int] | None:
    """Zeros above, left, below and right of a map that a node adds; None where it does anything else."""
    if node.op_type != "Pad" or node.input[1] not in constants or len(node.input) > 3:
        return None
    mode = next((entry.s for entry in node.attribute if entry.name == "mode"), b"constant")
    value = constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1)
    amounts = constants[node.input[1]].tolist()
    if mode != b"constant" or value is None or float(value.reshape(-1)[0]) or len(amounts) != 8:
        return None
    if any(amounts[place] for place in (0, 1, 4, 5)) or min(amounts) < 0:
        return None
    return [amounts[2], amounts[3], amounts[6], amounts[7]]


def _pads(node: onnx.NodeProto) -> onnx.AttributeProto | None:
    """The four paddings of a convolution, as an attribute to change; None where it pads by a rule."""
    if any(entry.name == "auto_pad" and entry.s != b"NOTSET" for entry in node.attribute):
        return None
    if not any(entry.name == "pads" for entry in node.attribute):
        node.attribute.append(helper.make_attribute("pads", [0, 0, 0, 0]))
    found = next(entry for entry in node.attribute if entry.name == "pads")
    return found if len(found.ints) == 4 else None


def _plain(node: onnx.NodeProto) -> Iterable[onnx.NodeProto]:
    x, slope = node.input
    steps = (
        ("Relu", [x], "r"),
        ("Mul", [_inner(node, "r"), _inner(node, "c")], "p"),
        ("Mul", [x, slope], "n"),
    )
    for kind, inputs, name in steps:
        yield helper.make_node(kind, inputs, [_inner(node, name)], name=f"{node.name}_{name}")
    yield helper.make_node("Add", [_inner(node, "p"), _inner(node, "n")], list(node.output), name=node.name)


def _inner(node: onnx.NodeProto, part: str) -> str:
    return f"{node.output[0]}_{part}"
