# SPDX-License-Identifier: Apache-2.0
"""Operations and bytes are counted from the graph."""

import numpy as np
import pytest


def test_work_is_counted_from_the_graph() -> None:
    onnx = pytest.importorskip("onnx", reason="an extra: pip install 'mien[train]'")
    from benchmarks.performance.graph_work import work_of

    helper = onnx.helper
    kernel = onnx.numpy_helper.from_array(np.ones((4, 2, 3, 3), np.float32), "kernel")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "kernel"], ["y"], pads=[1, 1, 1, 1])],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 2, 8, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4, 8, 8])],
        [kernel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    work = work_of(model.SerializeToString(), (1, 2, 8, 8))
    assert work.flop == 2 * 4 * 8 * 8 * 2 * 3 * 3
    assert work.weight_bytes == 4 * kernel.dims[0] * 2 * 9
    assert work.moved_bytes == work.weight_bytes + 4 * (2 + 4) * 64
