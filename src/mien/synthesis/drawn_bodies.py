# SPDX-License-Identifier: Apache-2.0
"""Drawn bodies with known joints: varied limbs, poses, thickness, tones, backgrounds and clutter. Needs OpenCV alone.

[choice] throughout: the bodies take the place of photos of people, whose sets are not at hand, in the experiment on
joint regression with part detection. A body faces the camera, so that image sides are defined.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mien.core import BODY_JOINTS, BODY_LIMBS, Float32, Float64, Image

# Lengths as shares of the torso's: lowest and highest.
_LENGTHS = {"upper_arm": (0.45, 0.7), "lower_arm": (0.4, 0.65), "upper_leg": (0.6, 0.95), "lower_leg": (0.55, 0.9)}
_HEAD, _SHOULDERS, _HIPS = (0.3, 0.5), (0.2, 0.42), (0.12, 0.24)
_SHIFT_BITS = 4
_SMALLEST_CONTRAST = 35


@dataclass(frozen=True, eq=False, kw_only=True)
class StickFigures:
    """N bodies.

    Attributes:
        images: (N, S, S) uint8 gray; the body's box fills most of each.
        joints: (N, 15, 2) float32 places of `mien.core.BODY_JOINTS` in pixels, the first pixel's centre at 0.
    """

    images: Image
    joints: Float32

    def __len__(self) -> int:
        return len(self.images)


def stick_figures(n: int, *, seed: tuple[int, ...] = (0,), size_px: int = 96) -> StickFigures:
    """Draw bodies; each depends on the seed and its own number alone, so the first of more are the same.

    Args:
        n: Number of bodies.
        seed: Non-negative numbers that decide all bodies.
        size_px: Side S of the pictures.

    Examples:
        >>> two, one = stick_figures(2, seed=(1,)), stick_figures(1, seed=(1,))
        >>> two.images.shape, bool((two.joints[0] == one.joints[0]).all())
        ((2, 96, 96), True)
    """
    images = np.empty((n, size_px, size_px), np.uint8)
    joints = np.empty((n, len(BODY_JOINTS), 2), np.float32)
    for number in range(n):
        rng = np.random.default_rng([*seed, number])
        joints[number] = _in_picture(_pose(rng), size_px, rng)
        images[number] = _drawn(joints[number], size_px, rng)
    return StickFigures(images=images, joints=joints)


def _pose(rng: np.random.Generator) -> Float64:
    """(15, 2) joints with a torso of length 1 and the pelvis at 0, y downwards."""
    place = {"pelvis": np.zeros(2)}
    turn = float(np.clip(rng.normal(0, np.deg2rad(18)), -0.9, 0.9))
    place["neck"] = _away(place["pelvis"], turn, -1.0)
    place["head"] = _away(place["neck"], turn + float(rng.normal(0, np.deg2rad(14))), -rng.uniform(*_HEAD))
    across = np.array([np.cos(turn), np.sin(turn)])
    shoulders, hips = rng.uniform(*_SHOULDERS), rng.uniform(*_HIPS)
    lengths = {name: rng.uniform(*limits) for name, limits in _LENGTHS.items()}
    for side, sign in (("left", -1), ("right", 1)):
        place[f"{side}_shoulder"] = place["neck"] + sign * shoulders * across + 0.08 * (place["pelvis"] - place["neck"])
        place[f"{side}_hip"] = place["pelvis"] + sign * hips * across
        # Angles from hanging straight down, outwards positive.
        arm = np.deg2rad(rng.uniform(-25, 170))
        elbow = arm + np.deg2rad(rng.uniform(-130, 40))
        leg = np.deg2rad(rng.uniform(-12, 75))
        knee = leg + np.deg2rad(rng.uniform(-95, 10))
        for first, middle, last, angles in (
            ("shoulder", "elbow", "wrist", (arm, elbow)),
            ("hip", "knee", "ankle", (leg, knee)),
        ):
            upper, lower = ("upper_arm", "lower_arm") if first == "shoulder" else ("upper_leg", "lower_leg")
            place[f"{side}_{middle}"] = _away(place[f"{side}_{first}"], turn - sign * angles[0], lengths[upper])
            place[f"{side}_{last}"] = _away(place[f"{side}_{middle}"], turn - sign * angles[1], lengths[lower])
    return np.stack([place[name] for name in BODY_JOINTS])


def _away(start: Float64, angle: float, length: float) -> Float64:
    """The point at a length from another, straight down for an angle of 0, turned clockwise as seen."""
    return start + length * np.array([-np.sin(angle), np.cos(angle)])


def _in_picture(pose: Float64, size_px: int, rng: np.random.Generator) -> Float32:
    """The pose, scaled so that its box fills 72 to 92 % of the picture's side, at a random place within it."""
    low, high = pose.min(axis=0), pose.max(axis=0)
    scale = size_px * rng.uniform(0.72, 0.92) / float((high - low).max())
    room = size_px - 1 - scale * (high - low)
    middle = room / 2 + rng.uniform(-0.5, 0.5, 2) * np.minimum(room, 0.12 * size_px)
    return np.asarray((pose - low) * scale + middle, np.float32)


