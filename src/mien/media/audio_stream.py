# SPDX-License-Identifier: Apache-2.0
"""Sound in: the audio of a film or sound file as mono blocks of one rate."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from mien.core import ConfigError, InputError
from mien.media.file_types import require_file
from mien.media.video import open_container

Samples = npt.NDArray[np.float32]

SPEECH_RATE_HZ = 16_000
"""What speech models are fed."""

_MAX_READ_ERRORS = 100  # in a row, without a packet in between


def audio_blocks(
    path: str | os.PathLike[str], *, rate_hz: int = SPEECH_RATE_HZ, block_s: float = 10.0
) -> Generator[Samples, None, None]:
    """The first audio stream of a file, mixed to mono and resampled, in bounded memory.

    Packets that cannot be decoded are passed over: what they held is missing, and what follows comes earlier.

    Args:
        path: a film or a sound file.
        rate_hz: of the samples, at least 1.
        block_s: length of a block in seconds.

    Yields:
        (n,) float32, nominally in [-1, 1]; all but the last of the same length, none empty.

    Raises:
        ConfigError: the rate or the length makes no sense.
        InputError: the file cannot be opened, has no sound, or none of it can be decoded.
    """
    if rate_hz < 1 or not 1 <= rate_hz * block_s < float("inf"):
        raise ConfigError(f"rate_hz and block_s must be positive, got {rate_hz} and {block_s}")
    size = round(rate_hz * block_s)
    path = Path(path)
    require_file(path)
    try:
        container = open_container(str(path.absolute()))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened ({error}); check that it is a film or a sound file") from error
    with container:
        if not container.streams.audio:
            raise InputError(f"{path}: has no sound; give a file with an audio stream")
        waiting, n_given = np.empty(0, np.float32), 0
        for piece in _pieces(container, rate_hz):
            waiting = np.concatenate([waiting, piece])
            while len(waiting) >= size:
                yield waiting[:size]
                waiting, n_given = waiting[size:], n_given + 1
        if len(waiting):
            yield waiting
        elif not n_given:
            raise InputError(f"{path}: none of its sound can be decoded; copy the file again or repair it with ffmpeg")


def _pieces(container: InputContainer, rate_hz: int) -> Iterator[Samples]:
    """Resampled stretches of about a second: joining packets one by one to a long block would take quadratic time."""
    # Mixed here and not by FFmpeg, which adds the channels of floating-point sound with weights that sum to 1.4.
    resampler = av.AudioResampler(format="fltp", rate=rate_hz)
    pieces: list[Samples] = []
    for frame in _frames(container):
        pieces += (piece.to_ndarray().mean(axis=0, dtype=np.float32) for piece in resampler.resample(frame))
        if sum(map(len, pieces)) >= rate_hz:
            yield np.concatenate(pieces)
            pieces = []
    if pieces:
        yield np.concatenate(pieces)


def _frames(container: InputContainer) -> Iterator[av.AudioFrame | None]:
    """Every frame that can be decoded, then None, which empties the resampler."""
    stream = container.streams.audio[0]
    packets, n_errors, n_frames = container.demux(stream), 0, 0
    while n_errors < _MAX_READ_ERRORS:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            n_errors += 1
            packets = container.demux(stream)
            continue
        if packet is None:
            break
        n_errors = 0
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            n_frames += 1
            yield frame
    if n_frames:  # an empty resampler does not know what to be emptied of
        yield None
