# SPDX-License-Identifier: Apache-2.0
"""Speech models of the user (wav2vec2, HuBERT and similar) in ONNX Runtime, block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np

from mien.core import ConfigError, Float32, Float64, ModelError
from mien.inference import Session, create_session, first_run, read_model_file

_RATE_HZ = 16_000
_TINY = 1e-7


class OnnxAudio:
    """An `AudioEncoder` over an ONNX graph from (1, n) samples to (1, T, D) vectors, n free.

    The distance of the steps (stride) and the number of samples of one step (receptive field) are determined by trial
    runs. A block begins where the steps of the one before ended, so steps have the same number and times as in a single
    run; the context of a transformer ends at the block. Each block is normalised to mean 0 and variance 1, as the
    feature extractors of wav2vec2-base and HuBERT do.

    Args:
        session: Session that runs the graph.
        digest: SHA-256 of the graph.
        normalize: Whether blocks are normalised.

    Raises:
        ModelError: The graph has another form.
    """

    name = "onnx"

    def __init__(self, session: Session, digest: str, *, normalize: bool = True) -> None:
        self._session = session
        self._normalize = normalize
        self.digest = digest
        if len(session.input_names) != 1:
            raise ModelError(f"a speech model takes one input, this one {list(session.input_names)}")
        self._input, self._output = session.input_names[0], session.output_names[0]
        # A graph that does not end would hang here.
        first_run(session, {self._input: np.zeros((1, _RATE_HZ), np.float32)})
        one, two = (self._run(np.zeros(n * _RATE_HZ, np.float32)) for n in (1, 2))
        if len(two) <= len(one):
            raise ModelError("this model gives no more steps for more sound; export it with a free number of samples")
        self.n_features: int = one.shape[1]
        self.stride = round(_RATE_HZ / (len(two) - len(one)))
        self.field = self._shortest(len(one)) - (len(one) - 1) * self.stride

    def encode(self, blocks: Iterable[Float32]) -> Generator[tuple[Float64, Float32], None, None]:
        """The vectors of a stream, see `mien.affect.AudioEncoder.encode`; sound too short for one step gives none."""
        left, n_steps = np.empty(0, np.float32), 0
        for block in blocks:
            left = np.concatenate([left, block])
            if len(left) < self.field:
                continue
            vectors = self._run(left)
            steps = np.arange(n_steps, n_steps + len(vectors), dtype=np.float64)
            yield steps * (self.stride / _RATE_HZ), vectors
            left, n_steps = left[len(vectors) * self.stride :], n_steps + len(vectors)

    def _run(self, samples: Float32) -> Float32:
        if self._normalize:
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + np.float32(_TINY))
        states = self._session.run({self._input: samples[None].astype(np.float32)})[self._output]
        if states.ndim != 3 or states.shape[0] != 1:
            raise ModelError(
                f"a speech model gives (1, steps, D), this one {states.shape}; name the hidden states first"
            )
        return np.asarray(states[0], np.float32)

    def _shortest(self, n_steps: int) -> int:
        """Smallest number of samples that gives so many steps."""
        low, high = _RATE_HZ - self.stride, _RATE_HZ
        while high - low > 1:
            middle = (low + high) // 2
            if len(self._run(np.zeros(middle, np.float32))) >= n_steps:
                high = middle
            else:
                low = middle
        return high


def create_onnx_audio(value: str | None) -> OnnxAudio:
    """The encoder ``onnx`` of the table of encoders.

    Args:
        value: Path of the ONNX file.

    Raises:
        ConfigError: No file was named.
        ModelError: The file is missing, damaged or no speech model.
    """
    if value is None:
        raise ConfigError("name the model: onnx=FILE")
    path = Path(value)
    digest = hashlib.sha256(read_model_file(path)).hexdigest()
    # The session gets the path and not the bytes: large models keep their weights in a file beside them.
    try:
        return OnnxAudio(create_session(path), digest)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
