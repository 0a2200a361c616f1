# SPDX-License-Identifier: Apache-2.0
"""Pairs of rendered faces with one expression, light and pose that differ in skin tone, age or sex alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mien.core import Image
from mien.evaluation import FacePair
from mien.synthesis.head.makehuman import load_basis
from mien.synthesis.head.person import Person, sample_person, skin_colour_at, weights_of
from mien.synthesis.rendering.photo import develop
from mien.synthesis.rendering.renderer import HeadRenderer
from mien.synthesis.rendering.scene import sample_scene
from mien.synthesis.sampling import Expression, sample_expression
from mien.synthesis.synthesis_recipe import CameraRange, ExpressionMix, OcclusionShares, PoseRange

PAIR_TRAITS = ("skin tone", "age", "sex")
"""Traits of the pairs: light and dark skin, 25 and 70 years, female and male."""

_SIZE_PX = 144
_LIGHT, _DARK = 0.08, 0.85
_YOUNG, _OLD = 25.0, 70.0
_MIX = ExpressionMix(neutral=0.3, basic=0.7, compound=0.0, units=0.0, speech=0.0, strength=(0.3, 1.0), blink_share=0.0)
_POSE = PoseRange(yaw_deg=8.0, pitch_deg=5.0, roll_deg=3.0, wide_share=0.0)
_UNCOVERED = OcclusionShares(glasses=0.0, sunglasses=0.0, face_mask=0.0, hand=0.0)


def counterfactual_pairs(n: int, *, seed: int = 0) -> Iterator[FacePair]:
    """N pairs of each trait.

    Args:
        n: Number of pairs of each trait.
        seed: Seed; a pair depends on it, its trait and its number alone.

    Raises:
        MissingExtraError: The extra ``synthesis`` is not installed.
    """
    for place, trait in enumerate(PAIR_TRAITS):
        for number in range(n):
            rng = np.random.default_rng([seed, place, number])
            first, second = _two_people(trait, rng)
            drawn = sample_expression(_MIX, rng)
            state = int(rng.integers(2**31))
            yield FacePair(
                trait=trait,
                first=_photo(first, drawn, state),
                second=_photo(second, drawn, state),
                expression=drawn.name,
            )


def _two_people(trait: str, rng: np.random.Generator) -> tuple[Person, Person]:
    """Two people who differ in one trait."""
    basis = load_basis()
    base = sample_person(basis, int(rng.integers(2**31)), rng, (20.0, 60.0))
    if trait == "skin tone":
        light, dark = (replace(base, skin_tone=tone, skin_rgb=skin_colour_at(tone)) for tone in (_LIGHT, _DARK))
        return light, dark
    seed = int(rng.integers(2**31))
    # Hair and beard stay: the shape of the face alone follows the trait, and the skin's age.
    base = replace(base, beard="none")
    if trait == "age":
        ages = (
            replace(base, age_years=age, weights=weights_of(basis, base.sex, age, base.ancestry, seed))
            for age in (_YOUNG, _OLD)
        )
        young, old = ages
        return young, old
    female = replace(base, sex="female", weights=weights_of(basis, "female", base.age_years, base.ancestry, seed))
    male = replace(base, sex="male", weights=weights_of(basis, "male", base.age_years, base.ancestry, seed))
    return female, male


def _photo(person: Person, expression: Expression, state: int) -> Image:
    scene = sample_scene(_SIZE_PX, _POSE, CameraRange(face_share=(0.7, 0.8)), _UNCOVERED, np.random.default_rng(state))
    image = HeadRenderer(load_basis(), person, oversampling=2).render(expression.actions(), scene).image
    return np.asarray(np.rint(develop(image) * 255), np.uint8)
