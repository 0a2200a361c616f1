# SPDX-License-Identifier: Apache-2.0
"""Copies of the default bundle with another description, or with shuffled weights."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from mien.inference import find_bundle


def write_variant(folder: Path, **changes: object) -> Path:
    """Write a copy of the default bundle whose ``model.json`` has other values for some keys."""
    shutil.copytree(find_bundle("mien-light"), folder)
    content = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(content | changes), "utf-8")
    return folder


def write_whole(folder: Path) -> Path:
    """Write a copy of the default bundle that reads given crops whole."""
    content = json.loads((find_bundle("mien-light") / "model.json").read_text("utf-8"))
    return write_variant(folder, crop=content["crop"] | {"given": "whole"})


def write_shuffled(folder: Path) -> Path:
    """Write a copy of the default bundle in which the weights of each layer have changed places."""
    import onnx
    from onnx import numpy_helper

    write_variant(folder)
    graph = onnx.load(str(folder / "model.onnx"))
    rng = np.random.default_rng(0)
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim >= 2 and values.size > 64:
            tensor.CopyFrom(numpy_helper.from_array(rng.permutation(values.ravel()).reshape(values.shape), tensor.name))
    content = graph.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    description = json.loads((folder / "model.json").read_text("utf-8"))
    description.pop("uncertainty", None)
    description["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(description), "utf-8")
    return folder
