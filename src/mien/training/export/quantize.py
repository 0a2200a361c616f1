# SPDX-License-Identifier: Apache-2.0
"""Smaller graphs from a float32 graph: weights in half precision, or static 8-bit integers."""

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

from mien.core import ModelError
from mien.inference import create_session

# Shorter constants (biases, normalisation, shapes) weigh nothing and are worth their full precision.
_FEWEST_HALVED = 1024

# Beyond this a half is infinite.
_LARGEST_HALF = float(np.finfo(np.float16).max)

# The first convolutions have few channels, so that they cost little, and every later error begins there.
_KEPT_FLOAT = 3

# Everything between the normalised crop and the embedding. The heads stay in float32: they are small, and their
# outputs are the answers.
_QUANTIZED = ("Conv", "Clip", "Relu", "Add")


def halve_weights(graph: bytes) -> bytes:
    """The graph with its weights stored as float16, and widened when it is loaded: half the size, the same speed.

    Arithmetic stays float32, because CPU runtimes have hardly any half-precision kernels and would convert to and fro
    around each operation. A runtime folds the widening into its constants when it loads the graph.

    Raises:
        ModelError: the graph is no float32 graph.
    """
    model = _float_model(graph)
    widened = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _FEWEST_HALVED or np.abs(values).max() > _LARGEST_HALF:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        widened.append(helper.make_node("Cast", [f"{name}_half"], [name], name=f"widen_{name}", to=TensorProto.FLOAT))
    nodes = [*widened, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return _checked(model)


def quantize_int8(
    graph: bytes, input_name: str, batches: Sequence[npt.NDArray[Any]], corrected: Sequence[str] = ()
) -> bytes:
    """The graph with 8-bit weights (one scale a channel) and activations (one scale a tensor) between float32 ends.

    The convolutions nearest to the crop stay float32, too. QDQ form: each other operation stands between a
    DequantizeLinear and a QuantizeLinear, which runtimes fuse. The range of each activation is the smallest and largest
    value that the calibration crops cause. Weights use all eight bits: with seven the outputs err twice as much. The
    price is that x86 processors without VNNI may saturate.

    Rounding moves the mean of each output, and a class whose logit sinks by a little loses all faces near its border:
    the corrected outputs are moved back by the mean of what they lost on the calibration crops.

    Args:
        graph: float32.
        input_name: of its input.
        batches: calibration crops as the graph takes them.
        corrected: outputs (N, K) whose means are kept.

    Raises:
        ModelError: the graph is no float32 graph.
    """
    model = _float_model(graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Crops(input_name, batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            nodes_to_exclude=[*_behind_uint8(model), *_first_convolutions(model)],
            per_channel=True,
            reduce_range=False,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantized = onnx.load(path)
    smaller = bytes(quantized.SerializeToString())
    before, after = (_means(each, input_name, batches, corrected) for each in (graph, smaller))
    for name in corrected:
        _shift_output(quantized, name, before[name] - after[name])
    return _checked(quantized)


def _means(
    graph: bytes, input_name: str, batches: Sequence[npt.NDArray[Any]], outputs: Sequence[str]
) -> dict[str, npt.NDArray[np.float32]]:
    """Mean over all crops of each output (N, K)."""
    if not outputs:
        return {}
    session = create_session(graph, threads=1)
    answers = [session.run({input_name: batch}) for batch in batches]
    return {name: np.concatenate([answer[name] for answer in answers]).mean(axis=0) for name in outputs}


def _shift_output(model: onnx.ModelProto, name: str, shift: npt.NDArray[np.float32]) -> None:
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
    """Hands the calibration crops to the quantizer."""

    def __init__(self, input_name: str, batches: Sequence[npt.NDArray[Any]]) -> None:
        self._feeds: Iterator[dict[str, npt.NDArray[Any]]] = iter([{input_name: batch} for batch in batches])

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        return next(self._feeds, None)


def _behind_uint8(model: onnx.ModelProto) -> list[str]:
    """Names of Add nodes that compute with shapes and indices rather than with faces."""
    integers = {t.name for t in model.graph.initializer if t.data_type in (TensorProto.INT64, TensorProto.INT32)}
    return [node.name for node in model.graph.node if node.op_type == "Add" and integers & set(node.input)]


def _first_convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions nearest to the crop, where there are many more."""
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    return names[:_KEPT_FLOAT] if len(names) > 2 * _KEPT_FLOAT else []


def _float_model(graph: bytes) -> onnx.ModelProto:
    model = onnx.load_from_string(graph)
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    quantized = any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node)
    if TensorProto.FLOAT16 in kinds or quantized:
        raise ModelError("the graph is a smaller variant already; start from the float32 bundle")
    return model


def _checked(model: onnx.ModelProto) -> bytes:
    """The model as bytes, if ONNX finds it well formed."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the converted graph is malformed: {error}") from error
    del model.metadata_props[:]
    return bytes(model.SerializeToString())
