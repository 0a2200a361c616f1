# SPDX-License-Identifier: Apache-2.0
"""Reads the audio of a video or audio file as mono blocks at one rate, or into a video that is being written."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer, OutputContainer

from mien.core import ConfigError, Float32, InputError
from mien.media.file_types import require_file
from mien.media.video import open_container

SPEECH_RATE_HZ = 16_000
"""Sampling rate of speech models."""

_MAX_READ_ERRORS = 100  # in a row, without a packet in between


def audio_blocks(
    path: str | os.PathLike[str], *, rate_hz: int = SPEECH_RATE_HZ, block_s: float = 10.0
) -> Generator[Float32, None, None]:
    """Yield the first audio stream of a file, mixed to mono and resampled, in bounded memory.

    Packets that cannot be decoded are skipped: their samples are missing and later samples move forward.

    Args:
        path: Video or audio file.
        rate_hz: Sampling rate in Hz, at least 1.
        block_s: Length of a block in seconds.

    Yields:
        (n,) float32, nominally in [-1, 1]; all blocks but the last have the same length, none is empty.

    Raises:
        ConfigError: The rate or the length is not positive and finite.
        InputError: The file cannot be opened, has no audio, or none of its audio can be decoded.
    """
    if rate_hz < 1 or not 1 <= rate_hz * block_s < float("inf"):
        raise ConfigError(f"rate_hz and block_s must be positive, got {rate_hz} and {block_s}")
    size = round(rate_hz * block_s)
    path = Path(path)
    require_file(path)
    try:
        container = open_container(str(path.absolute()))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened ({error}); check that it is a video or an audio file") from error
    with container:
        stream = _audio_stream(container, path)
        pending, n_blocks = np.empty(0, np.float32), 0
        for chunk in _chunks(container, stream, rate_hz):
            pending = np.concatenate([pending, chunk])
            while len(pending) >= size:
                yield pending[:size]
                pending, n_blocks = pending[size:], n_blocks + 1
        if len(pending):
            yield pending
        elif not n_blocks:
            raise InputError(f"{path}: none of its audio can be decoded; copy the file again or repair it with ffmpeg")


def _audio_stream(container: InputContainer, path: Path) -> av.AudioStream:
    """The first audio stream that can be decoded; PyAV ends the process, or fails, where it touches another one.

    Raises:
        InputError: There is none.
    """
    streams = container.streams.audio
    if not streams:
        raise InputError(f"{path}: has no audio; give a file with an audio stream")
    # None where FFmpeg has no decoder, as for the spatial sound of phones; the type stubs do not tell.
    decodable = [stream for stream in streams if cast("object", stream.codec_context) is not None]
    if not decodable:
        raise InputError(f"{path}: no decoder for its audio; convert it to AAC or WAV first")
    return decodable[0]


def _chunks(container: InputContainer, stream: av.AudioStream, rate_hz: int) -> Iterator[Float32]:
    """Yield resampled chunks of about one second; joining single packets to a long block would take quadratic time."""
    # Mixed here and not by FFmpeg, which adds the channels of floating-point audio with weights that sum to 1.4.
    resampler = av.AudioResampler(format="fltp", rate=rate_hz)
    parts: list[Float32] = []
    for frame in _frames(container, stream):
        parts += (part.to_ndarray().mean(axis=0, dtype=np.float32) for part in resampler.resample(frame))
        if sum(map(len, parts)) >= rate_hz:
            yield np.concatenate(parts)
            parts = []
    if parts:
        yield np.concatenate(parts)


def _frames(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame | None]:
    """Yield every decodable frame, then None, which flushes the resampler."""
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
    if n_frames:  # a resampler without input cannot be flushed
        yield None


_RATES_HZ = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})  # of AAC
_USUAL_RATE_HZ = 48_000


class SoundTrack:
    """The first audio stream of a file, encoded as AAC in step with the images of a video.

    Args:
        path: Path of the file with the sound.
        output: Container of the video, to which nothing was written yet.

    Raises:
        InputError: The file cannot be opened or has no sound.
    """

    def __init__(self, path: Path, output: OutputContainer) -> None:
        try:
            self._input = open_container(str(path.absolute()))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path}: its sound cannot be opened ({error}); leave it out") from error
        try:
            self._source = source = _audio_stream(self._input, path)
            self._rate_hz = source.rate if source.rate in _RATES_HZ else _USUAL_RATE_HZ
            layout = "mono" if source.channels == 1 else "stereo"
            self._stream = output.add_stream("aac", rate=self._rate_hz, layout=layout)
        except BaseException:
            self._input.close()
            raise
        self._output = output
        self._frames = self._decoded()
        self._next: av.AudioFrame | None = None
        self._start_s = 0.0

    def begin(self, start_s: float) -> None:
        """Lets the video begin at a time of the file with the sound, in seconds on the clock of that file."""
        self._start_s = start_s

    def write_until(self, time_s: float) -> None:
        """Writes the sound before a time of the video, in seconds.

        Raises:
            av.FFmpegError: The container cannot be written.
        """
        while True:
            if self._next is None:
                self._next = next(self._frames, None)
            if self._next is None:
                return
            begin_s = float(self._next.time or 0.0) - self._start_s
            if begin_s >= time_s:
                return
            frame, self._next = self._next, None
            if begin_s >= 0:
                frame.pts = round(begin_s * frame.sample_rate)
                frame.time_base = Fraction(1, frame.sample_rate)
                self._output.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Writes what the encoder still holds.

        Raises:
            av.FFmpegError: The container cannot be written.
        """
        try:
            self._output.mux(self._stream.encode(None))
        finally:
            self.discard()

    def discard(self) -> None:
        """Closes the file with the sound; further calls do nothing."""
        self._frames.close()
        self._input.close()

    def _decoded(self) -> Generator[av.AudioFrame, None, None]:
        packets, n_errors = self._input.demux(self._source), 0
        while n_errors < _MAX_READ_ERRORS:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
                n_errors = 0
            except av.FFmpegError:
                n_errors += 1
                continue
            for frame in frames:
                if isinstance(frame, av.AudioFrame) and frame.time is not None:
                    yield frame