def _drawn(joints: Float32, size_px: int, rng: np.random.Generator) -> Image:
    base = int(rng.integers(20, 236))
    canvas = _background(base, size_px, rng)
    for _ in range(int(rng.integers(0, 7))):
        _clutter(canvas, int(rng.integers(0, 256)), rng)
    tone = _contrasting(base, rng)
    thickness = rng.uniform(0.018, 0.055) * size_px
    place = dict(zip(BODY_JOINTS, joints.astype(np.float64), strict=True))
    for first, second in BODY_LIMBS.values():
        _line(canvas, place[first], place[second], tone, thickness * rng.uniform(0.7, 1.3))
    for part in ("shoulder", "hip"):
        _line(canvas, place[f"left_{part}"], place[f"right_{part}"], tone, thickness)
    radius = 0.42 * float(np.linalg.norm(place["head"] - place["neck"]))
    middle = (place["head"] * 0.58 + place["neck"] * 0.42) * 2**_SHIFT_BITS
    cv2.circle(
        canvas,
        tuple(int(v) for v in middle.round()),
        round(radius * 2**_SHIFT_BITS),
        tone,
        -1 if rng.random() < 0.6 else max(1, round(thickness)),
        cv2.LINE_AA,
        _SHIFT_BITS,
    )
    if rng.random() < 0.3:  # something in front
        _clutter(canvas, int(rng.integers(0, 256)), rng, largest=0.2)
    if rng.random() < 0.4:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.2)), np.uint8)
    noise = rng.standard_normal(canvas.shape, dtype=np.float32) * np.float32(rng.uniform(1, 10))
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def _contrasting(base: int, rng: np.random.Generator) -> int:
    """A tone that differs from the background's."""
    tones = np.arange(256)
    return int(rng.choice(tones[np.abs(tones - base) >= _SMALLEST_CONTRAST]))


def _background(base: int, size_px: int, rng: np.random.Generator) -> Image:
    """A ramp of light, or soft blotches, about a tone."""
    cells = int(rng.integers(2, 6))
    coarse = base + rng.uniform(-1, 1, (cells, cells)) * rng.uniform(0, 45)
    smooth = cv2.resize(coarse.astype(np.float32), (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 255).astype(np.uint8)


def _clutter(canvas: Image, tone: int, rng: np.random.Generator, largest: float = 0.5) -> None:
    """Draw a line, an ellipse or a rectangle anywhere."""
    size = len(canvas)
    middle = rng.uniform(0, size, 2)
    reach = rng.uniform(0.05, largest, 2) * size
    kind = int(rng.integers(3))
    if kind == 0:
        heading = rng.uniform(0, 2 * np.pi)
        end = middle + reach[0] * np.array([np.cos(heading), np.sin(heading)])
        _line(canvas, middle, end, tone, rng.uniform(0.01, 0.05) * size)
    elif kind == 1:
        axes = tuple(int(v) for v in reach / 2 + 1)
        fill = -1 if rng.random() < 0.4 else 1
        cv2.ellipse(
            canvas, tuple(int(v) for v in middle), axes, float(rng.uniform(0, 180)), 0, 360, tone, fill, cv2.LINE_AA
        )
    else:
        corner = tuple(int(v) for v in middle + reach)
        cv2.rectangle(canvas, tuple(int(v) for v in middle), corner, tone, -1 if rng.random() < 0.4 else 1)


def _line(canvas: Image, start: Float64, end: Float64, tone: int, thickness: float) -> None:
    first, last = (tuple(int(v) for v in (point * 2**_SHIFT_BITS).round()) for point in (start, end))
    cv2.line(canvas, first, last, tone, max(1, round(float(thickness))), cv2.LINE_AA, _SHIFT_BITS)
