# SPDX-License-Identifier: Apache-2.0
"""Half-precision and 8-bit graphs: their size, their error, and what stays float32."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.core import ModelError
from mien.inference import create_session, find_bundle
from mien.training.export.quantize import halve_weights, quantize_int8, widen_weights
from tests.helpers.small_graphs import OUTPUTS, noise_crops, small_graph

pytestmark = pytest.mark.filterwarnings("default")  # the quantizer warns about itself


def largest_gap(graph: bytes, other: bytes) -> float:
    one, two = (create_session(each, threads=1).run({"crops": noise_crops(32, seed=1)}) for each in (graph, other))
    return max(float(np.abs(one[name] - two[name]).max() / np.abs(one[name]).max()) for name in OUTPUTS)


def test_halved_weights_are_half_as_large_and_nearly_the_same() -> None:
    graph = small_graph()
    halved = halve_weights(graph)
    kinds = {t.name: t.data_type for t in onnx.load_from_string(halved).graph.initializer}
    assert kinds["conv2_half"] == TensorProto.FLOAT16
    assert kinds["conv1"] == TensorProto.FLOAT  # too small to be halved
    assert len(halved) < 0.65 * len(graph)
    assert 0 < largest_gap(graph, halved) < 2e-3


def test_halved_weights_widen_to_the_same_graph() -> None:
    halved = halve_weights(small_graph())
    widened = widen_weights(halved)
    assert TensorProto.FLOAT16 not in {t.data_type for t in onnx.load_from_string(widened).graph.initializer}
    assert "conv2" in {t.name for t in onnx.load_from_string(widened).graph.initializer}
    assert largest_gap(halved, widened) < 1e-6
    assert widen_weights(widened) == widened
    quantize_int8(halved, "crops", [noise_crops(8)])  # what stores halves can be quantized, too


def test_a_weight_that_no_half_can_hold_stays_whole() -> None:
    model = onnx.load_from_string(small_graph())
    weight = next(t for t in model.graph.initializer if t.name == "conv2")
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0, 0] = 1e6
    weight.CopyFrom(numpy_helper.from_array(values, "conv2"))
    halved = onnx.load_from_string(halve_weights(bytes(model.SerializeToString())))
    assert next(t for t in halved.graph.initializer if t.name == "conv2").data_type == TensorProto.FLOAT


def test_integers_have_a_scale_for_each_channel_and_float_ends() -> None:
    graph = small_graph()
    model = onnx.load_from_string(quantize_int8(graph, "crops", [noise_crops(8), noise_crops(8, seed=2)]))
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert constants["conv2_quantized"].dtype == np.int8
    assert constants["conv2_scale"].shape == (32,)
    heads = [node for node in model.graph.node if node.op_type == "MatMul"]
    assert {"w_expression_logits", "w_valence_arousal", "w_action_unit_logits"} == {node.input[1] for node in heads}
    assert largest_gap(graph, bytes(model.SerializeToString())) < 0.1


def test_integers_keep_the_mean_of_corrected_outputs() -> None:
    """On the calibration crops themselves, and of the named outputs alone."""
    graph, shown = small_graph(), noise_crops(64)

    def moved(smaller: bytes) -> dict[str, float]:
        one, other = (create_session(each, threads=1).run({"crops": shown}) for each in (graph, smaller))
        return {name: float(np.abs((one[name] - other[name]).mean(axis=0)).max()) for name in OUTPUTS}

    plain = moved(quantize_int8(graph, "crops", [shown[:32], shown[32:]]))
    kept = moved(quantize_int8(graph, "crops", [shown[:32], shown[32:]], ["expression_logits"]))
    assert kept["expression_logits"] < 1e-5 < plain["expression_logits"]
    assert kept["valence_arousal"] == pytest.approx(plain["valence_arousal"])


def test_the_first_of_many_convolutions_stay_float() -> None:
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("Cast", ["crops"], ["x0"], name="cast", to=TensorProto.FLOAT)]
    constants = []
    for number in range(8):
        weight = rng.normal(0, 0.3, (4, 1 if number == 0 else 4, 3, 3)).astype(np.float32)
        constants.append(numpy_helper.from_array(weight, f"w{number}"))
        nodes.append(helper.make_node("Conv", [f"x{number}", f"w{number}"], [f"x{number + 1}"], name=f"conv{number}"))
    graph = helper.make_graph(
        nodes,
        "deep",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 1, 24, 24])],
        [helper.make_tensor_value_info("x8", TensorProto.FLOAT, ["n", 4, 8, 8])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    batch = rng.integers(0, 255, (4, 1, 24, 24), dtype=np.uint8)
    smaller = onnx.load_from_string(quantize_int8(bytes(model.SerializeToString()), "crops", [batch]))
    integers = {t.name for t in smaller.graph.initializer if t.data_type == TensorProto.INT8}
    assert {name for name in integers if name.endswith("_quantized")} == {f"w{n}_quantized" for n in range(3, 8)}


def test_a_smaller_graph_is_refused() -> None:
    graph = small_graph()
    for smaller in (halve_weights(graph), quantize_int8(graph, "crops", [noise_crops(4)])):
        with pytest.raises(ModelError, match="start from the float32 bundle"):
            halve_weights(smaller)


def test_branches_that_read_other_nodes_stay_behind_them() -> None:
    """The landmark bundle has a second network in a branch, which reads what the first one gives."""
    graph = (find_bundle("mien-points") / "model.onnx").read_bytes()
    crops = np.random.default_rng(0).integers(0, 255, (6, 96, 96, 1), dtype=np.uint8)
    name = create_session(graph, threads=1).input_names[0]
    small = quantize_int8(graph, name, [crops])
    before, after = (create_session(each, threads=1).run({name: crops})["points"] for each in (graph, small))
    assert after.shape == before.shape
    assert np.abs(after - before).mean() < 0.1
    assert any(node.op_type == "QuantizeLinear" for node in onnx.load_from_string(small).graph.node)
