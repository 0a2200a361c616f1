# SPDX-License-Identifier: Apache-2.0
"""Trunks of face-recognition networks as files: FaceRes (tfjs) and SFace (ONNX), read and converted without torch.

Neither comes with mien. A trunk file is a NumPy archive with the arrays of the original graph under their own names:
everything up to the last map of features, none of the layers after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import Float32, ModelError, load_arrays, open_regular, read_regular
from mien.results import atomic_write, output_errors

Arrays = Mapping[str, npt.NDArray[Any]]

TRUNK_FILES = {
    "faceres": ("models/faceres_trunk.npz",),
    "sface": ("models/sface_trunk.npz", "models/sface_trunk.onnx"),
}
"""Named start -> places of its file in the folder of the data sets."""

_N_BLOCKS = 13
_FACERES_LAYERS = ("conv1", *(f"conv_{kind}_{n}" for n in range(1, _N_BLOCKS + 1) for kind in ("dw", "pw")))
_SFACE_LAYERS = ("conv_1", *(f"conv_{n}{kind}" for n in range(2, _N_BLOCKS + 2) for kind in ("_dw", "")))
_NORM = ("gamma", "beta", "moving_mean", "moving_var")


@dataclass(frozen=True, eq=False, kw_only=True)
class TrunkLayer:
    """Convolution of a trunk with what follows it.

    Attributes:
        weight: (n_out, n_in / groups, k, k) kernels.
        bias: (n_out,) added after the convolution, with batch normalisation folded in; None where it is apart.
        norm: Gamma, beta, mean and variance (n_out,) of a batch normalisation that is apart; None where it is folded.
        slope: (n_out,) slopes of a PReLU; None for ReLU6.
    """

    weight: Float32
    bias: Float32 | None = None
    norm: tuple[Float32, Float32, Float32, Float32] | None = None
    slope: Float32 | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Trunk:
    """The 27 convolutions of a MobileNetV1 face network.

    Attributes:
        kind: ``"faceres"`` or ``"sface"``.
        layers: Layers in order.
        mean: Subtracted from red, green and blue on the 0-to-255 scale.
        scale: Factor of pixels after that.
    """

    kind: str
    layers: tuple[TrunkLayer, ...]
    mean: tuple[float, float, float]
    scale: float

    @property
    def options(self) -> dict[str, object]:
        """Options of ``mobilenet_v1`` for this trunk, apart from the activation."""
        return {"stem_stride": 1, "same": False} if self.kind == "sface" else {"stem_stride": 2, "same": True}


def read_trunk(path: Path) -> Trunk:
    """Read a trunk from its own file, or from the file that its authors publish.

    Args:
        path: NumPy archive (``.npz``), ONNX file of SFace (``.onnx``, also with 8-bit blocks), or tfjs graph model of
            FaceRes (``.json``, its weights beside it).

    Raises:
        ModelError: The file cannot be read, or is another network.
    """
    return _trunk(_read_arrays(path), path)


def import_start(source: Path, out: Path) -> Trunk:
    """Convert a published face network to a trunk file.

    Args:
        source: File as for `read_trunk`.
        out: NumPy archive to write, with half-precision arrays.

    Raises:
        ModelError: The file cannot be read, or is another network.
        OutputError: The archive cannot be written.
    """
    arrays = _read_arrays(source)
    trunk = _trunk(arrays, source)
    used = {
        name: values if np.abs(values).max(initial=0) > np.finfo(np.float16).max else values.astype(np.float16)
        for name, values in arrays.items()
        if name.startswith(_FACERES_LAYERS if trunk.kind == "faceres" else (*_SFACE_LAYERS, "scalar_op"))
    }
    with output_errors(out, "choose another file"), atomic_write(out) as file:
        np.savez(file, **used)  # type: ignore[arg-type]  # NumPy types its one option first
    return trunk


def _trunk(arrays: Arrays, path: Path) -> Trunk:
    kinds = {"faceres": _FACERES_LAYERS[0] + "/convolution/merged_input", "sface": "conv_1_batchnorm_gamma"}
    kind = next((kind for kind, key in kinds.items() if key in arrays), None)
    if kind is None:
        raise ModelError(f"{path} is neither FaceRes nor SFace: it has none of the arrays {sorted(kinds.values())}")
    try:
        if kind == "faceres":
            layers = tuple(_faceres_layer(arrays, name) for name in _FACERES_LAYERS)
            return Trunk(kind=kind, layers=layers, mean=(123.68, 116.779, 103.939), scale=1.0)
        layers = tuple(_sface_layer(arrays, name) for name in _SFACE_LAYERS)
        shift = float(arrays["scalar_op1"].reshape(-1)[0])
        return Trunk(kind=kind, layers=layers, mean=(shift,) * 3, scale=float(arrays["scalar_op2"].reshape(-1)[0]))
    except KeyError as error:
        raise ModelError(f"{path} is a part of {kind} only: it lacks the array {error}") from error


def _faceres_layer(arrays: Arrays, name: str) -> TrunkLayer:
    depthwise = "_dw_" in name
    stored = arrays[f"{name}/depthwise_kernel" if depthwise else f"{name}/convolution/merged_input"].astype(np.float32)
    weight = stored.transpose(2, 3, 0, 1) if depthwise else stored.transpose(3, 2, 0, 1)
    if depthwise:
        weight = weight * arrays[f"{name}_bn/batchnorm_1/mul"].astype(np.float32).reshape(-1, 1, 1, 1)
    if name == _FACERES_LAYERS[0]:
        weight = weight[:, ::-1]  # from blue, green, red
    bias = arrays[f"{name}_bn/batchnorm_1/sub"].astype(np.float32)
    return TrunkLayer(weight=np.ascontiguousarray(weight), bias=bias)


def _sface_layer(arrays: Arrays, name: str) -> TrunkLayer:
    key = f"{name}_conv2d_weight"
    weight = arrays[f"{key}_reshaped" if f"{key}_reshaped" in arrays else key].astype(np.float32)
    gamma, beta, mean, variance = (arrays[f"{name}_batchnorm_{part}"].astype(np.float32) for part in _NORM)
    slope = arrays[f"{name}_relu_gamma"].astype(np.float32).reshape(-1)
    return TrunkLayer(weight=weight, norm=(gamma, beta, mean, variance), slope=slope)


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    readers = {".npz": _read_npz, ".onnx": _read_onnx, ".json": _read_tfjs}
    if path.suffix not in readers:
        raise ModelError(f"{path}: a face network is an .npz, .onnx or (tfjs) .json file")
    try:
        return readers[path.suffix](path)
    except FileNotFoundError as error:
        raise ModelError(
            f"{error.filename}: no such file; docs/how-to/training.md says where to get the networks"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read as a face network: {error}") from error


def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    # A file that is opened here is closed whatever NumPy makes of it.
    with open_regular(path) as file:
        return load_arrays(file)


def _read_tfjs(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a tfjs graph model: a JSON file that lists them, and binary files beside it."""
    groups = json.loads(read_regular(path))["weightsManifest"]
    arrays = {}
    for group in groups:
        data = b"".join(read_regular(path.parent / part) for part in group["paths"])
        start = 0
        for entry in group["weights"]:
            quantized = entry.get("quantization", {})
            kind = np.dtype(str(quantized.get("dtype", entry["dtype"])))
            count = int(np.prod(entry["shape"], dtype=np.int64))
            values = np.frombuffer(data, kind, count, start).reshape(entry["shape"])
            start += count * kind.itemsize
            if "scale" in quantized:
                values = values.astype(np.float32) * quantized["scale"] + quantized["min"]
            arrays[entry["name"]] = values
        if start != len(data):
            raise ValueError(f"the files {group['paths']} have {len(data)} bytes, not {start}")
    return arrays


