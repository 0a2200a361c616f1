# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError, Faces
from mien.media import load_image

LABELS = ("neutral", "happiness")


def make_faces(n: int) -> Faces:
    rng = np.random.default_rng(n)
    return Faces(
        boxes=rng.uniform(0, 100, (n, 4)),
        expression=rng.dirichlet((1, 1), n),
        expression_labels=LABELS,
        action_units=rng.uniform(0, 1, (n, 1)),
        action_unit_labels=("AU12",),
    )


@pytest.mark.parametrize("n", [0, 1, 3])
def test_every_array_has_one_row_per_face(n: int) -> None:
    faces = make_faces(n)
    assert len(faces) == n
    names = ("boxes", "confidence", "scores", "landmarks", "keypoints", "track_ids", "pose_rad", "quality", "valence")
    for name in (*names, "features"):
        assert len(getattr(faces, name)) == n
    assert np.isnan(faces.pose_rad).all()
    assert (faces.track_ids == -1).all()


def test_arrays_are_read_only_and_the_callers_array_stays_writable() -> None:
    boxes = np.zeros((1, 4), np.float32)
    faces = Faces(boxes=boxes)
    with pytest.raises(ValueError, match="read-only"):
        faces.boxes[0, 0] = 1
    boxes[0, 0] = 1  # still the caller's own


def test_wrong_shapes_say_expected_and_got() -> None:
    with pytest.raises(ConfigError, match=r"confidence must have shape \(2\), got \(3,\)"):
        Faces(boxes=np.zeros((2, 4)), confidence=np.zeros(3))
    with pytest.raises(ConfigError, match="2 columns for 1 labels"):
        Faces(boxes=np.zeros((2, 4)), expression=np.zeros((2, 2)), expression_labels=("neutral",))


@pytest.mark.parametrize(
    ("index", "rows"),
    [(1, [1]), (-1, [2]), (slice(0, 2), [0, 1]), ([2, 0], [2, 0]), (np.array([True, False, True]), [0, 2])],
)
def test_indexing_keeps_rows_together(index: object, rows: list[int]) -> None:
    faces = make_faces(3)
    chosen = faces[index]  # type: ignore[index]  # every kind of index is the point
    np.testing.assert_array_equal(chosen.boxes, faces.boxes[rows])
    np.testing.assert_array_equal(chosen.expression, faces.expression[rows])
    assert chosen.expression_labels == LABELS


def test_an_index_beyond_the_faces_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        make_faces(3)[3]


def test_to_pandas_has_the_columns_of_the_table() -> None:
    frame = make_faces(2).to_pandas()
    assert list(frame.columns) == [
        *("track_id", "confidence", "x0", "y0", "x1", "y1", "pitch_rad", "yaw_rad", "roll_rad", "quality"),
        *("expression", "expression_neutral", "expression_happiness", "valence", "arousal", "AU12", "face"),
    ]
    assert frame["expression"].tolist() == make_faces(2).top_expressions()


def test_top_expression_of_unmeasured_faces_is_none() -> None:
    assert Faces(boxes=np.zeros((1, 4)), expression_labels=LABELS).top_expressions() == [None]
    assert Faces(boxes=np.zeros((1, 4))).top_expressions() == [None]


def test_faces_are_numbered_from_the_left_whatever_their_order() -> None:
    faces = Faces(boxes=[[50, 0, 60, 9], [0, 0, 10, 9], [20, 0, 90, 9]])
    assert faces.numbers.tolist() == [2, 1, 3]
    assert [face.number for face in faces] == [2, 1, 3]
    assert faces[[2, 0]].numbers.tolist() == [3, 2]  # as in the table
    assert Faces.empty().numbers.tolist() == []


def test_a_name_gives_the_column_of_the_table_contract() -> None:
    faces = make_faces(3)
    for name in faces.to_pandas().columns:
        assert len(faces[name]) == 3
    np.testing.assert_array_equal(faces["AU12"], faces.action_units[:, 0])
    np.testing.assert_array_equal(faces.au("AU12"), faces.action_units[:, 0])
    with pytest.raises(KeyError, match="no 'AU09' here; there are: AU12"):
        faces.au("AU09")
    with pytest.raises(KeyError, match="no 'smile' here; there are: track_id"):
        faces["smile"]


def test_what_is_unknown_is_none_and_null_never_zero() -> None:
    faces = Faces(boxes=np.zeros((1, 4)), action_units=[[np.nan]], action_unit_labels=("AU12",))
    values = faces.to_dict()
    assert (values["AU12"], values["valence"], values["track_id"], values["face"]) == ([None], [None], [None], [1])
    table = faces.to_arrow()
    assert table["AU12"].null_count == table["valence"].null_count == 1


def test_faces_of_several_images_are_joined_in_order() -> None:
    joined = Faces.concatenate([make_faces(1), make_faces(0), make_faces(3)])
    np.testing.assert_array_equal(joined.boxes, np.concatenate([make_faces(1).boxes, make_faces(3).boxes]))
    with pytest.raises(ConfigError, match="differ in their expression_labels"):
        Faces.concatenate([make_faces(1), Faces.empty()])
    with pytest.raises(ConfigError, match="no faces to concatenate"):
        Faces.concatenate([])


def test_the_repr_stays_short() -> None:
    assert repr(Faces.empty()) == "Faces(n=0)"
    assert len(repr(make_faces(500))) < 120


def test_a_notebook_shows_a_row_per_face_with_every_unit() -> None:
    html = make_faces(3)._repr_html_()
    assert html.count("<tr>") == 4
    assert "<th>AU12</th>" in html


def test_faces_are_drawn_on_what_they_were_found_in(tmp_path: Path) -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    faces = Faces(boxes=[[40, 20, 100, 100]])
    drawn = faces.draw(image)
    assert drawn.any()
    assert not image.any()
    faces.save(tmp_path / "drawn.png", image)
    np.testing.assert_array_equal(load_image(tmp_path / "drawn.png"), drawn)
