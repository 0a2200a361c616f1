# SPDX-License-Identifier: Apache-2.0
"""Performance targets for two cores, and whether they are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TIMES_PEER, _SHARE_OF_DECODING = 3.3, 0.5
_CROWD_FPS, _FULL_HD_FPS = 25, 60
_AFFECT_MS, _POINTS_MS = 1.0, 1.0
_MEMORY_MB, _GROWTH = 400, 0.05
_COLD_S = 1.0


@dataclass(frozen=True)
class Target:
    """One line of the table.

    Attributes:
        goal: what is to be reached.
        figure: what was measured; empty where it was not.
        met: whether the figure reaches the goal.
    """

    goal: str
    figure: str = ""
    met: bool = False

    @property
    def verdict(self) -> str:
        """The verdict as the table shows it."""
        return "not measured" if not self.figure else "met" if self.met else "**missed**"


def targets(parts: Mapping[str, Any]) -> list[Target]:
    """Compare every target with its figure.

    Args:
        parts: name -> measured part, as `measurements.PARTS` returns them; parts may be absent.
    """
    return [
        *_one_face(parts),
        _rate(f"twenty faces in view: {_CROWD_FPS} frames/s", parts.get("crowd"), _CROWD_FPS),
        _rate(f"1920 x 1080: {_FULL_HD_FPS} frames/s", parts.get("full-hd"), _FULL_HD_FPS),
        _affect(parts.get("stages")),
        _points(parts.get("nets")),
        *_memory(parts.get("memory")),
        *_cold(parts.get("cold")),
    ]


def fps_of(part: Mapping[str, Any] | None, beginning: str) -> float | None:
    """Frames per second of the first contestant whose name has this beginning; None where it was not measured."""
    paces = part["paces"] if part else ()
    return next((pace["fps"] for pace in paces if pace["name"].startswith(beginning)), None)


def _one_face(parts: Mapping[str, Any]) -> list[Target]:
    speed = parts.get("speed")
    own, peer, decoding = (fps_of(speed, name) for name in ("mien", "MediaPipe", "decoding"))
    faster = f"one face at 640 x 360: {_TIMES_PEER} times as fast as MediaPipe's landmarker"
    near = f"stretch: {_SHARE_OF_DECODING:.0%} of the rate of decoding"
    return [
        Target(faster, f"{own / peer:.2f} times", own >= _TIMES_PEER * peer) if own and peer else Target(faster),
        Target(near, f"{own / decoding:.0%}", own >= _SHARE_OF_DECODING * decoding)
        if own and decoding
        else Target(near),
    ]


def _rate(goal: str, part: Mapping[str, Any] | None, least: float) -> Target:
    own = fps_of(part, "mien")
    return Target(goal, f"{own:.0f} frames/s", own >= least) if own else Target(goal)


def _affect(stages: Mapping[str, Any] | None) -> Target:
    goal = f"all affect outputs of a face, in batches: {_AFFECT_MS:g} ms"
    rate = next((s["rate"] for s in (stages or {}).get("stages", ()) if s["name"].endswith("batch 16")), None)
    return Target(goal, f"{1000 / rate:.2f} ms", 1000 / rate < _AFFECT_MS) if rate else Target(goal)


def _points(nets: Mapping[str, Any] | None) -> Target:
    goal = f"68 landmarks and pose of a face, one core: {_POINTS_MS:g} ms"
    way = {"net": "68 landmarks and pose", "precision": "fp32", "runtime": "onnxruntime", "threads": 1, "batch": 1}
    ms = next((s["ms"] for s in (nets or {}).get("speeds", ()) if way.items() <= s.items()), None)
    return Target(goal, f"{ms:.2f} ms", ms < _POINTS_MS) if ms else Target(goal)


def _memory(run: Mapping[str, Any] | None) -> list[Target]:
    low, flat = f"memory of a long run: under {_MEMORY_MB} MB", f"and flat: the last quarter within {_GROWTH:.0%}"
    if not run:
        return [Target(low), Target(flat)]
    curve = run["resident_mb"]
    quarter = len(curve) // 4
    growth = max(curve[-quarter:]) / max(curve[quarter : 2 * quarter]) - 1
    return [
        Target(low, f"{run['peak_mb']:.0f} MB at most", run["peak_mb"] < _MEMORY_MB),
        Target(f"{flat} of the second", f"{growth:+.1%} over {run['minutes']:.0f} minutes", growth <= _GROWTH),
    ]


def _cold(cold: Mapping[str, Any] | None) -> list[Target]:
    photos = [start for start in (cold or {}).get("starts", ()) if start["n_faces"]]
    goal = f"`mien analyze photo.jpg` from a cold start: {_COLD_S:g} s"
    if not photos:
        return [Target(goal)]
    return [
        Target(
            f"{goal} ({p['n_faces']} face{'s' * (p['n_faces'] > 1)})", f"{p['seconds']:.2f} s", p["seconds"] < _COLD_S
        )
        for p in photos
    ]
