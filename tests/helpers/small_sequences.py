# SPDX-License-Identifier: Apache-2.0
"""A sequence bundle whose graph is two sums over the utterance. Needs onnx."""

import hashlib
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mien.core import SEQUENCE_VERSION, ModalitySpec, SequenceSpec, UtteranceOutput
from mien.training.export.bundle_files import write_sequence

STEPS = 3
MODALITIES = (
    ModalitySpec(name="text", kind="text", n=50),
    ModalitySpec(name="audio", kind="features", n=2),
)


def write_small_sequence(folder: Path, scale: float = 0.01) -> SequenceSpec:
    """Write the bundle: both emotions are the sum of all values times a scale, sentiment is that sum."""
    n = sum(modality.length(STEPS) for modality in MODALITIES)
    weights = {"e": np.full((n, 2), scale, np.float32), "s": np.full((n, 1), scale, np.float32)}
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["crops", "e"], ["emotion"]), helper.make_node("MatMul", ["crops", "s"], ["tone"])],
        "sums",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", n])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", w]) for name, w in (("emotion", 2), ("tone", 1))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content = bytes(model.SerializeToString())
    spec = SequenceSpec(
        sequence_version=SEQUENCE_VERSION,
        name="sums",
        version="1",
        sha256=hashlib.sha256(content).hexdigest(),
        steps=STEPS,
        modalities=MODALITIES,
        tasks=(
            UtteranceOutput(task="emotion", output="emotion", labels=("joy", "fear")),
            UtteranceOutput(task="sentiment", output="tone", labels=("sentiment",)),
        ),
        input="crops",
    )
    write_sequence(folder, content, spec)
    return spec
