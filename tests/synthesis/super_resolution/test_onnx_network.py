# SPDX-License-Identifier: Apache-2.0
"""Users' ONNX files as super-resolution networks: padding, factors, and graphs of another kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.core import ModelError
from mien.synthesis import create_upscaler

onnx = pytest.importorskip("onnx", reason="needs the extra test: pip install 'mien[test]'")


def write_resize(
    path: Path, *, scale: float = 2, shape: tuple[object, ...] = (1, 3, "h", "w"), outputs: int = 1
) -> Path:
    """A graph that repeats pixels."""
    helper, kinds = onnx.helper, onnx.TensorProto
    scales = helper.make_tensor("scales", kinds.FLOAT, [4], [1, 1, scale, scale])
    names = ["y", "z"][:outputs]
    nodes = [
        helper.make_node(
            "Resize",
            ["x", "", "scales"],
            [name],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        for name in names
    ]
    graph = helper.make_graph(
        nodes,
        "resize",
        [helper.make_tensor_value_info("x", kinds.FLOAT, shape)],
        [helper.make_tensor_value_info(name, kinds.FLOAT, (1, 3, None, None)) for name in names],
        [scales],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("scale", [2, 4])
def test_a_users_graph_enlarges_any_size(tmp_path: Path, scale: int) -> None:
    face = np.random.default_rng(0).integers(0, 256, (7, 10, 3), dtype=np.uint8)
    upscaler = create_upscaler(write_resize(tmp_path / "net.onnx", scale=scale))
    assert upscaler.network.factor == scale
    assert upscaler(face).tolist() == face.repeat(2, axis=0).repeat(2, axis=1).tolist()


def test_sides_are_padded_to_a_multiple_of_4(tmp_path: Path) -> None:
    """A graph that folds pixels into channels refuses other sizes."""
    network = create_upscaler(write_resize(tmp_path / "net.onnx")).network
    seen: list[tuple[int, ...]] = []
    run = network._session.run  # type: ignore[attr-defined]
    network._session = type(  # type: ignore[attr-defined]
        "Spy",
        (),
        {
            "input_names": ("x",),
            "output_names": ("y",),
            "run": staticmethod(lambda inputs: (seen.append(inputs["x"].shape), run(inputs))[1]),
        },
    )()
    pixels = np.random.default_rng(0).random((3, 7, 10), dtype=np.float32)
    assert network.enlarge(pixels).shape == (3, 14, 20)
    assert seen == [(1, 3, 8, 12)]


def test_graphs_of_another_kind_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="enlarges no RGB images"):
        create_upscaler(write_resize(tmp_path / "same.onnx", scale=1))
    with pytest.raises(ModelError, match="of any size"):
        create_upscaler(write_resize(tmp_path / "fixed.onnx", shape=(1, 3, 48, 48)))
    with pytest.raises(ModelError, match="one input and one output"):
        create_upscaler(write_resize(tmp_path / "two.onnx", outputs=2))
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(ModelError):
        create_upscaler(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match=r"missing\.onnx"):
        create_upscaler(tmp_path / "missing.onnx")
