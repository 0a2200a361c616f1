# SPDX-License-Identifier: Apache-2.0
"""Trunks of face networks: the published layouts are read, and files that are something else are refused."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ModelError
from mien.training.models.start_files import import_start, read_trunk
from tests.helpers.face_trunks import Arrays, faceres_arrays, sface_arrays, write_tfjs


def test_a_tfjs_graph_becomes_a_trunk_file(tmp_path: Path) -> None:
    arrays = faceres_arrays()
    made = import_start(write_tfjs(tmp_path, arrays), tmp_path / "trunk.npz")
    with np.load(tmp_path / "trunk.npz") as stored:
        assert set(stored.files) == set(arrays) - {"global_pooling/unused"}
    read = read_trunk(tmp_path / "trunk.npz")
    assert (read.kind, len(read.layers)) == ("faceres", 27)
    for first, second in zip(made.layers, read.layers, strict=True):
        np.testing.assert_array_equal(first.weight, second.weight)
    depthwise = arrays["conv_dw_2/depthwise_kernel"][..., 0] * arrays["conv_dw_2_bn/batchnorm_1/mul"]
    np.testing.assert_allclose(read.layers[3].weight[:, 0], depthwise.transpose(2, 0, 1), rtol=4e-3, atol=1e-4)
    stem = arrays["conv1/convolution/merged_input"]
    np.testing.assert_allclose(read.layers[0].weight[:, 0], stem[:, :, 2].transpose(2, 0, 1), rtol=2e-3)  # red is last


def write_sface(path: Path, arrays: Arrays, block: int) -> None:
    """SFace as published: plain, or with kernels as blocks of 8-bit integers that the graph widens and reshapes."""
    onnx = pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")
    from onnx import helper, numpy_helper

    nodes, tensors = [], []
    for name, values in arrays.items():
        if not block or not name.endswith("_weight"):
            tensors.append(numpy_helper.from_array(values, name))
            continue
        flat = values.reshape(len(values), -1)
        n_blocks = -(-flat.shape[1] // block)
        padded = np.zeros((len(flat), n_blocks * block), np.float32)
        padded[:, : flat.shape[1]] = flat
        scale = np.abs(padded.reshape(len(flat), n_blocks, block)).max(axis=2) / 127 + np.float32(1e-9)
        whole = np.round(flat / np.repeat(scale, block, 1)[:, : flat.shape[1]]).astype(np.int8)
        parts = (f"{name}_q", whole), (f"{name}_s", scale), (f"{name}_z", np.zeros(scale.shape, np.int8))
        tensors += [numpy_helper.from_array(part, key) for key, part in parts]
        tensors.append(numpy_helper.from_array(np.array(values.shape), f"{name}_shape"))
        keys = [key for key, _ in parts]
        nodes += [
            helper.make_node("DequantizeLinear", keys, [f"{name}_flat"], axis=1, block_size=block),
            helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [f"{name}_reshaped"]),
        ]
    onnx.save(helper.make_model(helper.make_graph(nodes, "sface", [], [], tensors)), path)


@pytest.mark.parametrize("block", [0, 64])
def test_sface_with_and_without_blocks_of_integers(tmp_path: Path, block: int) -> None:
    arrays = sface_arrays()
    write_sface(tmp_path / "sface.onnx", arrays, block)
    import_start(tmp_path / "sface.onnx", tmp_path / "trunk.npz")
    read = read_trunk(tmp_path / "trunk.npz")
    assert (read.kind, len(read.layers), read.mean[0]) == ("sface", 27, 127.5)
    for name, layer in (("conv_2_dw", read.layers[1]), ("conv_14", read.layers[26])):
        expected = arrays[f"{name}_conv2d_weight"]
        np.testing.assert_allclose(layer.weight, expected, atol=0.01 * np.abs(expected).max())
        assert layer.slope is not None
        np.testing.assert_allclose(layer.slope, arrays[f"{name}_relu_gamma"][:, 0, 0], atol=1e-3)


def test_other_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    part = {name: values for name, values in faceres_arrays().items() if "conv_pw_13" not in name}
    np.savez(tmp_path / "part.npz", **part)  # type: ignore[arg-type]  # NumPy types its one option first
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 cut")
    (tmp_path / "broken.json").write_text("{}")
    (tmp_path / "weights.h5").write_bytes(b"")
    cut = write_tfjs(tmp_path, faceres_arrays())
    (tmp_path / "faceres-2.bin").write_bytes(b"\0" * 10)
    for path, message in (
        (tmp_path / "other.npz", "neither FaceRes nor SFace"),
        (tmp_path / "part.npz", r"part of faceres only: it lacks the array 'conv_pw_13"),
        (tmp_path / "broken.npz", "cannot be read as a face network"),
        (tmp_path / "broken.json", "cannot be read as a face network: 'weightsManifest'"),
        (tmp_path / "weights.h5", r"is an .npz, .onnx or \(tfjs\) .json file"),
        (tmp_path / "absent.npz", "absent.npz: no such file"),
        (cut, "cannot be read as a face network"),
    ):
        with pytest.raises(ModelError, match=message):
            import_start(path, tmp_path / "trunk.npz")
    assert not (tmp_path / "trunk.npz").exists()
