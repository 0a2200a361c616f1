# SPDX-License-Identifier: Apache-2.0
"""Frames of a live run for views, without a camera and without models."""

from __future__ import annotations

import numpy as np

from mien.core import Faces, Frame
from mien.pipeline import LiveFrame, LiveStatistics


def live_frame(n_faces: int = 1) -> LiveFrame:
    """A frame with so many happy faces."""
    faces = Faces(
        boxes=np.tile(np.array([[20, 20, 60, 60]], np.float32), (n_faces, 1)),
        track_ids=np.arange(n_faces),
        expression=np.tile([[0.25, 0.75]], (n_faces, 1)),
        expression_labels=("neutral", "happiness"),
        valence=np.full(n_faces, 0.5),
        arousal=np.full(n_faces, np.nan),
        action_units=np.full((n_faces, 1), 0.3),
        action_unit_labels=("AU12",),
    )
    frame = Frame(index=3, time_s=0.12, faces=faces, image=np.full((80, 100, 3), 90, np.uint8))
    statistics = LiveStatistics(n_frames=4, n_dropped=2, fps=25.0, latency_p50_s=0.011, latency_p95_s=0.02)
    return LiveFrame(source="camera [0]", frame=frame, latency_s=0.012, statistics=statistics, thresholds={"AU12": 0.2})
