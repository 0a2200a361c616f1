# SPDX-License-Identifier: Apache-2.0
"""The columns that a calibrated bundle adds to `Faces` and `Face`."""

import numpy as np

from mien.core import Faces, joined_names, uncertain_numbers
from mien.core.face_types.face_uncertainty import UNCERTAIN_NUMBERS, uncertain_columns

PLAIN = Faces(boxes=np.zeros((2, 4)), expression=[[0.6, 0.4]] * 2, expression_labels=("neutral", "fear"))
KNOWN = Faces(
    boxes=np.zeros((2, 4)),
    expression=[[0.6, 0.4]] * 2,
    expression_labels=("neutral", "fear"),
    expression_sets=[[True, True], [True, False]],
    valence_interval=[[-0.5, 0.5], [0.0, 0.25]],
    covered=[0.25, 0.75],
    abstain=[[False] * 4, [True, False, True, False]],
)


def test_an_uncalibrated_bundle_adds_no_column() -> None:
    assert uncertain_columns(PLAIN) == {}
    assert not {*UNCERTAIN_NUMBERS, "abstain", "possible_expressions"} & set(PLAIN.to_dict())
    (face, _) = PLAIN
    assert face.abstain == ()
    assert face.valence_low is None
    assert "abstain" not in face.to_dict()


def test_names_and_numbers_of_a_calibrated_bundle() -> None:
    columns = KNOWN.to_dict()
    assert columns["possible_expressions"] == ["neutral;fear", "neutral"]
    assert columns["abstain"] == [None, "small;covered"]
    assert (columns["valence_low"], columns["arousal_low"]) == ([-0.5, 0.0], [None, None])
    first, second = KNOWN
    assert (first.possible_expressions, second.abstain) == (("neutral", "fear"), ("small", "covered"))
    assert (first["valence_high"], second["covered"]) == (0.5, 0.75)
    assert list(uncertain_numbers(KNOWN)) == list(UNCERTAIN_NUMBERS)


def test_selecting_and_hiding_faces_keeps_the_rest() -> None:
    assert KNOWN[1].abstain.tolist() == [[True, False, True, False]]
    hidden = KNOWN.without_affect(np.array([True, False]))
    assert hidden.expression_sets.tolist() == [[False, False], [True, False]]
    assert np.isnan(hidden.valence_interval[0]).all()
    assert hidden.valence_interval[1].tolist() == [0.0, 0.25]


def test_names_of_an_empty_set_are_none() -> None:
    assert joined_names(np.zeros((1, 2), bool), ("a", "b")) == [None]
