# SPDX-License-Identifier: Apache-2.0
"""Bundles: the shipped one works, a harmed one is refused with its name and what to do."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.core import ConfigError, InputSpec, ModelError
from mien.inference import (
    Bundle,
    Session,
    bundle_digest,
    create_session,
    find_bundle,
    list_bundles,
    load_bundle,
    load_spec,
    open_bundle,
    prepare,
)
from tests.helpers.json_mutants import check_mutants


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped bundle that a test may harm."""
    return Path(shutil.copytree(find_bundle("mien-light"), tmp_path / "copy"))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(threads=1)


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_the_default_bundle_is_listed_and_small() -> None:
    assert "mien-light" in list_bundles()
    assert (find_bundle("mien-light") / "model.onnx").stat().st_size < 20e6


def test_a_name_and_its_folder_are_the_same(bundle: Bundle, folder: Path) -> None:
    copy = load_bundle(folder, threads=1)
    assert (copy.spec, copy.digest) == (bundle.spec, bundle.digest)
    assert load_spec(str(folder)) == bundle.spec
    assert bundle.digest == hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()


def crops(n: int, bundle: Bundle) -> np.ndarray:
    size = bundle.spec.input.size_px
    shape = (n, size, size) if bundle.spec.input.n_channels == 1 else (n, size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 65])
def test_every_output_for_every_crop(bundle: Bundle, n: int) -> None:
    outputs = bundle.run(crops(n, bundle))
    for task in bundle.spec.tasks:
        assert outputs[task.output].shape == (n, len(task.labels))
        assert np.isfinite(outputs[task.output]).all()
    alone = bundle.run(crops(n, bundle)[-1:])
    for name, values in alone.items():
        np.testing.assert_allclose(outputs[name][-1:], values, atol=1e-3, err_msg=name)


def test_nothing_in_nothing_out(bundle: Bundle) -> None:
    assert bundle.run(crops(0, bundle)) == {}


@pytest.mark.parametrize("harm", ["size", "dtype", "rank"])
def test_crops_that_do_not_fit(bundle: Bundle, harm: str) -> None:
    good = crops(2, bundle)
    bad = {"size": good[:, :-1], "dtype": good.astype(np.float32), "rank": good[0]}[harm]
    with pytest.raises(ModelError, match="mien-light takes uint8 crops"):
        bundle.run(bad)


@pytest.mark.parametrize("place", [0, 0.5, 1.0])
def test_one_flipped_bit(folder: Path, place: float) -> None:
    path = folder / "model.onnx"
    graph = bytearray(path.read_bytes())
    graph[int(place * (len(graph) - 1))] ^= 1
    path.write_bytes(graph)
    with pytest.raises(ModelError, match=r"copy: model\.onnx has SHA-256 .*the bundle is damaged, copy it again"):
        load_bundle(folder)


def test_a_cut_graph(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="the bundle is damaged"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=r"copy.*(model\.onnx: cannot be read|no folder with model\.json)"):
        load_bundle(folder)


def test_a_graph_of_something_else(folder: Path) -> None:
    graph = b"not a graph at all" * 100
    (folder / "model.onnx").write_bytes(graph)
    edit(folder, lambda spec: spec.update(sha256=hashlib.sha256(graph).hexdigest()))
    with pytest.raises(ModelError, match="not a model that ONNX Runtime"):
        load_bundle(folder)


def test_a_bundle_that_mien_brings_is_verified_and_loaded_when_it_is_needed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[int] = []

    def counted(graph: bytes, *, runtime: str, threads: int) -> Session:
        created.append(threads)
        return create_session(graph, runtime=runtime, threads=threads)

    monkeypatch.setattr("mien.inference.bundle.create_session", counted)
    files = open_bundle("mien-light", threads=2)
    assert (files.spec, files.digest, files.folder, created) == (bundle.spec, bundle.digest, bundle.folder, [])
    one = files.load(1)
    assert files.load(1) is one
    assert files.load(2).spec == one.spec
    assert created == [1, 2]
    given, wanted = one.run(crops(3, bundle)), bundle.run(crops(3, bundle))
    assert all(np.array_equal(given[name], wanted[name]) for name in wanted)


def test_a_bundle_from_elsewhere_is_run_at_once_and_its_session_is_kept(folder: Path) -> None:
    files = open_bundle(folder, threads=1)
    (folder / "model.onnx").unlink()
    assert files.load(1).run(crops(1, files.load(1)))
    with pytest.raises(ModelError, match=r"model\.onnx: cannot be read"):
        files.load(2)


