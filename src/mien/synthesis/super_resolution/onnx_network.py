# SPDX-License-Identifier: Apache-2.0
"""A super-resolution network of the user as an ONNX file, run by the runtime that mien already has."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mien.core import Float32, ModelError
from mien.inference import create_session, read_model_file

_MULTIPLE = 4
_PROBE_PX = 16


class OnnxNetwork:
    """A graph from (1, 3, H, W) float32 RGB in [0, 1] to (1, 3, factor H, factor W), for any H and W.

    Images are padded to a multiple of 4 pixels by repeating their border, as networks that fold pixels into channels
    need it.

    Args:
        path: Path of the ``.onnx`` file.
        threads: Number of threads.

    Attributes:
        factor: Factor of the sides.
        digest: SHA-256 of the file.

    Raises:
        ModelError: The file is missing or damaged, or the graph takes or gives something else.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self.digest = hashlib.sha256(read_model_file(path)).hexdigest()
        self._session = create_session(path, threads=threads)
        if len(self._session.input_names) != 1 or len(self._session.output_names) != 1:
            raise ModelError(
                f"{path}: needs one input and one output, got {self._session.input_names} and outputs "
                f"{self._session.output_names}"
            )
        try:
            shape = self._run(np.full((3, _PROBE_PX, _PROBE_PX), 0.5, np.float32)).shape
        except ModelError as error:
            raise ModelError(
                f"{path}: takes no float32 RGB image (1, 3, H, W) of any size in [0, 1]: {error}"
            ) from error
        self.factor = shape[-1] // _PROBE_PX if shape else 0
        if shape != (1, 3, _PROBE_PX * self.factor, _PROBE_PX * self.factor) or self.factor < 2:
            raise ModelError(f"{path}: turns (1, 3, {_PROBE_PX}, {_PROBE_PX}) into {shape}; it enlarges no RGB images")

    def enlarge(self, pixels: Float32) -> Float32:
        """The enlarged image; see `mien.synthesis.super_resolution.upscaler.UpscalingNetwork.enlarge`."""
        _, height, width = pixels.shape
        padded = np.pad(pixels, ((0, 0), (0, -height % _MULTIPLE), (0, -width % _MULTIPLE)), mode="edge")
        return self._run(padded)[0, :, : height * self.factor, : width * self.factor]

    def _run(self, pixels: Float32) -> Float32:
        inputs = {self._session.input_names[0]: pixels[None]}
        return np.asarray(self._session.run(inputs)[self._session.output_names[0]], dtype=np.float32)
