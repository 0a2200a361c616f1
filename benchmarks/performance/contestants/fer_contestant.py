# SPDX-License-Identifier: Apache-2.0
"""`fer` as a contestant of `tools/performance.py`: perf_fer.py CLIP.

With its MTCNN on every frame. Runs in an environment of its own, which needs no mien: pip install fer.
"""

from __future__ import annotations

import sys

import cv2
from fer.fer import FER
from perf_worker import serve


def main(clip: str) -> None:
    """As its README does it."""
    detector = FER(mtcnn=True)

    def look(n_frames: int) -> tuple[int, int]:
        video = cv2.VideoCapture(clip)
        n_seen = n_found = 0
        while n_seen < n_frames:
            there, image = video.read()
            if not there:
                break
            n_seen, n_found = n_seen + 1, n_found + len(detector.detect_emotions(image))
        video.release()
        return n_seen, n_found

    serve(look, n_warm=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
