# SPDX-License-Identifier: Apache-2.0
"""Contact sheets on which a person can judge a recipe."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ACTION_UNITS
from mien.synthesis.expressions import BASIC_EXPRESSIONS, PROTOTYPES
from mien.synthesis.head.actions import UNIT_ACTIONS, UnitVector
from mien.synthesis.rendering.scene import sample_scene
from mien.synthesis.sampling import Expression
from mien.synthesis.synthesis_recipe import OcclusionShares, PoseRange, SynthesisRecipe
from mien.synthesis.synthetic_faces import Identity, render_faces

Bytes = npt.NDArray[np.uint8]

_CAPTION_PX = 14
_SHEET_STREAM = 4


def sheet(tiles: list[tuple[str, Bytes]], columns: int) -> Bytes:
    """Image (H, W, 3) of captioned tiles of the same size, row by row."""
    height, width = tiles[0][1].shape[:2]
    rows = -(-len(tiles) // columns)
    result = np.full((rows * (height + _CAPTION_PX), columns * width, 3), 255, np.uint8)
    for k, (caption, tile) in enumerate(tiles):
        y, x = (k // columns) * (height + _CAPTION_PX), (k % columns) * width
        result[y + _CAPTION_PX : y + _CAPTION_PX + height, x : x + width] = tile
        cv2.putText(result, caption, (x + 2, y + 10), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA)
    return result


def preview(recipe: SynthesisRecipe, n: int = 48, columns: int = 12) -> Bytes:
    """The first ``n`` faces of a recipe, with the expression or the strongest action units as captions."""
    tiles = []
    for face in render_faces(recipe, n):
        expression = face.expression
        strongest = sorted(face.sides, key=face.intensity, reverse=True)[:3]
        units = " ".join(unit[2:] for unit in strongest if face.intensity(unit) > 0.2)
        caption = units if expression.kind in ("units", "speech") else f"{expression.name} {expression.strength:.1f}"
        tiles.append((caption, face.image))
    return sheet(tiles, columns)


def _shown() -> list[tuple[str, Expression]]:
    """Caption and expression of every tile of a person."""
    shown = [("neutral", Expression("neutral", "neutral", 0.0, UnitVector()))]
    for unit in (*ACTION_UNITS.labels, "AU18", "AU22", "AU27", "AU28", "AU34"):
        caption = f"{unit} {UNIT_ACTIONS[unit].facs}"[:19]
        shown += [(caption, Expression("units", "neutral", 0.0, UnitVector({unit: 1.0})))]
    for name in BASIC_EXPRESSIONS:
        prototype = PROTOTYPES[name]
        usual = [unit for unit, share in prototype.optional.items() if share > 0.5]
        intensity = (0.9, 0.0) if name == "contempt" else 0.9
        shown += [
            (name, Expression("basic", name, 0.9, UnitVector(dict.fromkeys((*prototype.units, *usual), intensity))))
        ]
    return shown


def unit_preview(recipe: SynthesisRecipe, n_identities: int = 4, columns: int = 12) -> Bytes:
    """Neutral, every action unit and every basic expression at full strength, near frontal, without degradation."""
    tiles = []
    pose, no_occlusion = (
        PoseRange(yaw_deg=7, pitch_deg=3, roll_deg=2, wide_share=0),
        OcclusionShares(glasses=0, sunglasses=0, face_mask=0, hand=0),
    )
    for number in range(n_identities):
        identity = Identity(recipe, number)
        scene = sample_scene(recipe.size_px, pose, recipe.camera, no_occlusion, identity.generator(_SHEET_STREAM))
        for caption, expression in _shown():
            photo = identity.draw(expression, scene)[0]
            tiles.append((caption, np.asarray(np.round(photo * 255), np.uint8)))
        tiles += [("", np.full_like(tiles[0][1], 255))] * (-len(tiles) % columns)
    return sheet(tiles, columns)
