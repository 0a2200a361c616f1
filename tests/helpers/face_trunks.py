# SPDX-License-Identifier: Apache-2.0
"""Face networks with random weights under the names and in the layouts of the published files."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
Arrays = dict[str, npt.NDArray[np.float32]]


def faceres_arrays(seed: int = 0) -> Arrays:
    """Arrays of FaceRes' trunk as in its tfjs graph, and one of a layer after it."""
    rng = np.random.default_rng(seed)
    arrays = {
        "conv1/convolution/merged_input": _kernel(rng, 3, 3, 3, 32) / 64,
        "conv1_bn/batchnorm_1/sub": _bias(rng, 32),
    }
    for number, (n_in, n_out) in enumerate(pairwise(CHANNELS), start=1):
        arrays |= {
            f"conv_dw_{number}/depthwise_kernel": _kernel(rng, 3, 3, n_in, 1) * np.float32(np.sqrt(n_in)),
            f"conv_dw_{number}_bn/batchnorm_1/mul": rng.uniform(0.5, 1.5, n_in).astype(np.float32),
            f"conv_dw_{number}_bn/batchnorm_1/sub": _bias(rng, n_in),
            f"conv_pw_{number}/convolution/merged_input": _kernel(rng, 1, 1, n_in, n_out),
            f"conv_pw_{number}_bn/batchnorm_1/sub": _bias(rng, n_out),
        }
    return arrays | {"global_pooling/unused": _bias(rng, 4)}


def sface_arrays(seed: int = 0) -> Arrays:
    """Arrays of SFace's trunk as in its ONNX graph."""
    rng = np.random.default_rng(seed)
    arrays = {"scalar_op1": np.array([127.5], np.float32), "scalar_op2": np.array([1 / 128], np.float32)}
    layers = [("conv_1", 3, 32, 3)]
    for number, (n_in, n_out) in enumerate(pairwise(CHANNELS), start=2):
        layers += [(f"conv_{number}_dw", 1, n_in, 3), (f"conv_{number}", n_in, n_out, 1)]
    for name, n_in, n_out, side in layers:
        spread = np.float32(np.sqrt(2 / (n_in * side * side)))
        arrays |= {
            f"{name}_conv2d_weight": rng.standard_normal((n_out, n_in, side, side), dtype=np.float32) * spread,
            f"{name}_batchnorm_gamma": rng.uniform(0.5, 1.5, n_out).astype(np.float32),
            f"{name}_batchnorm_beta": _bias(rng, n_out),
            f"{name}_batchnorm_moving_mean": _bias(rng, n_out),
            f"{name}_batchnorm_moving_var": rng.uniform(0.5, 1.5, n_out).astype(np.float32),
            f"{name}_relu_gamma": rng.uniform(0, 0.5, (n_out, 1, 1)).astype(np.float32),
        }
    return arrays


def write_tfjs(folder: Path, arrays: Arrays) -> Path:
    """Write a graph model in half precision, its weights in two files."""
    names = list(arrays)
    data = b"".join(arrays[name].astype(np.float16).tobytes() for name in names)
    paths = ["faceres-1.bin", "faceres-2.bin"]
    (folder / paths[0]).write_bytes(data[:1001])
    (folder / paths[1]).write_bytes(data[1001:])
    weights = [
        {
            "name": name,
            "shape": list(arrays[name].shape),
            "dtype": "float32",
            "quantization": {"dtype": "float16", "original_dtype": "float32"},
        }
        for name in names
    ]
    path = folder / "faceres.json"
    path.write_text(json.dumps({"modelTopology": {}, "weightsManifest": [{"paths": paths, "weights": weights}]}))
    return path


def _kernel(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.float32]:
    """Kernels (height, width, n_in, n_out) that keep the size of activations."""
    spread = np.float32(np.sqrt(2 / np.prod(shape[:3])))
    return rng.standard_normal(shape, dtype=np.float32) * spread


def _bias(rng: np.random.Generator, n: int) -> npt.NDArray[np.float32]:
    return rng.normal(0, 0.1, n).astype(np.float32)
