# SPDX-License-Identifier: Apache-2.0
"""Smaller variants: what they keep, what they refuse, and that their loss is measured against their origin."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.core import ConfigError, MetricValue, ModelError, ModelSpec
from mien.evaluation import Report
from mien.inference import create_session, load_bundle, load_spec, model_card
from mien.training.export import variants
from mien.training.export.bundle_files import write_bundle
from mien.training.export.quantize import halve_weights, quantize_int8
from mien.training.export.variants import Comparison, export_variant

pytestmark = pytest.mark.filterwarnings("default")  # the quantizer warns about itself

SIZE, UNITS = 16, ("AU04", "AU12")
OUTPUTS = {"expression_logits": 8, "valence_arousal": 2, "action_unit_logits": 2, "features": 32}


def small_graph() -> bytes:
    """Gray crops through two convolutions and four heads; a graph of the shape that `mien train` exports."""
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


def spec_of(graph: bytes) -> ModelSpec:
    """The default bundle's spec for the small graph."""
    spec = load_spec()
    expression, affect, units = spec.tasks
    units = dataclasses.replace(units, labels=UNITS, thresholds=(0.5, 0.5), inferred=())
    return dataclasses.replace(
        spec,
        name="small",
        sha256=hashlib.sha256(graph).hexdigest(),
        input=dataclasses.replace(spec.input, size_px=SIZE),
        tasks=(expression, affect, units),
        metrics=(),
        limitations=(),
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    graph = small_graph()
    write_bundle(tmp_path / "origin", graph, spec_of(graph))
    return tmp_path / "origin"


def crops(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 1), dtype=np.uint8)


def largest_gap(graph: bytes, other: bytes) -> float:
    one, two = (create_session(each, threads=1).run({"crops": crops(32, seed=1)}) for each in (graph, other))
    return max(float(np.abs(one[name] - two[name]).max() / np.abs(one[name]).max()) for name in OUTPUTS)


def test_halved_weights_are_half_as_large_and_nearly_the_same() -> None:
    graph = small_graph()
    halved = halve_weights(graph)
    kinds = {t.name: t.data_type for t in onnx.load_from_string(halved).graph.initializer}
    assert kinds["conv2_half"] == TensorProto.FLOAT16
    assert kinds["conv1"] == TensorProto.FLOAT  # too small to be metric_sign it
    assert len(halved) < 0.65 * len(graph)
    assert 0 < largest_gap(graph, halved) < 2e-3


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
    model = onnx.load_from_string(quantize_int8(graph, "crops", [crops(8), crops(8, seed=2)]))
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert constants["conv2_quantized"].dtype == np.int8
    assert constants["conv2_scale"].shape == (32,)
    heads = [node for node in model.graph.node if node.op_type == "MatMul"]
    assert {"w_expression_logits", "w_valence_arousal", "w_action_unit_logits"} == {node.input[1] for node in heads}
    assert largest_gap(graph, bytes(model.SerializeToString())) < 0.1


def test_integers_keep_the_mean_of_corrected_outputs() -> None:
    """On the calibration crops themselves, and of the named outputs alone."""
    graph, shown = small_graph(), crops(64)

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


def test_a_variant_makes_no_variant() -> None:
    graph = small_graph()
    for smaller in (halve_weights(graph), quantize_int8(graph, "crops", [crops(4)])):
        with pytest.raises(ModelError, match="start from the float32 bundle"):
            halve_weights(smaller)


def test_a_variant_without_data_is_a_whole_bundle_without_figures(bundle: Path, tmp_path: Path) -> None:
    report = export_variant(bundle, "fp16", tmp_path / "half")
    spec = load_spec(tmp_path / "half")
    assert spec.name == "small-fp16"
    assert spec.sha256 == hashlib.sha256((tmp_path / "half" / "model.onnx").read_bytes()).hexdigest()
    assert spec.metrics == ()
    assert "predictions change by at most" in spec.provenance
    assert spec.tasks == load_spec(bundle).tasks
    assert not report.recommended  # nothing was measured
    assert set(load_bundle(tmp_path / "half").run(crops(3)[..., 0])) == set(OUTPUTS)


