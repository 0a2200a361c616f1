# SPDX-License-Identifier: Apache-2.0
import dataclasses
import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.core import ConfigError, ModelError
from mien.faces import load_landmark_net
from mien.inference import load_bundle, load_spec
from mien.training import TurnSettings, join_turned
from mien.training.export.bundle_files import write_bundle

SIDE = 16
OUTPUTS = {"points": 136, "pose_rad": 3, "eyes_logits": 2, "face_logit": 1}


def landmark_graph(seed: int) -> bytes:
    """Dense layers on the pixels of a crop; yaws spread over all directions."""
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Flatten", ["crops"], ["flat"], name="flat"),
        helper.make_node("Cast", ["flat"], ["float"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "mean"], ["centred"], name="sub"),
    ]
    constants = {"mean": np.float32(127.5)}
    for name, width in OUTPUTS.items():
        constants[f"w_{name}"] = rng.normal(0, 6e-4, (SIDE * SIDE, width)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", ["centred", f"w_{name}"], [name], name=name))
    graph = helper.make_graph(
        nodes,
        "landmarks",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in OUTPUTS.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def counting_graph(seed: int) -> bytes:
    """The same with the number of crops of the batch in every landmark."""
    model = onnx.load_from_string(landmark_graph(seed))
    (made,) = (node for node in model.graph.node if node.output[0] == "points")
    made.output[0] = "plain"
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["crops"], ["n_crops"], name="shape", start=0, end=1),
            helper.make_node("Cast", ["n_crops"], ["count"], name="count", to=TensorProto.FLOAT),
            helper.make_node("Add", ["plain", "count"], ["points"], name="add"),
        ]
    )
    return bytes(model.SerializeToString())


def write(folder: Path, seed: int, graph: bytes | None = None, **changes: object) -> Path:
    graph, spec = graph or landmark_graph(seed), load_spec("mien-points")
    spec = dataclasses.replace(
        spec,
        name=folder.name,
        sha256=hashlib.sha256(graph).hexdigest(),
        input=dataclasses.replace(spec.input, size_px=SIDE),
        metrics=(),
        limitations=(f"The one of {folder.name}.",),
    )
    write_bundle(folder, graph, dataclasses.replace(spec, **changes))  # type: ignore[arg-type]
    return folder


def noise(n: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(5).integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8)


def test_turned_heads_are_those_of_the_second_network_and_the_rest_is_the_first_ones(tmp_path: Path) -> None:
    first, second = write(tmp_path / "front", 1), write(tmp_path / "turned", 2)
    settings = TurnSettings(read_deg=20, from_deg=30, full_deg=50)
    join_turned(first, second, tmp_path / "joined", name="joined", settings=settings)
    crops = noise(200)
    one, two, joined = (load_bundle(folder).run(crops) for folder in (first, second, tmp_path / "joined"))
    yaws = [np.degrees(np.abs(outputs["pose_rad"][:, 1:2])) for outputs in (one, two)]
    share = np.clip((yaws[1] - 30) / 20, 0, 1) * (yaws[0] >= 20)
    assert 0.1 < (share == 0).mean() < 0.9  # all of the cases occur
    assert (share == 1).any()
    assert ((share > 0) & (share < 1)).any()
    assert ((yaws[0] < 20) & (yaws[1] > 50)).any()
    for name in ("points", "pose_rad"):
        expected = one[name] + share * (two[name] - one[name])
        np.testing.assert_allclose(joined[name], expected, atol=2e-3)  # weights of the second are halved
        np.testing.assert_array_equal(joined[name][share[:, 0] == 0], one[name][share[:, 0] == 0])
    for name in ("eyes_logits", "face_logit"):
        np.testing.assert_array_equal(joined[name], one[name])


