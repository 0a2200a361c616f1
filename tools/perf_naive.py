# SPDX-License-Identifier: Apache-2.0
"""What scripts commonly do, as a contestant of `tools/performance.py`: perf_naive.py GRAPH CLIP.

MTCNN searches every frame, and a larger net reads each face by itself. The net is timm's EfficientNet-B0 at 224 px with
random weights: its answers mean nothing, and its speed is that of any other weights.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from perf_worker import serve

from mien.faces import create_detector
from mien.inference import create_session
from mien.media import open_video

SIZE_PX = 224
_MEAN, _STD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])


def main(graph: str, clip: str) -> None:
    """One frame after the other, one face after the other."""
    detector, session = create_detector("mtcnn"), create_session(Path(graph))

    def look(n_frames: int) -> tuple[int, int]:
        n_seen = n_faces = 0
        with open_video(clip) as video:
            for frame in islice(video, n_frames):
                n_seen += 1
                for x0, y0, x1, y1 in np.rint(detector.detect(frame.image).boxes).astype(int).clip(0):
                    crop = cv2.resize(frame.image[y0:y1, x0:x1], (SIZE_PX, SIZE_PX))
                    pixels = ((crop - _MEAN) / _STD).transpose(2, 0, 1)[None]
                    session.run({session.input_names[0]: np.ascontiguousarray(pixels, np.float32)})
                    n_faces += 1
        return n_seen, n_faces

    serve(look)


if __name__ == "__main__":
    main(*sys.argv[1:])
