# SPDX-License-Identifier: Apache-2.0
"""`SyntheticFace`: an image with its exact labels, and how recipe, seed and number determine it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import ACTION_UNITS
from mien.synthesis.head.actions import UNIT_ACTIONS
from mien.synthesis.head.basis import HeadBasis
from mien.synthesis.head.makehuman import load_basis
from mien.synthesis.head.person import Person, sample_person
from mien.synthesis.rendering.photo import degrade, develop
from mien.synthesis.rendering.renderer import HeadRenderer
from mien.synthesis.rendering.scene import Scene, sample_scene
from mien.synthesis.rendering.truth import Truth, opening_units
from mien.synthesis.sampling import Expression, sample_expression
from mien.synthesis.synthesis_recipe import SynthesisRecipe

FURTHER_UNITS = ("AU16", "AU18", "AU22", "AU27", "AU28", "AU34")
"""Action units outside mien's own list whose intensities are recorded, too."""

LABELLED_UNITS = (*ACTION_UNITS.labels, *FURTHER_UNITS)
"""Action units with an intensity for every face."""

SIDED_UNITS = tuple(unit for unit in ACTION_UNITS.labels if UNIT_ACTIONS[unit].sided)
"""Action units of mien's list with an intensity for the left and the right side."""

_PERSON, _FACE, _SPLIT = range(3)


@dataclass(frozen=True, eq=False)
class SyntheticFace:
    """A rendered face and everything that is known of it.

    Attributes:
        name: Unique name, ``"<identity>_<face>"``.
        image: (S, S, 3) uint8 RGB.
        jpeg_quality: Quality for the JPEG file.
        split: ``"train"``, ``"valid"`` or ``"test"``, the same for all faces of an identity.
        person: Identity.
        expression: Drawn expression.
        scene: Pose, camera and occlusion.
        truth: Landmarks and box in pixels.
        parted: Intensity of AU25 that the gap between the lips shows.
        closed: Intensity of AU45, left and right, that the lids show.
    """

    name: str
    image: npt.NDArray[np.uint8]
    jpeg_quality: int
    split: str
    person: Person
    expression: Expression
    scene: Scene
    truth: Truth
    parted: float
    closed: tuple[float, float]

    @cached_property
    def sides(self) -> dict[str, tuple[float, float]]:
        """Intensity (left, right) of each of `LABELLED_UNITS`.

        AU25 and AU45 are read from the mesh: any action that parts the lips counts for AU25; a mouth
        stretch (AU27) is a jaw drop (AU26), too. All others are the drawn intensities.
        """
        units = self.expression.units
        sides = {unit: (units.side(unit, "left"), units.side(unit, "right")) for unit in LABELLED_UNITS}
        jaw = max(units["AU26"], units["AU27"])
        return {**sides, "AU25": (self.parted, self.parted), "AU45": self.closed, "AU26": (jaw, jaw)}

    def intensity(self, unit: str) -> float:
        """Intensity of an action unit in [0, 1]: the stronger side."""
        return max(self.sides[unit])

    def labels(self, presence: float) -> dict[str, Any]:
        """Row of the table of labels; see docs/how-to/synthesis.md.

        Args:
            presence: Intensity from which an action unit counts as present.
        """
        va = self.expression.valence_arousal
        camera, person = self.scene.camera, self.person
        row: dict[str, Any] = {
            "name": self.name,
            "identity": person.number,
            "split": self.split,
            "expression": self.expression.name,
            "expression_kind": self.expression.kind,
            "expression_strength": self.expression.strength,
            "valence": None if va is None else va[0],
            "arousal": None if va is None else va[1],
        }
        row |= {unit: self.intensity(unit) for unit in LABELLED_UNITS}
        row |= {f"{unit}_present": self.intensity(unit) >= presence for unit in ACTION_UNITS.labels}
        for unit in SIDED_UNITS:
            row[f"{unit}_left"], row[f"{unit}_right"] = self.sides[unit]
        row |= dict(zip(("gaze_right", "gaze_up"), self.expression.gaze, strict=True))
        row |= dict(zip(("pitch_rad", "yaw_rad", "roll_rad"), self.scene.pose_rad, strict=True))
        row |= dict(zip(("x0", "y0", "x1", "y1"), self.truth.box.tolist(), strict=True))
        row["landmarks"] = self.truth.landmarks.ravel().tolist()
        row["landmark_visible"] = self.truth.visible.tolist()
        row["occlusion"] = self.scene.occlusion
        row |= {"age_years": person.age_years, "sex": person.sex, "skin_tone": person.skin_tone}
        row |= dict(zip(("african", "asian", "european"), person.ancestry, strict=True))
        row |= {"camera_distance_dm": camera.distance_dm, "camera_focal_px": camera.focal_px}
        row |= {"camera_x_px": camera.centre_px[0], "camera_y_px": camera.centre_px[1]}
        return row


