# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import ConfigError, Faces, FaceSelector, InputError


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
    assert FaceSelector.parse("all").of(faces) is faces
