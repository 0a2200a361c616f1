# SPDX-License-Identifier: Apache-2.0
"""The open face sets as training sets, with the records of their cards; real data where they are at hand."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.core import (
    ACTION_UNIT_SIDES,
    ACTION_UNITS,
    ConfigError,
    DatasetError,
    pose_angles,
    rotation_matrices,
)
from mien.datasets import load_rendered_faces
from mien.training import load_recipe, load_source
from mien.training.data import open_sources
from mien.training.recipes.settings import SourceSettings
from tests.helpers.rendered_sets import write_rendered
from tests.helpers.synthetic_data import create_landmark_faces, create_recipe


def test_traits_are_a_pretext(shared_data: Path) -> None:
    recipe = create_recipe()
    found = load_source(SourceSettings(name="fairface-traits", split="valid"), shared_data, recipe)
    assert {task: len(names) for task, names in found.labels.items()} == {"age": 9, "gender": 2, "race": 7}
    assert found.labels["gender"] == ("Female", "Male")
    for values in found.targets.values():
        np.testing.assert_array_equal(values.sum(axis=1), 1)
        assert values.sum(axis=0).min() >= 1  # every value occurs
    assert found.primary.all()
    assert found.records[0].weak == ()
    with pytest.raises(ConfigError, match="splits train and valid, not 'test'"):
        load_source(SourceSettings(name="fairface-traits", split="test"), shared_data, recipe)


def test_sets_are_primary_as_the_recipe_says(shared_data: Path) -> None:
    recipe = load_recipe("mien-light")
    lfw = load_source(recipe.data.sources[2], shared_data, recipe)
    assert not lfw.primary.any()
    assert lfw.known("expression").all()
    assert not lfw.known("valence_arousal").any()
    assert lfw.records[0].title == "LFW expression, training people"
    other = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, expressions="hse_8"))
    with pytest.raises(ConfigError, match="canonical expressions"):
        load_source(recipe.data.sources[2], shared_data, other)


def test_further_faces_of_fairface(shared_data: Path) -> None:
    recipe = create_recipe()
    source = SourceSettings(name="fairface-more", primary=False)
    found = load_source(source, shared_data, recipe)
    assert len(found) == 20_000
    assert not found.known("expression").any()
    unseen = np.isnan(found.keypoints).any(axis=(1, 2))
    assert unseen.any()
    seen = load_source(dataclasses.replace(source, keypoints_only=True), shared_data, recipe)
    assert seen.groups == tuple(np.array(found.groups)[~unseen])
    assert found.records[0].title == "FairFace, more faces"


def test_landmarks_of_one_set_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def load(folder: Path, split: str, names: tuple[str, ...]) -> object:
        asked.append((folder, split, names))
        return create_landmark_faces(6)

    monkeypatch.setattr(open_sources, "load_landmark_faces", load)
    recipe = load_recipe("mien-points")
    found = load_source(recipe.data.sources[0], tmp_path, recipe)
    assert asked == [(tmp_path, "train", ("ferplus",))]
    assert {task: values.shape[1] for task, values in found.targets.items()} == {
        "landmarks": 136, "pose": 3, "eyes": 2, "face": 1, "face_parts": 12,
    }  # fmt: skip
    assert (found.records[0].epoch_share, found.records[0].protocols) == (0.4, ("landmarks",))
    np.testing.assert_allclose(found.keypoints[0, 2], found.targets["landmarks"][0].reshape(68, 2)[30], atol=0.1)
    with pytest.raises(ConfigError, match="splits train and test, not 'valid'"):
        load_source(SourceSettings(name="landmarks-lfw", split="valid"), tmp_path, recipe)


def test_every_open_source_gives_the_tasks_of_a_recipe() -> None:
    for record in (open_sources.FERPLUS, open_sources.FAIRFACE, open_sources.LFW):
        assert record.terms == "licence"
        assert record.licence
    assert open_sources.FERPLUS.protocols == ("ferplus", "affect-detail", "lfw", "flip-rate")
    assert {name for weak in open_sources.FAIRFACE.weak for name in weak.inferred} == {"AU06"}


def test_rendered_faces_are_a_source_with_exact_units_and_intensities(tmp_path: Path) -> None:
    write_rendered(tmp_path / "rendered", 36)
    recipe = create_recipe()
    source = SourceSettings(name="rendered", folder="rendered", primary=False, statistics="own")
    samples = load_source(source, tmp_path, recipe)
    assert len(samples) == 30
    assert samples.labels["action_units"] == samples.labels["action_unit_intensity"] == ACTION_UNITS.labels
    assert samples.targets["action_unit_intensity"].max() == 5
    assert samples.labels["action_unit_sides"] == ACTION_UNIT_SIDES
    assert not samples.primary.any()
    assert samples.domains.tolist() == [1] * 30
    assert len(set(samples.groups)) == 10  # persons
    assert not np.isnan(samples.keypoints).any()


def test_rendered_landmarks_have_the_frame_of_the_teachers_pose(tmp_path: Path) -> None:
    faces = load_rendered_faces(write_rendered(tmp_path / "rendered", 36), "train")
    samples = load_source(
        SourceSettings(name="landmarks-rendered", folder="rendered"), tmp_path, load_recipe("mien-points")
    )
    assert set(samples.targets) == {"landmarks", "pose", "face"}  # eye openness is the teacher's own measure
    landmarks = samples.targets["landmarks"].reshape(-1, 68, 2)
    np.testing.assert_array_equal(landmarks[:, 17:], faces.landmarks[:, 17:])
    assert np.isnan(landmarks[:, :17]).all()  # the teacher's jaw has other places
    assert np.isfinite(samples.keypoints).all()
    assert samples.targets["face"].min() == 1
    between = np.swapaxes(rotation_matrices(faces.pose_rad), -1, -2) @ rotation_matrices(samples.targets["pose"])
    np.testing.assert_allclose(np.degrees(pose_angles(between)), [[-4.7, 0, 0]] * len(faces), atol=1e-3)
    assert samples.domains.tolist() == [0] * 30
    assert samples.records[0].weak == ()


def test_rendered_landmarks_along_the_jaw_are_asked_for(tmp_path: Path) -> None:
    faces = load_rendered_faces(write_rendered(tmp_path / "rendered", 36), "train")
    source = SourceSettings(name="landmarks-rendered", folder="rendered", contour_jaw=True)
    samples = load_source(source, tmp_path, load_recipe("mien-points"))
    np.testing.assert_array_equal(samples.targets["landmarks"].reshape(-1, 68, 2), faces.landmarks)


def test_a_source_can_be_of_turned_heads_alone(tmp_path: Path) -> None:
    faces = load_rendered_faces(write_rendered(tmp_path / "rendered", 36), "train")
    recipe, folder = load_recipe("mien-points"), tmp_path
    yaws = np.abs(np.degrees(load_source(_rendered(), folder, recipe).targets["pose"][:, 1]))
    least = float(np.median(yaws))
    turned = load_source(_rendered(least_yaw_deg=least), folder, recipe)
    assert 0 < len(turned) < len(faces)
    assert len(turned) == (yaws >= least).sum()
    assert len(turned.inputs) == len(turned)
    assert np.abs(np.degrees(turned.targets["pose"][:, 1])).min() >= least
    with pytest.raises(DatasetError, match="no head turned by 89 degrees or more"):
        load_source(_rendered(least_yaw_deg=89.0), folder, recipe)
    with pytest.raises(ConfigError, match="rendered has no head poses"):
        load_source(SourceSettings(name="rendered", folder="rendered", least_yaw_deg=20.0), folder, create_recipe())
    with pytest.raises(ConfigError, match=r"least_yaw_deg must be in \[0, 90\), got 90"):
        _rendered(least_yaw_deg=90.0)


def _rendered(least_yaw_deg: float = 0.0) -> SourceSettings:
    return SourceSettings(name="landmarks-rendered", folder="rendered", least_yaw_deg=least_yaw_deg)