def _read_onnx(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Initializers of an ONNX file, with blocks of 8-bit integers widened and reshaped as the graph does it."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(path).graph
    except DecodeError as error:
        raise ValueError(f"not an ONNX file ({error})") from error
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            options = {entry.name: entry.i for entry in node.attribute}
            arrays[node.output[0]] = _widened([arrays[name] for name in node.input], **_block(options))
        elif node.op_type == "Reshape" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]].reshape(arrays[node.input[1]].tolist())
    return arrays


def _block(options: Mapping[str, int]) -> dict[str, int]:
    return {"axis": options.get("axis", 1), "block_size": options.get("block_size", 0)}


def _widened(parts: Iterable[npt.NDArray[Any]], *, axis: int, block_size: int) -> Float32:
    """Integers (q - zero point) times scale; scales of an axis, or of blocks along it, or one for all."""
    values, scale, *zero = (part.astype(np.float32) for part in parts)
    zero_point = zero[0] if zero else np.zeros_like(scale)
    if block_size and scale.ndim:
        scale, zero_point = (
            np.repeat(each, block_size, axis).take(range(values.shape[axis]), axis) for each in (scale, zero_point)
        )
    elif scale.ndim == 1:
        shape = [-1 if place == axis else 1 for place in range(values.ndim)]
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    return np.asarray((values - zero_point) * scale, dtype=np.float32)
