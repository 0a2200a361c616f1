# SPDX-License-Identifier: Apache-2.0
"""The audio port: what turns sound into vectors over time, the table of those who can, and which step is a frame's."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, Registry

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float32]


@runtime_checkable
class AudioEncoder(Protocol):
    """Turns mono sound into one vector per step of time."""

    @property
    def name(self) -> str:
        """What shards call it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model, or what else tells two encoders of one name apart."""

    @property
    def n_features(self) -> int:
        """D, length of a vector."""

    def encode(self, blocks: Iterable[Samples]) -> Generator[tuple[npt.NDArray[np.float64], Floats], None, None]:
        """The vectors of a stream, in order.

        Args:
            blocks: (n,) float32 mono samples at 16 kHz, one after the other.

        Yields:
            (T,) seconds at which each step begins, and (T, D) vectors; T >= 1.

        Raises:
            ModelError: the model cannot be run on them.
        """


@dataclass(frozen=True, kw_only=True)
class AudioEncoderInfo:
    """One line of the table of encoders.

    Attributes:
        name: what callers write.
        target: ``"module:function"`` of (what stands behind ``=``, or None).
        summary: one line for listings.
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
            summary="onnx=FILE: a wav2vec2, HuBERT or like model of yours, (1, samples) in, (1, steps, D) out",
        ),
    ),
)
"""Name -> `AudioEncoderInfo`."""


def create_audio_encoder(encoder: str | AudioEncoder) -> AudioEncoder:
    """An encoder by name, or the given object as it is.

    Args:
        encoder: ``"egemaps"``, ``"onnx=FILE"``, or any object with the methods of `AudioEncoder`.

    Raises:
        ConfigError: the name is unknown, or a file is missing behind it or one too many.
        MissingExtraError: the library is not installed.
        ModelError: the model is missing, damaged or of another kind.
    """
    if not isinstance(encoder, str):
        if not isinstance(encoder, AudioEncoder):
            raise ConfigError(f"an audio encoder has name, digest, n_features and encode; got {type(encoder).__name__}")
        return encoder
    name, _, value = encoder.partition("=")
    created: AudioEncoder = AUDIO_ENCODERS.load(name)(value or None)
    return created


def align_audio(n_audio: int, n_frames: int) -> npt.NDArray[np.intp]:
    """The step of sound that belongs to each frame of a video, when both last equally long.

    Frame i of n takes step ``int(i * n_audio / n)``, as Savchenko's entry to the 6th ABAW does.

    Args:
        n_audio: steps of sound, at least 1.
        n_frames: frames of the video, at least 0.

    Returns:
        (n_frames,) indices, rising.

    Raises:
        ConfigError: there is no sound, or a number is negative.
    """
    if n_audio < 1 or n_frames < 0:
        raise ConfigError(f"at least one step of sound is needed, got {n_audio} for {n_frames} frames")
    return np.arange(n_frames, dtype=np.intp) * n_audio // max(n_frames, 1)


class FakeAudioEncoder:
    """An encoder for tests that need no model: the mean and the root mean square of every tenth of a second."""

    name = "fake"
    digest = "fake"
    n_features = 2

    _STEP = 1600
    _RATE_HZ = 16_000

    def encode(self, blocks: Iterable[Samples]) -> Generator[tuple[npt.NDArray[np.float64], Floats], None, None]:
        """See `AudioEncoder.encode`; a last step that is shorter is left out."""
        left, n_steps = np.empty(0, np.float32), 0
        for block in blocks:
            left = np.concatenate([left, block])
            n = len(left) // self._STEP
            if n:
                steps = left[: n * self._STEP].reshape(n, self._STEP)
                values: Floats = np.stack([steps.mean(axis=1), np.sqrt((steps**2).mean(axis=1))], axis=1)
                yield np.arange(n_steps, n_steps + n, dtype=np.float64) * (self._STEP / self._RATE_HZ), values
                left, n_steps = left[n * self._STEP :], n_steps + n