class Identity:
    """One identity of a recipe, whose faces and clips can be drawn.

    Args:
        recipe: Recipe; its seed and the number determine everything.
        number: Number of the identity, from 0.
        basis: Head basis; the shipped one if None.
    """

    def __init__(self, recipe: SynthesisRecipe, number: int, basis: HeadBasis | None = None) -> None:
        self.recipe = recipe
        self.number = number
        basis = basis or load_basis()
        self.person = sample_person(basis, number, self.generator(_PERSON), recipe.age_years)
        self.renderer = HeadRenderer(basis, self.person, oversampling=recipe.oversampling)
        place = self.generator(_SPLIT).random()
        held_out = recipe.test_share + recipe.valid_share
        self.split = "test" if place < recipe.test_share else "valid" if place < held_out else "train"

    def generator(self, *stream: int) -> np.random.Generator:
        """Random generator that depends on nothing but the seed, the identity and the numbers given."""
        return np.random.default_rng([self.recipe.seed, self.number, *stream])

    def draw(
        self, expression: Expression, scene: Scene
    ) -> tuple[npt.NDArray[np.float32], Truth, float, tuple[float, float]]:
        """Image in sRGB (S, S, 3) in [0, 1], its truth, and the intensities of AU25 and AU45."""
        actions = expression.actions()
        rendering = self.renderer.render(actions, scene)
        unblinked = {name: weight for name, weight in actions.items() if not name.startswith("eyeBlink")}
        now = rendering.truth.openings
        without_blink = now if len(unblinked) == len(actions) else self.renderer.openings(unblinked)
        parted, closed = opening_units(now, self.renderer.neutral_openings, without_blink)
        return develop(rendering.image), rendering.truth, parted, closed

    def face(self, index: int) -> SyntheticFace:
        """Face ``index`` of the identity, from 0."""
        recipe, rng = self.recipe, self.generator(_FACE, index)
        first_neutral = index == 0 and recipe.expressions.first_neutral
        expression = sample_expression(recipe.expressions, rng, "neutral" if first_neutral else None)
        scene = sample_scene(recipe.size_px, recipe.pose, recipe.camera, recipe.occlusion, rng)
        photo, truth, parted, closed = self.draw(expression, scene)
        image, quality = degrade(photo, recipe.degradation, rng)
        name = f"{self.number:06d}_{index:03d}"
        return SyntheticFace(name, image, quality, self.split, self.person, expression, scene, truth, parted, closed)


def render_faces(recipe: SynthesisRecipe, n: int, *, first_identity: int = 0) -> Iterator[SyntheticFace]:
    """Faces of a recipe in memory, identity by identity.

    Args:
        recipe: Recipe.
        n: Number of faces.
        first_identity: Number of the first identity.
    """
    for k in range(0, n, recipe.faces_per_identity):
        identity = Identity(recipe, first_identity + k // recipe.faces_per_identity)
        for index in range(min(recipe.faces_per_identity, n - k)):
            yield identity.face(index)
