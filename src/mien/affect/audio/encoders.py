# SPDX-License-Identifier: Apache-2.0
"""The audio port: encoders that turn sound into vectors over time, their table, and alignment with video frames."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from mien.core import ConfigError, Float32, Float64, Indices, Registry


@runtime_checkable
class AudioEncoder(Protocol):
    """Encodes mono sound as one vector per time step."""

    @property
    def name(self) -> str:
        """Name of the encoder, stored in shards."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model, or another text that distinguishes encoders of the same name."""

    @property
    def n_features(self) -> int:
        """D, length of a vector."""

    def encode(self, blocks: Iterable[Float32]) -> Generator[tuple[Float64, Float32], None, None]:
        """The vectors of a stream, in order.

        Args:
            blocks: Blocks of (n,) float32 mono samples at 16 kHz, in order.

        Yields:
            (T,) seconds at which each step begins, and (T, D) vectors; T >= 1.

        Raises:
            ModelError: The model cannot run on them.
        """


@dataclass(frozen=True, kw_only=True)
class AudioEncoderInfo:
    """One line of the table of encoders.

    Attributes:
        name: Name that callers use.
        target: Factory as ``"module:function"``, a function of the text behind ``=``, or None.
        summary: One line for listings.
    """

    name: str
    target: str
    summary: str


AUDIO_ENCODERS = Registry(
    "audio encoder",
    (
        AudioEncoderInfo(
            name="egemaps",
            target="mien.affect.audio.egemaps:create_egemaps",
            summary="25 low-level descriptors of eGeMAPS v02 every 10 ms, by openSMILE; the extra mien[audio]",
        ),
        AudioEncoderInfo(
            name="onnx",
            target="mien.affect.audio.speech_model:create_onnx_audio",
            summary="onnx=FILE: a wav2vec2, HuBERT or similar model of your own, (1, samples) in, (1, steps, D) out",
        ),
    ),
)
"""Name -> `AudioEncoderInfo`."""


def create_audio_encoder(encoder: str | AudioEncoder) -> AudioEncoder:
    """An encoder by name, or the given object unchanged.

    Args:
        encoder: ``"egemaps"``, ``"onnx=FILE"``, or any object with the methods of `AudioEncoder`.

    Raises:
        ConfigError: The name is unknown, or a file is missing where one is needed or given where none is.
        MissingExtraError: The library is not installed.
        ModelError: The model is missing, damaged or of another form.

    Examples:
        >>> create_audio_encoder(FakeAudioEncoder()).n_features
        2
        >>> create_audio_encoder("onnx")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: name the model: onnx=FILE
    """
    if not isinstance(encoder, str):
        if not isinstance(encoder, AudioEncoder):
            raise ConfigError(f"an audio encoder has name, digest, n_features and encode; got {type(encoder).__name__}")
        return encoder
    name, _, value = encoder.partition("=")
    created: AudioEncoder = AUDIO_ENCODERS.load(name)(value or None)
    return created


def align_audio(n_audio: int, n_frames: int) -> Indices:
    """The audio step that belongs to each frame of a video of the same duration.

    Frame i of n gets step ``int(i * n_audio / n)``, as in Savchenko's entry to the 6th ABAW.

    Args:
        n_audio: Number of audio steps, at least 1.
        n_frames: Number of frames of the video, at least 0.

    Returns:
        (n_frames,) indices, ascending.

    Raises:
        ConfigError: There is no audio step, or a number is negative.

    Examples:
        >>> align_audio(n_audio=3, n_frames=6).tolist()
        [0, 0, 1, 1, 2, 2]
    """
    if n_audio < 1 or n_frames < 0:
        raise ConfigError(f"at least one step of sound is needed, got {n_audio} for {n_frames} frames")
    return np.arange(n_frames, dtype=np.intp) * n_audio // max(n_frames, 1)


class FakeAudioEncoder:
    """An encoder for tests: mean and root mean square of every tenth of a second.

    Examples:
        >>> steps = list(FakeAudioEncoder().encode([np.full(3200, 0.5, np.float32)]))
        >>> steps[0][0].tolist(), steps[0][1].tolist()
        ([0.0, 0.1], [[0.5, 0.5], [0.5, 0.5]])
    """

    name = "fake"
    digest = "fake"
    n_features = 2

    _STEP = 1600
    _RATE_HZ = 16_000

    def encode(self, blocks: Iterable[Float32]) -> Generator[tuple[Float64, Float32], None, None]:
        """The vectors of a stream, see `AudioEncoder.encode`; an incomplete last step is left out."""
        left, n_steps = np.empty(0, np.float32), 0
        for block in blocks:
            left = np.concatenate([left, block])
            n = len(left) // self._STEP
            if n:
                steps = left[: n * self._STEP].reshape(n, self._STEP)
                values: Float32 = np.stack([steps.mean(axis=1), np.sqrt((steps**2).mean(axis=1))], axis=1)
                yield np.arange(n_steps, n_steps + n, dtype=np.float64) * (self._STEP / self._RATE_HZ), values
                left, n_steps = left[n * self._STEP :], n_steps + n