@pytest.mark.parametrize("harm", ["graph", "width", "missing"])
def test_a_harmed_bundle_is_refused_before_it_is_needed(folder: Path, harm: str) -> None:
    if harm == "graph":
        (folder / "model.onnx").write_bytes(b"not the graph")
    elif harm == "width":
        edit(folder, lambda spec: spec["tasks"][0].update(output=spec["tasks"][1]["output"]))
    else:
        (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match="copy"):
        open_bundle(folder, threads=1)


@pytest.mark.parametrize(("wrong", "message"), [({"threads": 0}, "at least 1"), ({"runtime": "onnx"}, "no runtime")])
def test_wrong_settings_are_refused_before_a_session_is_needed(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_bundle("mien-light", **wrong)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"x"', b"{}"])
def test_a_description_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match="copy"):
        load_spec(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None, 1.5])
def test_another_version(folder: Path, version: object) -> None:
    edit(folder, lambda spec: spec.update(spec_version=version))
    with pytest.raises(ModelError, match=r"copy: spec_version .* is not 1; .*update mien"):
        load_spec(folder)


@pytest.mark.parametrize("key", ["name", "version", "sha256", "input", "crop", "tasks"])
def test_a_missing_key(folder: Path, key: str) -> None:
    edit(folder, lambda spec: spec.pop(key))
    with pytest.raises(ModelError, match=rf"copy: model\.json: .*{key}"):
        load_spec(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda spec: spec.update(extra=1), r"unknown keys \['extra'\]"),
        (lambda spec: spec["input"].update(size_px="112"), "input: size_px must be int, got '112'"),
        (lambda spec: spec["input"].update(size_px=0), "size_px must be positive"),
        (lambda spec: spec["input"].update(size_px=True), "size_px must be int, got True"),
        (lambda spec: spec["input"].update(colour="hsv"), "colour must be one of"),
        (lambda spec: spec["input"].update(mean=[1.0]), "means and stds"),
        (lambda spec: spec["crop"]["template"].pop(), "must have 5|has 5 keypoints"),
        (lambda spec: spec["tasks"][0].update(labels=["a", "a"]), "distinct labels"),
        (lambda spec: spec["tasks"][0].update(activation="tanh"), "activation must be one of"),
        (lambda spec: spec["tasks"][0].update(temperature=0.0), "temperature"),
        (lambda spec: spec["tasks"].append(spec["tasks"][0]), "each task once"),
        (lambda spec: spec.update(tasks={}), "tasks must be a list"),
        (lambda spec: spec.update(name=7), "name must be str, got 7"),
        (lambda spec: spec.update(name="\x1b[31mred"), "name must be 1 to 200 printable characters"),
        (lambda spec: spec.update(name="\ud800"), "name must be Unicode text"),
        (lambda spec: spec["input"].update(size_px=100_000), "input: size_px must be at most 1024, got 100000"),
        (lambda spec: spec["input"].update(size_px=[1] * 1000), r"size_px must be int, got \[1, .{190,200}\.\.\.$"),
        (lambda spec: spec["crop"].update(template=[[0, 0]] * 5), "crop: a template has the first eye at the left"),
        (lambda spec: spec["crop"]["template"].reverse(), "crop: a template has the first eye at the left"),
        (lambda spec: spec["crop"]["template"].__setitem__(0, [-50, 0.4]), "crop: the keypoints .* are fractions"),
        (lambda spec: spec["crop"]["template"].__setitem__(2, [float("nan"), 0.4]), "template must be finite"),
        (lambda spec: spec["crop"]["template"].__setitem__(2, [10**400, 0.4]), r"template\[2\]\[0\] is too large"),
        (lambda spec: spec["tasks"][0].update(temperature=float("nan")), "temperature must be finite"),
        (lambda spec: spec["tasks"][0].update(temperature=1e-9), "temperature of expression must be from 0.001 to"),
        (lambda spec: spec["tasks"][2]["thresholds"].__setitem__(0, 1.5), r"thresholds of action_units .* \[0, 1\]"),
        (lambda spec: spec["tasks"][0]["labels"].__setitem__(0, ""), "labels must be 1 to 200 printable"),
        (lambda spec: spec["tasks"][1].update(low=-7.0), r"low and high of valence_arousal must be within \[-1, 1\]"),
        (lambda spec: spec["tasks"][0].update(low=1.0), "low of expression must be below high"),
        (lambda spec: spec.update(features="expression_logits"), "must name another output of the graph"),
        (lambda spec: spec["tasks"][1].update(output="expression_logits"), "must name another output of the graph"),
        (lambda spec: spec["quality"].update(intercept=float("inf")), "quality: intercept must be finite"),
        (lambda spec: spec["quality"]["mean"].__setitem__(0, float("-inf")), "quality: mean must be finite"),
    ],
)
def test_a_wrong_value(folder: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    edit(folder, change)
    with pytest.raises(ModelError, match=f"copy.*({message})"):
        load_spec(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec["input"].update(name="pixels"),
        lambda spec: spec["tasks"][0].update(output="logits"),
        lambda spec: spec.update(features="embedding"),
    ],
)
def test_a_graph_without_what_the_description_names(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    edit(folder, change)
    with pytest.raises(ModelError, match=r"copy: the graph has inputs .* model\.json names"):
        load_bundle(folder)


def test_a_description_without_outputs(folder: Path) -> None:
    edit(folder, lambda spec: spec.update(tasks=[], features=""))
    with pytest.raises(ModelError, match="names neither tasks nor features"):
        load_bundle(folder)


def test_a_description_nested_too_deep(folder: Path) -> None:
    (folder / "model.json").write_text("[" * 100_000 + "]" * 100_000, "utf-8")
    with pytest.raises(ModelError, match=r"model\.json: not JSON"):
        load_spec(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda spec: spec["tasks"][0]["labels"].append("bored"),
            r"expression_logits must have .*labels; got \(2, 8\)",
        ),
        (lambda spec: spec["tasks"][0]["labels"].pop(), r"expression_logits must have .*labels; got \(2, 8\)"),
        (lambda spec: spec["input"].update(dtype="float32", mean=[0.0], std=[1.0]), "cannot run it on these inputs"),
        (lambda spec: spec["input"].update(layout="NCHW"), "cannot run it on these inputs"),
        (lambda spec: spec["input"].update(colour="rgb"), "cannot run it on these inputs"),
        (lambda spec: spec["input"].update(size_px=64), "cannot run it on these inputs"),
    ],
)
def test_a_graph_that_does_something_else(folder: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    edit(folder, change)
    with pytest.raises(ModelError, match=rf"copy: the graph does not do what model\.json says: .*{message}"):
        load_bundle(folder, threads=1)


def test_a_landmark_bundle_is_checked_alike(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(find_bundle("mien-points"), tmp_path / "copy"))
    edit(copy, lambda spec: spec["tasks"][0].update(output="eyes_logits") or spec["tasks"][2].update(output="points"))
    with pytest.raises(ModelError, match=r"output eyes_logits must have shape \(2, 136\) .* got \(2, 2\)"):
        load_bundle(copy, kind="landmarks", threads=1)


def outputs_of(graph: str) -> tuple[Any, ...]:
    """Nodes, constants and type of a graph whose output is wrong."""
    from onnx import TensorProto, helper

    weight = np.ones((16, 3), np.float32)
    if graph == "not finite":
        return [helper.make_node("MatMul", ["flat", "w"], ["logits"])], {"w": weight * np.float32(np.inf)}
    if graph == "whole numbers":
        product = helper.make_node("MatMul", ["flat", "w"], ["real"])
        cast = helper.make_node("Cast", ["real"], ["logits"], to=TensorProto.INT64)
        return [product, cast], {"w": weight}, TensorProto.INT64
    if graph == "one row":
        product = helper.make_node("MatMul", ["flat", "w"], ["rows"])
        return [product, helper.make_node("ReduceMean", ["rows", "axes"], ["logits"])], {
            "w": weight,
            "axes": np.int64([0]),
        }
    return [helper.make_node("MatMul", ["flat", "w"], ["logits"])], {"w": np.ones((15, 3), np.float32)}


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ("not finite", "logits is not finite on a gray image"),
        ("whole numbers", "logits must hold floating-point numbers, got int64"),
        ("one row", r"logits must have shape \(2, 3\) for 2 faces, .*; got \(1, 3\)"),
        ("damaged", "ONNX Runtime cannot run it|not a model that ONNX Runtime"),
    ],
)
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_outputs_that_cannot_be_right(tmp_path: Path, graph: str, message: str, runtime: str) -> None:
    pytest.importorskip("onnx", reason="needs onnx to make a graph")
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="needs the extra openvino")
    from tests.helpers.broken_graphs import write_bundle_of

    with pytest.raises(ModelError, match=f"({message})"):
        load_bundle(write_bundle_of(tmp_path / "bundle", *outputs_of(graph)), runtime=runtime, threads=1)


