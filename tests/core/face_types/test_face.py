# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import Face, Faces


def one_face(**fields: object) -> Face:
    known: dict[str, object] = {
        "boxes": [[1, 2, 30, 40]],
        "expression": [[0.25, 0.75]],
        "expression_labels": ("neutral", "happiness"),
        "action_units": [[0.5]],
        "action_unit_labels": ("AU12",),
        "valence": [0.5],
    }
    (face,) = Faces(**(known | fields))  # type: ignore[arg-type]  # fields of any kind
    return face


def test_a_face_holds_plain_numbers() -> None:
    face = one_face(track_ids=[7], pose_rad=[[0.5, 0.25, 0]], quality=[0.5], confidence=[1])
    assert face.box == (1.0, 2.0, 30.0, 40.0)
    assert (face.number, face.track_id, face.expression) == (1, 7, "happiness")
    assert face.probabilities == {"neutral": 0.25, "happiness": 0.75}
    assert face.au == {"AU12": 0.5}
    for name in ("confidence", "pitch_rad", "yaw_rad", "roll_rad", "quality", "valence"):
        assert type(getattr(face, name)) is float
    assert face.landmarks.shape == (68, 2)


def test_what_is_unknown_is_none() -> None:
    face = one_face(expression=[[np.nan, np.nan]])
    assert face.expression is None
    assert face.probabilities == {"neutral": None, "happiness": None}
    assert face.arousal is face.track_id is face.quality is face.yaw_rad is face.confidence is None
    assert "unknown" in repr(face)


def test_an_index_takes_every_column_name_of_the_row() -> None:
    face = one_face()
    assert {name: face[name] for name in face.to_dict()} == face.to_dict()
    assert face["expression_happiness"] == 0.75
    with pytest.raises(KeyError, match="no 'AU09' here; there are: AU12"):
        face.au["AU09"]


def test_a_notebook_shows_bars_and_no_bar_for_the_unknown() -> None:
    html = one_face(expression=[[np.nan, 1]])._repr_html_()
    assert html.count("<tr>") == 3
    assert "width:0px" in html
    assert "width:120px" in html
    assert "unknown" in html
