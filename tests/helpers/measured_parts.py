# SPDX-License-Identifier: Apache-2.0
"""Made-up parts of the performance benchmark."""

from typing import Any


def pace(name: str, fps: float | None) -> dict[str, Any]:
    told = {"spread": 0.1, "cpu_ms": 5.0, "faces_per_frame": 1.0, "peak_mb": 200, "remark": "not measured: why"}
    return {"name": name, "n_frames": 100, "fps": fps} | told


ABOUT = {"machine": "a machine", "versions": "some versions", "bundles": "some bundles", "date": "2026-01-01"}


def parts(own: float = 300.0, peer: float | None = 80.0) -> dict[str, Any]:
    paces = [pace("decoding alone", 900), pace("mien", own), pace("MediaPipe face landmarker", peer)]
    starts = [
        {"name": "mien --version", "seconds": 0.1, "fastest": 0.1, "slowest": 0.2, "cpu_s": 0.1, "n_faces": 0},
        {"name": "photo.jpg", "seconds": 1.2, "fastest": 1.1, "slowest": 1.3, "cpu_s": 1.0, "n_faces": 1},
    ]
    curve = [200.0] * 12 + [215.0]
    run = {"minutes": 20, "n_frames": 30000, "seconds": 150, "at_minutes": list(range(13)), "resident_mb": curve}
    return {
        "speed": {"clip": "clip.mp4", "paces": paces, "about": ABOUT},
        "cold": {"starts": starts, "about": ABOUT},
        "memory": run | {"peak_mb": 216.0, "about": ABOUT},
    }
