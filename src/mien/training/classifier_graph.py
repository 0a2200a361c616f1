# SPDX-License-Identifier: Apache-2.0
"""Opens a foreign ONNX classifier: its last matrix's input becomes an output, its scores are cut into tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from mien.core import ModelError

# From this opset on, Slice takes its bounds as inputs.
_OPSET = 10


@dataclass(frozen=True, eq=False)
class ClassifierGraph:
    """A graph from one batch of crops (N, C, H, W) to one table of scores (N, K) by a last matrix over D features.

    Attributes:
        model: as it was read.
        label: what messages call it.
        input_name: of the crops.
        input_shape: (C, H, W); 0 where the graph leaves it open.
        scores_name: of the output.
        features_name: of the tensor before the last matrix.
        n_features: D.
        n_scores: K.
    """

    model: onnx.ModelProto
    label: str
    input_name: str
    input_shape: tuple[int, ...]
    scores_name: str
    features_name: str
    n_features: int
    n_scores: int

    def cut(self, columns: Mapping[str, tuple[int, int]], features: str) -> bytes:
        """The graph with any number of crops as input and with other outputs.

        Args:
            columns: new output -> (start, stop) of its columns in the scores.
            features: new name of the features (N, D), which become an output as well.

        Raises:
            ModelError: the graph is not valid afterwards, for example because it uses a new name already.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        graph = model.graph
        del graph.output[:]
        del graph.value_info[:]  # sizes that were noted for another number of crops
        _free_batch(next(value for value in graph.input if value.name == self.input_name))
        for name, (start, stop) in columns.items():
            bounds = []
            for role, value in (("start", start), ("stop", stop), ("axis", 1)):
                bounds.append(f"{name}/{role}")
                graph.initializer.append(helper.make_tensor(bounds[-1], TensorProto.INT64, (1,), (value,)))
            graph.node.append(helper.make_node("Slice", [self.scores_name, *bounds], [name]))
            graph.output.append(_table(name, stop - start))
        graph.node.append(helper.make_node("Identity", [self.features_name], [features]))
        graph.output.append(_table(features, self.n_features))
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise ModelError(f"{self.label}: the graph cannot be cut into tasks: {error}") from error
        return bytes(model.SerializeToString())


def read_classifier(path: Path) -> ClassifierGraph:
    """Read an ONNX file that holds a classifier with its weights.

    Raises:
        ModelError: the file cannot be read, is no ONNX file, keeps its weights elsewhere, or is another kind of graph.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise ModelError(f"{path}: not an ONNX file, or only a part of one ({error}); fetch it again") from error
    if not model.graph.node:  # an empty file is a valid message without content
        raise ModelError(f"{path}: an ONNX file without a graph; fetch it again")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{path}: its weights lie in another file; save it as one file")
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < _OPSET:
        raise ModelError(f"{path}: opset {opset} is older than {_OPSET}; export it again")
    return _classifier(model, str(path))


def _classifier(model: onnx.ModelProto, label: str) -> ClassifierGraph:
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelError(f"{label}: expected one input and one output, got {len(inputs)} and {len(graph.output)}")
    crops, scores = inputs[0], graph.output[0].name
    tensor = crops.type.tensor_type
    sides = [side.dim_value for side in tensor.shape.dim]
    if tensor.elem_type != TensorProto.FLOAT or len(sides) != 4:
        raise ModelError(f"{label}: expected float32 crops (N, C, H, W), got shape {tuple(sides)} (0: open)")
    last = next((node for node in graph.node if scores in node.output), None)
    if last is None or last.op_type != "Gemm" or len(last.input) < 2 or last.input[1] not in weights:
        kind = "nothing" if last is None else last.op_type
        raise ModelError(
            f"{label}: expected a matrix (Gemm) at the end, got {kind}: this is not a published classifier"
        )
    matrix = tuple(weights[last.input[1]].dims)
    transposed = any(attribute.name == "transB" and attribute.i for attribute in last.attribute)
    n_scores, n_features = matrix if transposed else matrix[::-1]
    return ClassifierGraph(
        model=model,
        label=label,
        input_name=crops.name,
        input_shape=tuple(sides[1:]),
        scores_name=scores,
        features_name=last.input[0],
        n_features=n_features,
        n_scores=n_scores,
    )


def _table(name: str, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n_faces", width])


def _free_batch(crops: onnx.ValueInfoProto) -> None:
    crops.type.tensor_type.shape.dim[0].dim_param = "n_faces"
