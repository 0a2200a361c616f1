# SPDX-License-Identifier: Apache-2.0
"""Imported weights: bundles that say exactly what the published file says, and clear words for every other file.

The published files are not at hand; these have their names, conventions (input, output, opset, a Gemm at the end) and
sizes, with random weights.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - needs onnx

from mien.affect import Analyzer  # noqa: E402 - below the skip, as all that follows
from mien.core import EXPRESSION_ORDERS, ConfigError, ModelError, OutputError  # noqa: E402
from mien.inference import create_session, load_bundle, model_card, prepare  # noqa: E402
from mien.training.export.emotiefflib import EMOTIEFFLIB, PublishedNet, import_emotiefflib  # noqa: E402

MTL = "enet_b0_8_va_mtl"


def published(path: Path, net: PublishedNet, *, batch: object = "batch_size", scale: float = 1) -> Path:
    """A tiny classifier in the form of the published files: 8 x 8 means of each colour, then two matrices."""
    rng = np.random.default_rng(len(path.name))
    n_features, side = net.n_features[0], net.size_px // 8
    weights = {
        "up": rng.normal(size=(n_features, 3 * 64)) * 0.2,
        "up.bias": rng.normal(size=n_features),
        "classifier.weight": rng.normal(size=(net.n_scores, n_features)) * 0.05 * scale,
        "classifier.bias": rng.normal(size=net.n_scores),
    }
    pool = {"kernel_shape": [side, side], "strides": [side, side]}
    nodes = [
        helper.make_node("AveragePool", ["input"], ["means"], **pool),
        helper.make_node("Slice", ["means", "zero", "eight", "spatial"], ["eight_by_eight"]),
        helper.make_node("Flatten", ["eight_by_eight"], ["flat"]),
        helper.make_node("Gemm", ["flat", "up", "up.bias"], ["/Relu_in"], transB=1),
        helper.make_node("Relu", ["/Relu_in"], ["/Flatten_output_0"]),
        helper.make_node("Gemm", ["/Flatten_output_0", "classifier.weight", "classifier.bias"], ["output"], transB=1),
    ]
    size = net.size_px
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, net.n_scores])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
        + [
            numpy_helper.from_array(np.array(value, np.int64), name)
            for name, value in {"zero": [0, 0], "eight": [8, 8], "spatial": [2, 3]}.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture
def mtl(tmp_path: Path) -> Path:
    return published(tmp_path / f"{MTL}.onnx", EMOTIEFFLIB[MTL], scale=20)


@pytest.mark.parametrize("name", EMOTIEFFLIB)
def test_every_published_name_becomes_a_bundle(name: str, tmp_path: Path, astronaut: np.ndarray) -> None:
    net = EMOTIEFFLIB[name]
    spec = import_emotiefflib(published(tmp_path / f"{name}.onnx", net), name, tmp_path / "bundle")
    analyzer = Analyzer(tmp_path / "bundle", threads=1, features=True)
    assert analyzer.spec == spec
    faces = analyzer.crops([astronaut, astronaut[:200, 150:300]])
    assert faces.features.shape == (2, net.n_features[0])
    np.testing.assert_allclose(faces.expression.sum(axis=1), 1, atol=1e-5)
    assert set(faces.expression_labels) == set(EXPRESSION_ORDERS[net.classes])
    assert ("contempt" in faces.expression_labels) == ("_8" in name or "_va_" in name)
    assert (spec.task("valence_arousal") is None) == ("_va_" not in name)
    assert len(analyzer.image(astronaut)) == 1


def test_the_crop_is_what_the_authors_code_feeds(mtl: Path, tmp_path: Path, astronaut: np.ndarray) -> None:
    """OpenCV's bilinear resize, RGB, ImageNet's mean and deviation, channels first: written out here as they do it."""
    import cv2

    spec = import_emotiefflib(mtl, MTL, tmp_path / "bundle")
    pixels = cv2.resize(astronaut, (224, 224)).astype(np.float64) / 255
    theirs = ((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)[None].astype(np.float32)
    scores = create_session(mtl).run({"input": theirs})["output"][0]
    faces = Analyzer(tmp_path / "bundle", threads=1).crops([astronaut])
    names = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    shares = np.exp(scores[:8] - scores[:8].max())
    for name, share in zip(names, shares / shares.sum(), strict=True):
        assert faces.expression[0, faces.expression_labels.index(name)] == pytest.approx(share, abs=1e-4)
    expected = prepare(cv2.resize(astronaut, (224, 224))[None], spec.input)
    np.testing.assert_allclose(theirs, expected, atol=1e-4)


def test_raw_valence_and_arousal_are_kept_and_shown_within_bounds(mtl: Path, tmp_path: Path) -> None:
    """Pitfall 27: softmax only over the classes; the two linear columns may leave [-1, 1]."""
    import_emotiefflib(mtl, MTL, tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle", threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (8, 224, 224, 3), dtype=np.uint8)
    outputs = bundle.run(crops)
    scores = create_session(mtl).run({"input": prepare(crops, bundle.spec.input)})["output"]
    np.testing.assert_allclose(np.hstack([outputs["expression_logits"], outputs["valence_arousal"]]), scores, atol=1e-4)
    faces = Analyzer(tmp_path / "bundle", threads=1).crops(list(crops))
    raw = outputs["valence_arousal"]
    assert np.abs(raw).max() > 1  # else this would show nothing
    np.testing.assert_allclose(np.stack([faces.valence, faces.arousal], 1), raw.clip(-1, 1), atol=1e-5)
    # Features and scores side by side are the 1290 columns of the challenge heads.
    assert outputs["features"].shape[1] + scores.shape[1] == 1290


def test_a_file_for_one_crop_is_opened_for_many(tmp_path: Path) -> None:
    path = published(tmp_path / "x.onnx", EMOTIEFFLIB[MTL], batch=1)
    import_emotiefflib(path, MTL, tmp_path / "bundle")
    crops = np.zeros((5, 224, 224, 3), np.uint8)
    assert load_bundle(tmp_path / "bundle", threads=1).run(crops)["features"].shape == (5, 1280)


def test_the_card_tells_where_the_weights_come_from(mtl: Path, tmp_path: Path) -> None:
    card = model_card(import_emotiefflib(mtl, MTL, tmp_path / "bundle"))
    for words in ("AffectNet", "research only", "EmotiEffLib", "None yet", "not bounded", "not calibrated"):
        assert words in card


def test_a_checkpoint_chosen_on_another_set_says_so(tmp_path: Path) -> None:
    path = published(tmp_path / "a.onnx", EMOTIEFFLIB["enet_b0_8_best_afew"])
    assert "selected on AFEW" in model_card(import_emotiefflib(path, "enet_b0_8_best_afew", tmp_path / "bundle"))


def drop_last(model: onnx.ModelProto) -> None:
    del model.graph.node[-1]
    model.graph.output[0].name = "/Flatten_output_0"


def second_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, None))


def external(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def taken_name(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.input[:] = ["features" if name == "flat" else name for name in node.input]
        node.output[:] = ["features" if name == "flat" else name for name in node.output]


def bytes_for_pixels(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


def old(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 9


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (drop_last, "expected a matrix"),
        (second_output, "one input and one output, got 1 and 2"),
        (external, "weights are in another file"),
        (taken_name, "cannot be split into tasks"),
        (bytes_for_pixels, "expected float32 crops"),
        (old, "opset 9 is older"),
    ],
)
def test_another_kind_of_graph(
    harm: Callable[[onnx.ModelProto], None], message: str, mtl: Path, tmp_path: Path
) -> None:
    model = onnx.load(mtl)
    harm(model)
    mtl.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=rf"{MTL}\.onnx: .*{message}"):
        import_emotiefflib(mtl, MTL, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an ONNX file without a graph"),
        (b"not a network", "not an ONNX file|an ONNX file without a graph"),
        (None, "cannot be read"),
        (0.5, "not an ONNX file"),
    ],
)
def test_a_file_that_is_none(content: bytes | float | None, message: str, mtl: Path, tmp_path: Path) -> None:
    whole = mtl.read_bytes()
    mtl.unlink()
    if content is not None:
        mtl.write_bytes(whole[: int(len(whole) * content)] if isinstance(content, float) else content)
    with pytest.raises(ModelError, match=rf"{MTL}\.onnx: ({message})"):
        import_emotiefflib(mtl, MTL, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("enet_b0_8_best_vgaf", "8 scores over 1280 features, this graph 10 over 1280; is it the file of another name"),
        ("mobilevit_va_mtl", "10 scores over 320 or 384 or 640 features"),
        ("enet_b2_8", r"takes crops \(3, 260, 260\)"),
    ],
)
def test_the_file_of_another_name(name: str, message: str, mtl: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        import_emotiefflib(mtl, name, tmp_path / "bundle")


def test_a_name_that_is_not_published(mtl: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'enet_b9'; choose from .*enet_b0_8_va_mtl"):
        import_emotiefflib(mtl, "enet_b9", tmp_path / "bundle")


def test_a_folder_that_is_a_file(mtl: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot write .*bundle"):
        import_emotiefflib(mtl, MTL, tmp_path / "bundle")
    assert (tmp_path / "bundle").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the exporter of old warns about itself
@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("enet_b0_8_va_mtl", "tf_efficientnet_b0"),
        ("enet_b2_8", "tf_efficientnet_b2"),
        ("enet_b2_7", "tf_efficientnet_b2"),
        ("mbf_va_mtl", "mobilefacenet"),
        ("mobilevit_va_mtl", "mobilevit_xxs"),
        ("mobilevit_va_mtl", "mobilevit_s"),
    ],
)
def test_the_real_architectures(name: str, backbone: str, tmp_path: Path, astronaut: np.ndarray) -> None:
    """Exported as the authors did: opset 11, by tracing."""
    torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
    from timm.layers import set_fused_attn

    from mien.training.models.backbones import create_backbone

    set_fused_attn(enable=False)  # opset 11 has no operator for it
    torch.manual_seed(0)
    net = EMOTIEFFLIB[name]
    features = create_backbone(backbone)
    model = torch.nn.Sequential(features, torch.nn.Linear(features.num_features, net.n_scores)).eval()
    example = torch.randn(1, 3, net.size_px, net.size_px)
    file, batch = io.BytesIO(), {0: "batch_size"}
    torch.onnx.export(
        model,
        (example,),
        file,
        opset_version=11,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": batch, "output": batch},
        dynamo=False,
    )
    (tmp_path / f"{name}.onnx").write_bytes(file.getvalue())
    import_emotiefflib(tmp_path / f"{name}.onnx", name, tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle", threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (2, net.size_px, net.size_px, 3), dtype=np.uint8)
    outputs = bundle.run(crops)
    with torch.inference_mode():
        pixels = torch.from_numpy(prepare(crops, bundle.spec.input))
        np.testing.assert_allclose(outputs["features"], features(pixels).numpy(), atol=1e-4)
        scores = model(pixels).numpy()
    columns = [outputs[task.output] for task in bundle.spec.tasks]
    np.testing.assert_allclose(np.hstack(columns), scores, atol=1e-4)
    assert len(Analyzer(tmp_path / "bundle", threads=1).image(astronaut)) == 1