@pytest.mark.parametrize("loss", [0.001, 0.02])
def test_the_verdict_rests_on_what_was_measured(
    loss: float, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def protocol(_: str, name: str, data: Path) -> Report:  # noqa: ARG001 - the signature of evaluate
        value = 0.8 - (loss if name == "small-int8" else 0)
        accepted_on = MetricValue(name="accuracy, plurality", n=9, value=value, low=0.7, high=0.9)
        other = MetricValue(name="F1 AU05 against the teacher", n=9, value=value - 0.3, low=0.1, high=0.9)
        return Report(
            protocol="ferplus",
            data="some faces",
            predictor=name,
            digest="",
            n_rows=9,
            dropped={},
            metrics=(accepted_on, other),
        )

    made = dataclasses.replace(
        variants.AFFECT,
        crops=lambda *_: crops(160)[..., 0],
        load=lambda folder: load_spec(folder).name,
        protocols=("ferplus",),
    )
    monkeypatch.setattr(variants, "evaluate", protocol)
    monkeypatch.setattr(variants, "benchmark_for", lambda _: made)
    report = export_variant(bundle, "int8", tmp_path / "small8", tmp_path)
    assert report.comparisons[0].loss == pytest.approx(loss)
    assert [c.accepted_on for c in report.comparisons] == [True, False]
    assert report.recommended == (loss < 0.003)
    card = model_card(load_spec(tmp_path / "small8"))
    assert ("not recommended" in card) == (loss > 0.003)
    assert f"{100 * loss:.2f} points" in card
    assert "--model small-int8" in card


def test_wrong_use_is_refused_before_any_work(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data"):
        export_variant(bundle, "int8", tmp_path / "out")
    with pytest.raises(ConfigError, match="another folder"):
        export_variant(bundle, "fp16", bundle)
    with pytest.raises(ConfigError, match="int4"):
        export_variant(bundle, "int4", tmp_path / "out")
    with pytest.raises(ModelError, match="nowhere"):
        export_variant(tmp_path / "nowhere", "fp16", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("measure", "loss"),
    [("accuracy", -0.1), ("landmark error, followed: LFW", 0.1), ("rotation error in degrees", 0.1 * np.pi / 180)],
)
def test_more_is_a_gain_unless_it_is_an_error(measure: str, loss: float) -> None:
    metric = MetricValue(name=measure, data="d", n=1, value=0.9, low=0.8, high=1.0, command="c")
    assert Comparison(metric=metric, origin=0.8, accepted_on=True).loss == pytest.approx(loss)


@pytest.mark.parametrize("name", ["mien-light", "mien-points"])
def test_what_decides_is_measured(name: str) -> None:
    """By the names that the protocols give, which are those of the bundles' cards."""
    spec = load_spec(name)
    benchmark = variants.benchmark_for(spec)
    assert set(benchmark.acceptance_metrics) <= {metric.name for metric in spec.metrics}
    assert set(benchmark.protocols) <= {metric.command.split()[2] for metric in spec.metrics}


def test_a_landmark_net_has_variants_too(tmp_path: Path) -> None:
    report = export_variant("mien-points", "fp16", tmp_path / "half")
    assert report.same_expression is None
    assert 0 < report.largest_move < 0.02
    assert "expression" not in load_spec(tmp_path / "half").provenance


def test_a_landmark_net_sees_in_calibration_what_it_sees_at_work(shared_data: Path) -> None:
    origin = load_bundle("mien-points", threads=1)
    shown = variants.LANDMARKS.crops(origin, shared_data, 24)
    assert shown.shape == (24, origin.spec.input.size_px, origin.spec.input.size_px)
    believed = 1 / (1 + np.exp(-origin.run(shown)[origin.spec.task("face").output]))
    assert (believed > 0.5).mean() > 0.9
