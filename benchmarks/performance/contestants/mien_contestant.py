# SPDX-License-Identifier: Apache-2.0
"""Contestants of `benchmarks performance` that run in mien's environment.

    mien_contestant.py decode CLIP                 decoding alone
    mien_contestant.py analyze RUNTIME CLIP        mien with a runtime
    mien_contestant.py naive GRAPH SIZE_PX CLIP    what scripts commonly do

``naive`` searches every frame with MTCNN, and runs a larger network on each face by itself. The network is timm's
EfficientNet-B0 with random weights: its outputs mean nothing, and its speed is that of any other weights.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from clip_worker import serve

from mien.affect import Analyzer
from mien.faces import create_detector
from mien.inference import create_session
from mien.media import open_video

Process = Callable[[int], tuple[int, int]]
"""Maximum number of frames -> number of frames, number of faces."""

_MEAN, _STD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])


def decode(clip: str) -> Process:
    """Decode frames, and do nothing with them."""

    def process(n_frames: int) -> tuple[int, int]:
        with open_video(clip) as video:
            return sum(1 for _ in islice(video, n_frames)), 0

    return process


def analyze(runtime: str, clip: str) -> Process:
    """Analyse frames with the default bundle."""
    analyzer = Analyzer(runtime=runtime)

    def process(n_frames: int) -> tuple[int, int]:
        with closing(analyzer.video(clip)) as frames:
            counts = [len(frame.faces) for frame in islice(frames, n_frames)]
        return len(counts), sum(counts)

    return process


def naive(graph: str, size_px: str, clip: str) -> Process:
    """Process one frame after the other, and one face after the other."""
    detector, session, side = create_detector("mtcnn"), create_session(Path(graph)), int(size_px)

    def process(n_frames: int) -> tuple[int, int]:
        n_seen = n_faces = 0
        with open_video(clip) as video:
            for frame in islice(video, n_frames):
                n_seen += 1
                for x0, y0, x1, y1 in np.rint(detector.detect(frame.image).boxes).astype(int).clip(0):
                    crop = cv2.resize(frame.image[y0:y1, x0:x1], (side, side))
                    pixels = ((crop - _MEAN) / _STD).transpose(2, 0, 1)[None]
                    session.run({session.input_names[0]: np.ascontiguousarray(pixels, np.float32)})
                    n_faces += 1
        return n_seen, n_faces

    return process


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    serve({"decode": decode, "analyze": analyze, "naive": naive}[kind](*arguments))
