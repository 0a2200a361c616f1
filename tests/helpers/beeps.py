# SPDX-License-Identifier: Apache-2.0
"""Videos with a beep at a known moment."""

from pathlib import Path

import av
import numpy as np

from mien.media import audio_blocks

RATE_HZ = 16_000


def write_beep(path: Path, *, beep_s: float) -> Path:
    """Two seconds of gray with a beep of 0.2 s."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        times_s = np.arange(2 * RATE_HZ) / RATE_HZ
        wave = np.sin(2000 * np.pi * times_s) * ((times_s >= beep_s) & (times_s < beep_s + 0.2))
        for at in range(0, len(wave), 1024):
            samples = np.zeros(1024, np.float32)
            samples[: len(wave[at : at + 1024])] = wave[at : at + 1024]
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE_HZ, at
            container.mux(audio.encode(frame))
        for index in range(20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
            picture.pts = index
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def beep_of(path: Path) -> float:
    """Time at which the sound of a file becomes loud, in seconds."""
    sound = np.concatenate(list(audio_blocks(path, rate_hz=RATE_HZ)))
    return int(np.flatnonzero(np.abs(sound) > 0.3)[0]) / RATE_HZ
