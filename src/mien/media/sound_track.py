# SPDX-License-Identifier: Apache-2.0
"""`SoundTrack`, which puts the sound of one file into a video that is being written."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer

from mien.core import InputError
from mien.media.video import open_container

_RATES_HZ = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})  # of AAC
_USUAL_RATE_HZ = 48_000
_MAX_ERRORS = 100  # in a row


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
            if not self._input.streams.audio:
                raise InputError(f"{path}: has no sound")
            source = self._input.streams.audio[0]
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
        packets, n_errors = self._input.demux(self._input.streams.audio[0]), 0
        while n_errors < _MAX_ERRORS:
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