CASES = Path(__file__).parents[3] / "shared" / "cases" / "files"


@pytest.mark.parametrize(
    ("case", "key"),
    [("bundle_lab0_more", "labels"), ("bundle_size_100000", "size_px"), ("bundle_tmpl_zero", "template")],
)
def test_descriptions_of_shared_cases(folder: Path, case: str, key: str) -> None:
    source = CASES / f"{case}.model.json"
    if not source.is_file():
        pytest.skip("needs shared/cases")
    content = json.loads(source.read_text("utf-8"))
    content["sha256"] = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    if key != "size_px":
        content["input"]["size_px"] = load_spec().input.size_px
    (folder / "model.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(ModelError, match=key):
        load_bundle(folder, threads=1)


def small_bundle(folder: Path) -> dict[str, Any]:
    """Write a small bundle and return its description."""
    pytest.importorskip("onnx", reason="needs onnx to make a graph")
    from tests.helpers.small_graphs import small_graph, small_spec

    graph = small_graph()
    (folder / "model.onnx").write_bytes(graph)
    content: dict[str, Any] = json.loads(json.dumps(small_spec(graph).to_json()))
    return content


def test_mutated_descriptions_are_refused_or_work(tmp_path: Path) -> None:
    check_mutants(tmp_path, "model.json", small_bundle(tmp_path), load_bundle, 150)


@pytest.mark.slow
def test_many_mutated_descriptions_are_refused_or_work(tmp_path: Path) -> None:
    check_mutants(tmp_path, "model.json", small_bundle(tmp_path), load_bundle, 2000)


@pytest.mark.parametrize("load", [load_bundle, load_spec, bundle_digest])
def test_the_kind_is_checked_before_the_graph(folder: Path, load: Callable[..., Any]) -> None:
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"^mien-light predicts affect, .* landmarks is needed; name mien-points or"):
        load(folder, kind="landmarks")
    with pytest.raises(
        ModelError, match=r"^mien-points predicts landmarks, .* affect is needed; name mien-accurate or mien-light or"
    ):
        load("mien-points", kind="affect")


