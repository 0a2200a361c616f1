# SPDX-License-Identifier: Apache-2.0
"""Renders the sample photo and the sample video in docs/sample: two identities, from neutral to a smile.

The files are rendered, not photographed, and show no real person; tests and pages use them. The command that renders
them again is ``python -m mien.synthesis.sample docs/sample``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.media import VideoWriter, encode_jpeg
from mien.synthesis.head.actions import UnitVector
from mien.synthesis.rendering.photo import develop
from mien.synthesis.rendering.scene import Camera, Scene
from mien.synthesis.rendering.shading import Lights
from mien.synthesis.synthesis_recipe import SynthesisRecipe
from mien.synthesis.synthetic_faces import Identity

Floats = npt.NDArray[np.float32]

PHOTO = "two_faces.jpg"
VIDEO = "neutral_to_smile.mp4"

SAMPLE_IDENTITIES = (9, 11)
"""Numbers of the identities on the left and on the right."""

_RECIPE = SynthesisRecipe(name="sample", seed=5, size_px=240, oversampling=3)
_DURATION_S = 3.0
_FPS = 15.0
_SMILE = UnitVector({"AU06": 0.8, "AU12": 1.0, "AU25": 0.9, "AU10": 0.2})
_NEUTRAL = UnitVector()


def sample_image(left: float, right: float, *, yaw_rad: float = 0.0) -> npt.NDArray[np.uint8]:
    """Image (240, 480, 3) of both identities.

    Args:
        left: Strength of the smile of the left identity in [0, 1].
        right: Strength of the smile of the right identity.
        yaw_rad: How far both turn towards each other.
    """
    halves = []
    for number, smile, side in zip(SAMPLE_IDENTITIES, (left, right), (1.0, -1.0), strict=True):
        identity = Identity(_RECIPE, number)
        actions = _NEUTRAL.blend(_SMILE, smile).actions()
        halves.append(develop(identity.renderer.render(actions, _scene(side, yaw_rad)).image))
    return np.asarray(np.round(np.concatenate(halves, axis=1) * 255), np.uint8)


def _scene(side: float, yaw_rad: float) -> Scene:
    """Scene of one half of the image; wall and light are the same in both."""
    size = _RECIPE.size_px
    wall = np.linspace(0.36, 0.20, size, dtype=np.float32)[:, None, None] * np.array([0.9, 1.0, 1.05], np.float32)
    light = np.array([0.45, 0.45, 0.77])
    other = np.array([-0.7, 0.1, 0.7])
    distance = 16.0
    focal = 0.58 * size * distance / 1.95
    return Scene(
        pose_rad=(0.02, side * (0.06 + yaw_rad), 0.03 * side),
        camera=Camera(distance, focal, (size / 2, 0.44 * size)),
        lights=Lights(
            key=(light / np.linalg.norm(light)).astype(np.float32),
            key_rgb=np.array([0.92, 0.88, 0.82], np.float32),
            fill=(other / np.linalg.norm(other)).astype(np.float32),
            fill_rgb=np.array([0.22, 0.23, 0.25], np.float32),
            sky_rgb=np.array([0.34, 0.36, 0.38], np.float32),
            ground_rgb=np.array([0.16, 0.15, 0.14], np.float32),
            softness=2.0,
        ),
        background=np.broadcast_to(wall, (size, size, 3)).astype(np.float32),
        cloth_rgb=np.array([0.05, 0.12, 0.20] if side > 0 else [0.30, 0.08, 0.06], np.float32),
        neckline_dm=5.85,
    )


def write_sample(folder: Path) -> None:
    """Write the photo (left neutral, right smiling) and the video (both from neutral to a smile) into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PHOTO).write_bytes(encode_jpeg(sample_image(0.0, 1.0), quality=90))
    n = round(_DURATION_S * _FPS)
    with VideoWriter(folder / VIDEO, 2 * _RECIPE.size_px, _RECIPE.size_px, fps=_FPS, threads=1) as writer:
        for frame in range(n):
            share = frame / (n - 1)
            left, right = (float(np.clip((share - start) / 0.35, 0, 1)) for start in (0.20, 0.45))
            turn = 0.12 * np.sin(np.pi * share)
            eased = [value * value * (3 - 2 * value) for value in (left, right)]
            writer.write(sample_image(eased[0], eased[1], yaw_rad=float(turn)), frame / _FPS)


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]))
