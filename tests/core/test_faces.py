# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import ConfigError, Faces, FaceSelector, InputError

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
    assert [len(face) for face in make_faces(3)] == [1, 1, 1]


def test_to_pandas_has_the_columns_of_the_table() -> None:
    frame = make_faces(2).to_pandas()
    assert list(frame.columns) == [
        *("track_id", "confidence", "x0", "y0", "x1", "y1", "pitch_rad", "yaw_rad", "roll_rad", "quality"),
        *("expression", "expression_neutral", "expression_happiness", "valence", "arousal", "AU12"),
    ]
    assert frame["expression"].tolist() == make_faces(2).top_expressions()


def test_top_expression_of_unmeasured_faces_is_none() -> None:
    assert Faces(boxes=np.zeros((1, 4)), expression_labels=LABELS).top_expressions() == [None]
    assert Faces(boxes=np.zeros((1, 4))).top_expressions() == [None]


def test_spellings() -> None:
    assert FaceSelector.parse("all") == FaceSelector()
    assert FaceSelector.parse("largest").rule == "largest"
    assert FaceSelector.parse("track=12") == FaceSelector(rule="track", track_id=12)
    assert FaceSelector.parse("person=the patient") == FaceSelector(rule="person", person="the patient")


@pytest.mark.parametrize("text", ["", "All", "all=1", "track", "track=", "track=-1", "track=1.5", "track=²", "person="])
def test_anything_else_is_refused_with_the_spellings(text: str) -> None:
    with pytest.raises(ConfigError, match="faces must be all, largest, track=ID or person=NAME"):
        FaceSelector.parse(text)


def test_nobody_is_named_in_pixels() -> None:
    with pytest.raises(ConfigError, match="persons are named in a table"):
        FaceSelector.for_media("person=patient")
    with pytest.raises(InputError, match=r"a\.jpg: a photo has no tracks"):
        FaceSelector.for_media("track=1").check_photo("a.jpg")


@pytest.mark.parametrize(
    ("text", "rows"), [("all", [0, 1, 2]), ("largest", [1]), ("track=7", [2]), ("track=1", []), ("track=4", [0, 1])]
)
def test_the_wanted_faces(text: str, rows: list[int]) -> None:
    boxes = np.array([[0, 0, 9, 9], [0, 0, 20, 10], [5, 5, 7, 7]], np.float32)
    faces = Faces(boxes=boxes, track_ids=[4, 4, 7])
    chosen = FaceSelector.parse(text).of(faces)
    assert chosen.boxes.tolist() == boxes[rows].tolist()
    assert len(FaceSelector.parse(text).of(Faces.empty())) == 0
