# SPDX-License-Identifier: Apache-2.0
"""Clips: one identity that moves between expressions, with the labels of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mien.synthesis.head.actions import UnitVector
from mien.synthesis.rendering.photo import degrade
from mien.synthesis.rendering.scene import Scene, sample_pose, sample_scene
from mien.synthesis.sampling import Expression, sample_expression
from mien.synthesis.synthetic_faces import Identity, SyntheticFace

_CLIP = 3
_BLINK_S = 0.30
_BLINKS_PER_S = 0.25
_HELD = 0.35


def clip_frames(identity: Identity, index: int = 0) -> Iterator[tuple[float, SyntheticFace]]:
    """Time in seconds and face of every frame of a clip.

    The clip holds each expression, moves to the next, blinks now and then and turns the head; light, background and
    degradation stay. The label of a frame between two expressions is the blend of both intensities, its name and
    strength are those of the stronger one.

    Args:
        identity: Identity.
        index: Number of the clip of this identity.
    """
    recipe = identity.recipe
    options, rng = recipe.clips, identity.generator(_CLIP, index)
    n = max(2, round(options.duration_s * options.fps))
    mix = recipe.expressions
    keys = [
        sample_expression(mix, rng, "neutral" if k == 0 and mix.first_neutral else None)
        for k in range(options.expressions)
    ]
    scene = sample_scene(recipe.size_px, recipe.pose, recipe.camera, recipe.occlusion, rng)
    poses = np.array([scene.pose_rad, _near(scene, sample_pose(recipe.pose, rng))])
    n_blinks = rng.poisson(_BLINKS_PER_S * options.duration_s)
    blinks = rng.uniform(0, options.duration_s, n_blinks)
    degradation = identity.generator(_CLIP, index, 1)
    state = degradation.bit_generator.state
    for frame in range(n):
        time_s = frame / options.fps
        expression = _blinking(_between(keys, frame / (n - 1)), time_s, blinks)
        ease = 0.5 - 0.5 * np.cos(np.pi * frame / (n - 1))
        pitch, yaw, roll = poses[0] + ease * (poses[1] - poses[0])
        now = replace(scene, pose_rad=(float(pitch), float(yaw), float(roll)))
        photo, truth, parted, closed = identity.draw(expression, now)
        degradation.bit_generator.state = state  # the same blur and size in every frame
        image, quality = degrade(photo, recipe.degradation, degradation, frame)
        name = f"{identity.number:06d}_{index:03d}_{frame:04d}"
        yield (
            time_s,
            SyntheticFace(
                name, image, quality, identity.split, identity.person, expression, now, truth, parted, closed
            ),
        )


def _near(scene: Scene, other: tuple[float, float, float]) -> tuple[float, float, float]:
    """A pose at most 0.5 rad of yaw away from that of the scene."""
    pitch, yaw, roll = other
    start = scene.pose_rad[1]
    return pitch, float(np.clip(yaw, start - 0.5, start + 0.5)), roll


def _between(keys: list[Expression], progress: float) -> Expression:
    """Expression at a share of the clip's length: each key is held for a while, then blends into the next."""
    place = progress * (len(keys) - 1)
    first = min(int(place), len(keys) - 2)
    share = float(np.clip((place - first - _HELD / 2) / (1 - _HELD), 0, 1))
    share = share * share * (3 - 2 * share)
    a, b = keys[first], keys[first + 1]
    gaze = (a.gaze[0] + share * (b.gaze[0] - a.gaze[0]), a.gaze[1] + share * (b.gaze[1] - a.gaze[1]))
    extra = {
        name: (1 - share) * a.extra.get(name, 0.0) + share * b.extra.get(name, 0.0) for name in {**a.extra, **b.extra}
    }
    stronger, strength = (a, a.strength * (1 - share)) if share < 0.5 else (b, b.strength * share)
    return Expression(stronger.kind, stronger.name, strength, a.units.blend(b.units, share), gaze, extra)


def _blinking(expression: Expression, time_s: float, blinks: npt.NDArray[np.float64]) -> Expression:
    """The expression with the lids of the nearest blink."""
    if not len(blinks):
        return expression
    closed = float(np.clip(1 - np.abs(time_s - blinks).min() / (_BLINK_S / 2), 0, 1))
    if closed <= 0:
        return expression
    units = expression.units.sides()
    left, right = units.get("AU45", (0.0, 0.0))
    units |= {"AU45": (max(left, closed), max(right, closed)), "AU05": (0.0, 0.0)}
    return replace(expression, units=UnitVector(units))