def test_names_of_another_kind_are_neither_listed_nor_suggested() -> None:
    assert list_bundles("affect") == ["mien-accurate", "mien-light"]
    assert list_bundles("landmarks") == ["mien-points"]
    assert list_bundles("faces") == ["mien-faces"]
    assert set(list_bundles()) == {"mien-accurate", "mien-faces", "mien-light", "mien-points"}
    with pytest.raises(ModelError, match="did you mean 'mien-points'"):
        find_bundle("mien-point")
    with pytest.raises(ModelError, match="did you mean 'mien-light'"):
        find_bundle("mien-point", kind="affect")
    with pytest.raises(ModelError, match=r"installed bundles: mien-points$"):
        find_bundle("zzz", kind="landmarks")


def test_a_name_that_is_almost_right() -> None:
    with pytest.raises(ModelError, match=r"mien-lihgt: no bundle of that name .*did you mean 'mien-light'"):
        find_bundle("mien-lihgt")


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelError, match="file: no bundle"):
        load_bundle(tmp_path / "file")


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("colour", ["gray", "rgb"])
def test_crops_as_the_graph_wants_them(colour: str, layout: str) -> None:
    n_channels = 1 if colour == "gray" else 3
    mean, std = (10.0, 20.0, 30.0)[:n_channels], (1.0, 2.0, 4.0)[:n_channels]
    spec = InputSpec(name="x", size_px=4, colour=colour, layout=layout, dtype="float32", mean=mean, std=std)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, n_channels), dtype=np.uint8)
    batch = prepare(pixels[..., 0] if n_channels == 1 else pixels, spec)
    expected = (pixels.astype(np.float64) - mean) / std
    if layout == "NCHW":
        expected = expected.transpose(0, 3, 1, 2)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    np.testing.assert_allclose(batch, expected, atol=1e-5)


def test_bytes_stay_bytes() -> None:
    spec = InputSpec(name="x", size_px=4, colour="rgb", layout="NHWC", dtype="uint8")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(prepare(pixels, spec), pixels)
    assert prepare(pixels, spec).dtype == np.uint8


@pytest.mark.parametrize("name", ["mien-light", "mien-accurate"])
def test_what_hidden_faces_lose_needs_the_embedding_of_the_bundle(name: str, tmp_path: Path) -> None:
    target = tmp_path / name
    shutil.copytree(find_bundle(name), target)
    n_features = len(json.loads((target / "model.json").read_text())["uncertainty"]["covered"]["weights"])
    unit = {
        "name": "detail",
        "weights": [0.0] * (n_features - 1),
        "bias": 0.0,
        "signals": [],
        "signal_weights": [],
        "mean": [],
        "deviation": [],
        "shares": [0.5],
        "factors": [1.0],
        "data": "",
        "n": 1,
        "command": "",
    }
    edit(target, lambda spec: spec["quality"].update(hiding=[unit]))
    with pytest.raises(ModelError, match=f"of the quality have \\[{n_features - 1}, {n_features}\\] weights"):
        load_bundle(target, threads=1)
    unit["weights"] = [0.0] * n_features
    edit(target, lambda spec: spec["quality"].update(hiding=[unit]))
    assert load_bundle(target, threads=1).spec.quality.hiding[0].name == "detail"  # type: ignore[union-attr]  # it has one