def test_the_second_network_reads_the_turned_faces_of_a_batch_alone(tmp_path: Path) -> None:
    first = write(tmp_path / "front", 1)
    plain, counting = write(tmp_path / "plain", 2), write(tmp_path / "counting", 2, counting_graph(2))
    settings = TurnSettings(read_deg=20, from_deg=30, full_deg=50)
    for name, second in (("a", plain), ("b", counting)):
        join_turned(first, second, tmp_path / name, name=name, settings=settings)
    crops = noise(200)
    one, two = (load_bundle(folder).run(crops)["pose_rad"][:, 1] for folder in (first, plain))
    is_read, counts = np.abs(np.degrees(one)) >= 20, np.abs(np.degrees(two)) > 50
    bundles = [load_bundle(tmp_path / name) for name in ("a", "b")]
    others, alone = np.flatnonzero(~is_read), np.flatnonzero(is_read & counts)
    for n_turned, n_others in ((1, 0), (1, 15), (3, 4), (8, 0)):
        rows = np.random.default_rng(3).permutation([*alone[:n_turned], *others[:n_others]])
        without, added = (bundle.run(crops[rows])["points"] for bundle in bundles)
        expected = np.where(np.isin(rows, alone), n_turned, 0)[:, None]
        np.testing.assert_allclose(added - without, np.broadcast_to(expected, added.shape), atol=1e-4)


def test_a_face_is_read_alike_whatever_is_beside_it(tmp_path: Path) -> None:
    join_turned(write(tmp_path / "a", 1), write(tmp_path / "b", 2), tmp_path / "joined", name="joined")
    bundle, crops = load_bundle(tmp_path / "joined"), noise(60)
    together = bundle.run(crops)
    for name, values in together.items():
        alone = np.concatenate([bundle.run(crops[row : row + 1])[name] for row in range(len(crops))])
        np.testing.assert_allclose(values, alone, atol=1e-5)
    assert bundle.run(crops[:0]) == {}
    assert load_landmark_net(tmp_path / "joined").bundle.spec.name == "joined"


def test_the_other_runtime_gives_the_same(tmp_path: Path) -> None:
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    join_turned(write(tmp_path / "a", 1), write(tmp_path / "b", 2), tmp_path / "joined", name="joined")
    crops = noise(80)
    usual, other = (load_bundle(tmp_path / "joined", runtime=runtime) for runtime in ("onnxruntime", "openvino"))
    is_turned = np.abs(np.degrees(load_bundle(tmp_path / "a").run(crops)["pose_rad"][:, 1])) >= 20
    for rows in (is_turned, ~is_turned, np.arange(80) < 40, np.arange(80) < 1):
        assert rows.any()
        values = usual.run(crops[rows])
        for name, found in other.run(crops[rows]).items():
            np.testing.assert_allclose(found, values[name], atol=5e-3)


def test_the_result_says_what_it_is_made_of(tmp_path: Path) -> None:
    first, second = write(tmp_path / "front", 1, version="3"), write(tmp_path / "turned", 2, version="1")
    spec = join_turned(first, second, tmp_path / "joined", name="mien-points", version="4")
    assert (spec.name, spec.version, spec.metrics) == ("mien-points", "4", ())
    assert spec.provenance.startswith("front 3; heads turned by more than 35 to 50 degrees by turned 1. First: ")
    assert spec.limitations == ("The one of front.", "The one of turned.")
    assert load_spec(tmp_path / "joined") == spec


def test_bundles_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a", 1)
    crop = load_spec("mien-points").crop
    moved = dataclasses.replace(crop, template=tuple((x + 0.01, y) for x, y in crop.template))
    with pytest.raises(ModelError, match="cannot be joined: their crops differ"):
        join_turned(first, write(tmp_path / "b", 2, crop=moved), tmp_path / "joined", name="joined")
    with pytest.raises(ModelError, match="a bundle that predicts landmarks is needed"):
        join_turned(first, "mien-light", tmp_path / "joined", name="joined")
    with pytest.raises(ConfigError, match="is one of the two bundles itself"):
        join_turned(first, write(tmp_path / "c", 2), first, name="joined")
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("angles", [(20, 50, 50), (-1, 30, 50), (20, 30, 91), (20, 50, 30)])
def test_wrong_angles_are_refused(angles: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="angles must be in"):
        TurnSettings(read_deg=angles[0], from_deg=angles[1], full_deg=angles[2])
