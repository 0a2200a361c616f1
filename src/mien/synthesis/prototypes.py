# SPDX-License-Identifier: Apache-2.0
"""Renders the sheet of example faces that `mien explain` shows beside a face, so that no photo is ever shipped.

Each row is an expression, each column an identity. The command that renders the sheet again is
``python -m mien.synthesis.prototypes src/mien/affect/explanation``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.affect import PROTOTYPE_EXPRESSIONS, PROTOTYPE_PX, PROTOTYPE_SHEET, PROTOTYPES_PER_ROW
from mien.core import Image
from mien.media import encode_jpeg
from mien.synthesis.rendering.photo import develop
from mien.synthesis.rendering.scene import sample_scene
from mien.synthesis.sampling import sample_expression
from mien.synthesis.synthesis_recipe import CameraRange, ExpressionMix, OcclusionShares, PoseRange, SynthesisRecipe
from mien.synthesis.synthetic_faces import Identity

_RECIPE = SynthesisRecipe(name="prototypes", seed=77, size_px=PROTOTYPE_PX, oversampling=3)
_POSE = PoseRange(yaw_deg=6.0, pitch_deg=4.0, roll_deg=3.0, wide_share=0.0)
_CAMERA = CameraRange(face_share=(0.72, 0.8), shift=0.02)
_MIX = ExpressionMix(strength=(0.7, 1.0), asymmetry=0.0, blink_share=0.0, gaze_share=0.0)
_UNCOVERED = OcclusionShares(glasses=0.0, sunglasses=0.0, face_mask=0.0, hand=0.0)


def prototype_sheet() -> Image:
    """The sheet: (8 x 112, 8 x 112, 3) uint8 RGB, a row for each expression and a column for each identity."""
    rows = []
    for row, expression in enumerate(PROTOTYPE_EXPRESSIONS):
        tiles = []
        for column in range(PROTOTYPES_PER_ROW):
            number = row * PROTOTYPES_PER_ROW + column
            identity = Identity(_RECIPE, number)
            rng = identity.generator(9)
            kind = "neutral" if expression == "neutral" else "basic"
            drawn = sample_expression(_MIX if kind == "neutral" else replace(_MIX, only=(expression,)), rng, kind)
            scene = sample_scene(_RECIPE.size_px, _POSE, _CAMERA, _UNCOVERED, rng)
            photo = develop(identity.renderer.render(drawn.actions(), scene).image)
            tiles.append(np.asarray(np.rint(photo * 255), np.uint8))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


if __name__ == "__main__":
    (Path(sys.argv[1]) / PROTOTYPE_SHEET).write_bytes(encode_jpeg(prototype_sheet(), quality=88))
