# SPDX-License-Identifier: Apache-2.0
"""Video clips for the performance benchmark: many faces, full HD, and a long one."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.tracking.moving_faces import Scene, Trajectory, render_scene
from benchmarks.tracking.tracker_accuracy import load_casts
from mien.affect import Analyzer
from mien.media import VideoFrame, VideoWriter, open_video

# Twenty faces of FairFace in rows; each drifts slightly and stays in the frame.
_COLUMNS, _ROWS, _SIDE = 5, 4, 0.24
_CROWD = Scene(
    "crowd",
    tuple(
        Trajectory(((0.0, x, y, _SIDE), (3.0, x + 0.05, y + 0.02, _SIDE)), patch)
        for patch, (x, y) in enumerate(
            (0.2 + 0.335 * column, 0.13 + 0.24 * row) for row in range(_ROWS) for column in range(_COLUMNS)
        )
    ),
    3.0,
    height_px=360,
)
_FULL_HD = (1920, 1080)
_N_FULL_HD = 150


def make_crowd(path: Path, data: Path) -> Path:
    """Write three seconds of 640 x 360 with twenty faces of 70 to 90 px, unless the file exists."""
    if not path.exists():
        patches = list(chain.from_iterable(load_casts(Analyzer(), data)))
        _write(path, (true.frame for true in render_scene(_CROWD, patches)), fps=_CROWD.fps)
    return path


def make_full_hd(path: Path, clip: Path) -> Path:
    """Write the beginning of a clip at 1920 x 1080, unless the file exists."""
    if not path.exists():
        with open_video(clip) as video:
            enlarged = (
                VideoFrame(
                    index=frame.index,
                    time_s=frame.time_s,
                    image=np.asarray(cv2.resize(frame.image, _FULL_HD, interpolation=cv2.INTER_CUBIC), np.uint8),
                )
                for frame in islice(video, _N_FULL_HD)
            )
            _write(path, enlarged, fps=video.info.average_fps or 25)
    return path


def make_long(path: Path, clip: Path, minutes: float) -> Path:
    """Write a clip that repeats another for this many minutes, without re-encoding, unless the file exists."""
    if path.exists():
        return path
    draft = path.with_suffix(".partial" + path.suffix)
    with av.open(str(clip)) as source, av.open(str(draft), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        step = min(packet.duration for packet in packets)
        length = max(packet.pts for packet in packets) - min(packet.pts for packet in packets) + step
        times = [(packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in packets]
        time_base = Fraction(stream.time_base)
        for loop in range(max(1, round(60 * minutes / float(length * time_base)))):
            for pts, dts, is_keyframe, content in times:
                packet = av.Packet(content)
                packet.pts, packet.dts, packet.duration = pts + loop * length, dts + loop * length, step
                packet.time_base, packet.is_keyframe, packet.stream = time_base, is_keyframe, copy
                target.mux(packet)
    return draft.replace(path)


def _write(path: Path, frames: Iterable[VideoFrame], *, fps: float) -> None:
    first, *rest = frames
    height, width = first.image.shape[:2]
    with VideoWriter(path, width, height, fps=fps) as writer:
        for frame in (first, *rest):
            writer.write(frame.image, frame.time_s)
