# SPDX-License-Identifier: Apache-2.0
"""Clips made on the spot, whose pictures say which frame they are."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.helpers.media_clips import N_FRAMES, SIZE, Clip, numbered_picture


@pytest.fixture
def make_clip(tmp_path: Path) -> Clip:
    """A function that writes a clip of numbered pictures and returns its path."""

    def make(
        name: str = "clip.mp4",
        *,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        size: tuple[int, int] = SIZE,
        pictures: Sequence[npt.NDArray[np.uint8]] | None = None,
        times_ms: Sequence[int] | None = None,
        pixel_aspect: Fraction | None = None,
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        if pictures is None:
            pictures = [numbered_picture(number, size) for number in range(N_FRAMES)]
        times = times_ms or [40 * number for number in range(len(pictures))]
        with av.open(str(path), "w", container_options=container_options or {}) as container:
            container.metadata.update(tags or {})
            stream = container.add_stream(codec, rate=25, options={"g": "10", **(options or {})})
            stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
            stream.pix_fmt = pix_fmt
            # Raw streams and AVI have no finer clock than the frame rate.
            time_base = Fraction(1, 1000) if times_ms else Fraction(1, 25)
            stream.codec_context.time_base = time_base
            stream.codec_context.thread_count = 1  # the bytes do not depend on the machine
            if pixel_aspect:
                stream.codec_context.sample_aspect_ratio = pixel_aspect
            for picture, time_ms in zip(pictures, times, strict=True):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = round(Fraction(time_ms, 1000) / time_base)
                frame.time_base = time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
