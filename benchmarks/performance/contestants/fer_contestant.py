# SPDX-License-Identifier: Apache-2.0
"""`fer` as a contestant of `benchmarks performance`: fer_contestant.py CLIP.

It runs MTCNN on every frame, in an environment of its own without mien: pip install fer.
"""

from __future__ import annotations

import sys

import cv2
from clip_worker import serve
from fer.fer import FER


def main(clip: str) -> None:
    """Detect emotions as the README of `fer` does."""
    detector = FER(mtcnn=True)

    def process(n_frames: int) -> tuple[int, int]:
        video = cv2.VideoCapture(clip)
        n_seen = n_found = 0
        while n_seen < n_frames:
            decoded, image = video.read()
            if not decoded:
                break
            n_seen, n_found = n_seen + 1, n_found + len(detector.detect_emotions(image))
        video.release()
        return n_seen, n_found

    serve(process, n_warm=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
