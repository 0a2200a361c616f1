# SPDX-License-Identifier: Apache-2.0
"""Photos and clips with a real face, made on the spot."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from mien.results import manifest_path

Image = npt.NDArray[np.uint8]

FPS = 25
N_FRAMES = 20


def close_up(astronaut: Image) -> Image:
    """(240, 240, 3) of the face and a little around it."""
    return np.ascontiguousarray(astronaut[0:240, 110:350])


def write_photo(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image[..., ::-1])[1].tobytes())
    return path


def write_clip(path: Path, image: Image, n_frames: int = N_FRAMES, *, first: int = 0) -> Path:
    """The picture, moving to the right by a pixel a frame; every tenth frame can be decoded by itself.

    The clip's clock shows ``first`` frames at its first picture.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": "10", "bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv420p"
        stream.codec_context.thread_count = 1  # the bytes do not depend on the machine
        for index in range(n_frames):
            picture = np.ascontiguousarray(np.roll(image, index % 10, axis=1))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = first + index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_loop(path: Path, source: Path, n_loops: int) -> Path:
    """A long video that shows a clip again and again, without encoding anything."""
    with av.open(str(source)) as clip:
        packets = [bytes(packet) for packet in clip.demux(video=0) if packet.size]
        stream = clip.streams.video[0]
        with av.open(str(path), "w") as container:
            copy = container.add_stream_from_template(stream)
            for index in range(n_loops * len(packets)):
                packet = av.Packet(packets[index % len(packets)])
                packet.pts = packet.dts = index
                packet.time_base = Fraction(1, FPS)
                packet.is_keyframe = index % 10 == 0
                packet.stream = copy
                container.mux(packet)
    return path


def manifest(table: Path) -> dict[str, Any]:
    """The parsed manifest of a table."""
    content: dict[str, Any] = json.loads(manifest_path(table).read_text())
    return content


def times_of(video: Path) -> list[float]:
    """Presentation times of every decodable frame of a video."""
    with av.open(str(video)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]
