# SPDX-License-Identifier: Apache-2.0
"""Converts float32 graphs to smaller ones, with half-precision weights or static 8-bit integers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (  # type: ignore[import-untyped]  # ships no types
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from mien.core import Float32, ModelError
from mien.inference import create_session

# Shorter constants (biases, normalisation, shapes) are small and keep their full precision.
_MIN_HALVED = 1024

# Larger values are infinite in float16.
_MAX_HALF = float(np.finfo(np.float16).max)

# The first convolutions have few channels and cost little time, and their errors propagate to all others.
_N_KEPT_FLOAT = 3

# Operations between the normalised crop and the embedding. The heads stay in float32: they are small, and their
# outputs are the predictions.
_QUANTIZED = ("Conv", "Clip", "Relu", "Add")


def halve_weights(graph: bytes) -> bytes:
    """Store the weights of a graph as float16: half the size at the same speed.

    Arithmetic stays float32, since CPU runtimes have few half-precision kernels and would convert around each
    operation. The runtime converts the weights back to float32 when it loads the graph.

    Args:
        graph: Float32 ONNX model.

    Raises:
        ModelError: The graph is not a float32 graph.
    """
    model = _float_model(graph)
    widened = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _MIN_HALVED or np.abs(values).max() > _MAX_HALF:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        widened.append(helper.make_node("Cast", [f"{name}_half"], [name], name=f"widen_{name}", to=TensorProto.FLOAT))
    nodes = [*widened, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return _checked(model)


def widen_weights(graph: bytes) -> bytes:
    """The float32 graph that computes what a graph of `halve_weights` computes; any other graph unchanged.

    Args:
        graph: ONNX model.
    """
    model = onnx.load_from_string(graph)
    halves = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            tensor = halves[node.input[0]]
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), node.output[0]))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def quantize_int8(
    graph: bytes, input_name: str, batches: Sequence[npt.NDArray[Any]], corrected: Sequence[str] = ()
) -> bytes:
    """Quantize a graph to 8-bit weights (one scale per channel) and activations (one scale per tensor).

    Heads and first convolutions stay float32. The format is QDQ: each other operation is between a DequantizeLinear
    and a QuantizeLinear, which runtimes fuse. The range of each activation is the minimum and maximum over the
    calibration crops. Weights of convolutions that are matrix products have seven of the eight bits: with eight, sums
    of products would saturate on x86 processors without VNNI. Depthwise ones, which add up in 32 bits everywhere and
    suffer most from rounding, have all eight.

    Rounding shifts the mean of each output, and a small shift of a logit changes the class of all faces near its
    decision boundary: the mean shift of the corrected outputs on the calibration crops is added back.

    Args:
        graph: Float32 ONNX model; its weights may be stored as float16.
        input_name: Name of its input.
        batches: Calibration crops as inputs of the graph.
        corrected: Names of outputs (N, K) whose means are corrected.

    Raises:
        ModelError: The graph is quantized already.
    """
    model = _float_model(widen_weights(graph))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Crops(input_name, batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            nodes_to_exclude=[*_index_additions(model), *_first_convolutions(model)],
            per_channel=True,
            reduce_range=False,
            extra_options={"TensorQuantOverrides": _seven_bits(model)},
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantized = onnx.load(path)
    _sort_nodes(quantized)
    smaller = bytes(quantized.SerializeToString())
    before, after = (_means(each, input_name, batches, corrected) for each in (graph, smaller))
    for name in corrected:
        _shift_output(quantized, name, before[name] - after[name])
    return _checked(quantized)


def _sort_nodes(model: onnx.ModelProto) -> None:
    """Put each node behind those whose outputs it reads, also within its branches, which the quantizer overlooks."""
    made = {name for node in model.graph.node for name in node.output}
    waiting, done = list(model.graph.node), set[str]()
    needs = {id(node): _read_names(node) & made for node in waiting}
    ordered: list[onnx.NodeProto] = []
    while waiting:
        ready = [node for node in waiting if needs[id(node)] <= done]
        if not ready:
            raise ModelError("the converted graph is malformed: its nodes read each other in a circle")
        ordered += ready
        done.update(name for node in ready for name in node.output)
        placed = set(map(id, ready))
        waiting = [node for node in waiting if id(node) not in placed]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _read_names(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, with those that its branches read."""
    branches = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return set(node.input).union(*(_read_names(inner) for branch in branches for inner in branch.node))


def _seven_bits(model: onnx.ModelProto) -> dict[str, list[dict[str, Any]]]:
    """Options of the quantizer for weights (n_out, n_in, k, k) with more than one input channel."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    names = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    options = {"axis": 0, "quant_type": QuantType.QInt8, "symmetric": True, "reduce_range": True}
    return {name: [dict(options)] for name in names if len(shapes.get(name, ())) == 4 and shapes[name][1] > 1}


def _means(
    graph: bytes, input_name: str, batches: Sequence[npt.NDArray[Any]], outputs: Sequence[str]
) -> dict[str, Float32]:
    """Mean (K,) over all crops of each output (N, K)."""
    if not outputs:
        return {}
    session = create_session(graph, threads=1)
    outputs_of_batches = [session.run({input_name: batch}) for batch in batches]
    return {name: np.concatenate([batch[name] for batch in outputs_of_batches]).mean(axis=0) for name in outputs}


def _shift_output(model: onnx.ModelProto, name: str, shift: Float32) -> None:
    """Add a constant (K,) to an output (N, K)."""
    inner = f"{name}_before_shift"
    for node in model.graph.node:
        for names in (node.output, node.input):
            for place, each in enumerate(names):
                if each == name:
                    names[place] = inner
    model.graph.initializer.append(numpy_helper.from_array(shift.astype(np.float32), f"{name}_shift"))
    model.graph.node.append(helper.make_node("Add", [inner, f"{name}_shift"], [name], name=f"shift_{name}"))


class _Crops(CalibrationDataReader):  # type: ignore[misc]  # its base has no types
    """Calibration crops for the quantizer."""

    def __init__(self, input_name: str, batches: Sequence[npt.NDArray[Any]]) -> None:
        self._feeds: Iterator[dict[str, npt.NDArray[Any]]] = iter([{input_name: batch} for batch in batches])

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        return next(self._feeds, None)


def _index_additions(model: onnx.ModelProto) -> list[str]:
    """Names of Add nodes that compute shapes and indices and not activations."""
    integers = {t.name for t in model.graph.initializer if t.data_type in (TensorProto.INT64, TensorProto.INT32)}
    return [node.name for node in model.graph.node if node.op_type == "Add" and integers & set(node.input)]


def _first_convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the first convolutions, if there are many more."""
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    return names[:_N_KEPT_FLOAT] if len(names) > 2 * _N_KEPT_FLOAT else []


def is_float32(graph: bytes) -> bool:
    """Whether neither weights nor activations of a graph are stored in fewer bits."""
    return _is_float32(onnx.load_from_string(graph))


def _is_float32(model: onnx.ModelProto) -> bool:
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    quantized = any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node)
    return TensorProto.FLOAT16 not in kinds and not quantized


def _float_model(graph: bytes) -> onnx.ModelProto:
    model = onnx.load_from_string(graph)
    if not _is_float32(model):
        raise ModelError("the graph is already a smaller variant; start from the float32 bundle")
    return model


def _checked(model: onnx.ModelProto) -> bytes:
    """Serialize a model after validation."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the converted graph is malformed: {error}") from error
    del model.metadata_props[:]
    return bytes(model.SerializeToString())
