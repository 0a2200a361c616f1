# SPDX-License-Identifier: Apache-2.0
"""The open sets as labelled faces and as faces with landmarks."""

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import (
    AnnotationError,
    LandmarkFaces,
    load_ferplus,
    load_held_out,
    load_landmark_faces,
    load_lfw,
    load_open_lfw,
    person,
)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("Ricardo_Lagos_0003.jpg", "ricardo_lagos"), ("HrithikRoshan_35.jpg", "hrithikroshan"), ("A-B_1.jpg", "a-b")],
)
def test_person_of_a_file_name(name: str, stem: str) -> None:
    assert person(name) == stem


def test_ferplus_valid(shared_data: Path) -> None:
    samples = load_ferplus(shared_data, "valid")
    assert 3500 < len(samples) <= 3555
    np.testing.assert_allclose(samples.expression.sum(axis=1), 1, atol=1e-5)
    assert np.abs(samples.valence_arousal).max() < 0.8
    assert 0.02 < np.isnan(samples.action_units).mean() < 0.1


def test_no_person_is_in_both_splits_of_lfw(shared_data: Path) -> None:
    parts = load_lfw(shared_data, "train"), load_lfw(shared_data, "test")
    trained, tested = ({person(name) for name in part.names} for part in parts)
    assert not trained & tested
    assert 0.2 < len(tested) / len(trained | tested) < 0.3
    assert load_open_lfw(shared_data, "test").names == parts[1].names  # both readers divide the photos alike


def test_held_out_faces_are_ferplus_faces_in_a_fixed_order(shared_data: Path) -> None:
    held_out = load_held_out(shared_data, 100)
    assert len(set(held_out.names)) == 100
    assert load_held_out(shared_data, 40).names == held_out.names[:40]
    ferplus = load_ferplus(shared_data, "train")
    assert set(held_out.names) <= set(ferplus.names)
    assert list(held_out.names) != [name for name in ferplus.names if name in set(held_out.names)]  # not in file order


@pytest.fixture(scope="module")
def landmark_faces(shared_data: Path) -> dict[str, LandmarkFaces]:
    return {split: load_landmark_faces(shared_data, split) for split in ("train", "test")}


def test_landmark_faces_share_no_picture_and_no_person(landmark_faces: dict[str, LandmarkFaces]) -> None:
    named, people = [], []
    for faces in landmark_faces.values():
        named.append(set(zip(faces.source.tolist(), faces.names, strict=True)))
        people.append({person(name) for source, name in named[-1] if source == "lfw_expression"})
    assert not named[0] & named[1]
    assert not people[0] & people[1]
    assert set(landmark_faces["test"].source.tolist()) == {"fairface", "lfw_expression"}


def test_landmark_faces_are_complete_and_in_range(landmark_faces: dict[str, LandmarkFaces]) -> None:
    for faces in landmark_faces.values():
        assert np.isfinite(faces.landmarks).all()
        assert (np.abs(faces.pose_rad) <= np.pi).all()
        assert ((faces.eyes_open >= 0) & (faces.eyes_open <= 1)).all()
        # The eye at the image's left is left of the eye at its right in all but a few rolled heads.
        eyes = faces.landmarks[:, 36:42, 0].mean(axis=1), faces.landmarks[:, 42:48, 0].mean(axis=1)
        assert (eyes[0] < eyes[1]).mean() > 0.99


def test_unknown_splits_are_named(shared_data: Path) -> None:
    with pytest.raises(AnnotationError, match="not 'val'"):
        load_landmark_faces(shared_data, "val")
    with pytest.raises(AnnotationError, match="lfw has the splits train, test, not 'valid'"):
        load_lfw(shared_data, "valid")
