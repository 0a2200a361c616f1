# SPDX-License-Identifier: Apache-2.0
"""MediaPipe's face landmarker as a contestant of `benchmarks performance`: mediapipe_contestant.py MODEL N_FACES CLIP.

It runs in video mode with blendshapes, as MediaPipe's guide does; frames come from OpenCV's reader. It needs an
environment of its own without mien: pip install mediapipe.
"""

from __future__ import annotations

import sys

import cv2
import mediapipe
from clip_worker import serve
from mediapipe.tasks.python import BaseOptions, vision

_MAX_FPS = 1000


def main(model: str, n_faces: str, clip: str) -> None:
    """Find landmarks and blendshapes of at most ``n_faces`` faces per frame."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=model),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=int(n_faces),
        output_face_blendshapes=True,
    )

    landmarker = vision.FaceLandmarker.create_from_options(options)
    clock_ms = 0.0  # over all passes, because MediaPipe requires increasing timestamps

    def process(n_frames: int) -> tuple[int, int]:
        nonlocal clock_ms
        video = cv2.VideoCapture(clip)
        fps = video.get(cv2.CAP_PROP_FPS)
        step_ms = 1000 / fps if 0 < fps < _MAX_FPS else 40
        n_seen = n_found = 0
        while n_seen < n_frames:
            decoded, image = video.read()
            if not decoded:
                break
            clock_ms += step_ms
            picture = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            found = landmarker.detect_for_video(picture, round(clock_ms))
            n_seen, n_found = n_seen + 1, n_found + len(found.face_landmarks)
        video.release()
        return n_seen, n_found

    serve(process)


if __name__ == "__main__":
    main(*sys.argv[1:])
