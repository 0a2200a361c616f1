# SPDX-License-Identifier: Apache-2.0
"""Faces: reproducible by seed and number, labels that agree with what was drawn."""

from dataclasses import replace

import numpy as np
import pytest

from mien.core import ACTION_UNITS
from mien.synthesis import LABELLED_UNITS, SIDED_UNITS, Identity, SynthesisRecipe, SyntheticFace, render_faces

pytestmark = pytest.mark.usefixtures("renderer_installed")


def faces(recipe: SynthesisRecipe, n: int, first: int = 0) -> list[SyntheticFace]:
    return list(render_faces(recipe, n, first_identity=first))


def test_a_face_depends_on_seed_identity_and_number_alone(tiny_recipe: SynthesisRecipe) -> None:
    all_of_it = faces(tiny_recipe, 7)
    assert [face.name for face in all_of_it] == [
        f"{identity:06d}_{index:03d}" for identity, index in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0))
    ]
    alone = Identity(tiny_recipe, 1).face(2)
    assert (alone.image == all_of_it[5].image).all()
    assert alone.labels(0.4) == all_of_it[5].labels(0.4)
    other = faces(replace(tiny_recipe, seed=4), 1)[0]
    assert (other.image != all_of_it[0].image).mean() > 0.5


def test_an_identity_has_one_split_and_one_look(tiny_recipe: SynthesisRecipe) -> None:
    half = replace(tiny_recipe, valid_share=0.3, test_share=0.3)
    by_identity: dict[int, set[tuple[str, str, float]]] = {}
    for face in faces(half, 60):
        entry = (face.split, face.person.sex, face.person.age_years)
        by_identity.setdefault(face.person.number, set()).add(entry)
    assert all(len(entries) == 1 for entries in by_identity.values())
    assert {split for entries in by_identity.values() for split, _, _ in entries} == {"train", "valid", "test"}


def test_the_first_face_of_an_identity_is_neutral(tiny_recipe: SynthesisRecipe) -> None:
    first = [face for face in faces(tiny_recipe, 30) if face.name.endswith("_000")]
    assert {face.expression.name for face in first} == {"neutral"}
    for face in first:
        assert max(face.intensity(unit) for unit in ACTION_UNITS.labels if unit != "AU45") == 0


def test_labels_are_what_was_drawn(tiny_recipe: SynthesisRecipe) -> None:
    for face in faces(tiny_recipe, 60):
        row = face.labels(0.4)
        for unit in LABELLED_UNITS:
            assert 0 <= row[unit] <= 1
            if unit not in ("AU25", "AU26", "AU45"):
                left, right = face.expression.units.side(unit, "left"), face.expression.units.side(unit, "right")
                assert row[unit] == max(left, right)
        for unit in ACTION_UNITS.labels:
            assert row[f"{unit}_present"] == (row[unit] >= 0.4)
        for unit in SIDED_UNITS:
            assert row[unit] == max(row[f"{unit}_left"], row[f"{unit}_right"])
        assert row["AU26"] >= row["AU27"]
        assert (row["valence"] is None) == (face.expression.kind in ("units", "speech"))
        assert (row["pitch_rad"], row["yaw_rad"], row["roll_rad"]) == face.scene.pose_rad
        assert np.array(row["landmarks"]).shape == (136,)
        assert row["x0"] < row["x1"]


def test_open_jaws_have_parted_lips_and_blinks_closed_eyes(tiny_recipe: SynthesisRecipe) -> None:
    drawn = faces(replace(tiny_recipe, seed=11), 90)
    jaws = [face for face in drawn if face.expression.units["AU26"] > 0.5 or face.expression.units["AU27"] > 0.3]
    blinks = [face for face in drawn if face.expression.units["AU45"] > 0.8]
    assert jaws
    assert blinks
    assert all(face.intensity("AU25") > 0.8 for face in jaws)
    assert all(face.intensity("AU45") > 0.7 for face in blinks)
