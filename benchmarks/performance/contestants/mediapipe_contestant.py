# SPDX-License-Identifier: Apache-2.0
"""MediaPipe's face landmarker as a contestant of `tools/performance.py`: perf_mediapipe.py MODEL FACES CLIP.

Video mode with blendshapes, as its own guide does it; frames come from OpenCV's reader. Runs in an environment of its
own, which needs no mien: pip install mediapipe.
"""

from __future__ import annotations

import sys

import cv2
import mediapipe
from mediapipe.tasks.python import BaseOptions, vision
from perf_worker import serve

_MAX_FPS = 1000


def main(model: str, n_faces: str, clip: str) -> None:
    """Detector, mesh and blendshapes of at most so many faces."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=model),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=int(n_faces),
        output_face_blendshapes=True,
    )

    landmarker = vision.FaceLandmarker.create_from_options(options)
    clock_ms = 0.0  # of all passes: it must never go back

    def look(n_frames: int) -> tuple[int, int]:
        nonlocal clock_ms
        video = cv2.VideoCapture(clip)
        fps = video.get(cv2.CAP_PROP_FPS)
        step_ms = 1000 / fps if 0 < fps < _MAX_FPS else 40
        n_seen = n_found = 0
        while n_seen < n_frames:
            there, image = video.read()
            if not there:
                break
            clock_ms += step_ms
            picture = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            found = landmarker.detect_for_video(picture, round(clock_ms))
            n_seen, n_found = n_seen + 1, n_found + len(found.face_landmarks)
        video.release()
        return n_seen, n_found

    serve(look)


if __name__ == "__main__":
    main(*sys.argv[1:])
