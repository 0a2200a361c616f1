# SPDX-License-Identifier: Apache-2.0
"""Videos of moving noise in any container, and functions that damage and read them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from mien.media import DecodeReport, open_video


@dataclass(frozen=True)
class NoiseClip:
    """How a video of noise is written that moves by a pixel a frame.

    Attributes:
        codec: Name of the encoder.
        n_frames: Frames in the video.
        fps: Frames per second.
        size: Width and height in pixels.
        options: Options of the encoder.
        container_options: Options of the container.
        container: Name of the container's format; None where the name of the file tells it.
        n_new_rows: Upper rows of pixels that are new in each frame; with none a frame is a few bytes that say "move".
        times: One time for each frame, in parts of `time_base`; empty for a frame every 1 / `fps` seconds.
        time_base: Unit of `times` in seconds; None for 1 / `fps`.
        sound: Encoder of silence in stereo beside the frames; None for a video without sound.
    """

    codec: str
    n_frames: int
    fps: int = 30
    size: tuple[int, int] = (64, 48)
    options: dict[str, str] = field(default_factory=lambda: {"g": "30"})
    container_options: dict[str, str] = field(default_factory=dict)
    container: str | None = None
    n_new_rows: int = 0
    times: tuple[int, ...] = ()
    time_base: Fraction | None = None
    sound: str | None = None

    def write(self, path: Path) -> Path:
        """Write the video, with the same bytes on every machine; returns its path."""
        width, height = self.size
        time_base = self.time_base or Fraction(1, self.fps)
        generator = np.random.default_rng(0)
        noise = generator.integers(0, 255, (height, width, 3), dtype=np.uint8)
        with av.open(str(path), "w", format=self.container, options=self.container_options) as container:
            stream: Any = container.add_stream(self.codec, rate=Fraction(self.fps), options=self.options)
            stream.width, stream.height = width, height
            stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(self.codec, "yuv420p")
            stream.codec_context.time_base = time_base
            stream.codec_context.thread_count = 1  # the bytes do not depend on the number of cores
            audio: Any = container.add_stream(self.sound, rate=_SOUND_HZ) if self.sound else None
            for number in range(self.n_frames):
                if self.n_new_rows:
                    noise[: self.n_new_rows] = generator.integers(0, 255, (self.n_new_rows, width, 3))
                frame = av.VideoFrame.from_ndarray(np.roll(noise, number, axis=1), format="rgb24")
                frame.pts, frame.time_base = self.times[number] if self.times else number, time_base
                container.mux(stream.encode(frame))
                if audio is not None:
                    container.mux(audio.encode(_silence(number * _SOUND_HZ // self.fps, _SOUND_HZ // self.fps)))
            container.mux(stream.encode(None))
            if audio is not None:
                container.mux(audio.encode(None))
        return path


_SOUND_HZ = 44100


def _silence(start: int, n_samples: int) -> av.AudioFrame:
    block = av.AudioFrame.from_ndarray(np.zeros((1, 2 * n_samples), np.int16), format="s16", layout="stereo")
    block.sample_rate, block.pts, block.time_base = _SOUND_HZ, start, Fraction(1, _SOUND_HZ)
    return block


def overwrite(
    path: Path, target: Path, holes: Sequence[tuple[float, float]], *, fill: str = "zeros", end: float = 1.0
) -> Path:
    """Copy a file up to `end` with holes of zeros or noise, both in shares of its length; returns the copy."""
    data = bytearray(path.read_bytes())
    for start, stop in holes:
        first, last = int(start * len(data)), int(stop * len(data))
        data[first:last] = bytes(last - first) if fill == "zeros" else np.random.default_rng(1).bytes(last - first)
    target.write_bytes(data[: int(end * len(data))])
    return target


def read_times(path: Path) -> tuple[list[float], DecodeReport]:
    """The times of all frames of a video in seconds, and what was lost."""
    with open_video(path) as video:
        return [frame.time_s for frame in video], video.report
