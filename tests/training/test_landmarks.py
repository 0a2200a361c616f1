# SPDX-License-Identifier: Apache-2.0
"""The landmark net's workshop: what its crops say, two steps of training, resuming, export and its recipe."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")

import torch

from mien.core import MIRRORED_LANDMARKS, ConfigError
from mien.datasets import LandmarkFaces
from mien.faces import LandmarkNet, keypoints_of
from mien.inference import load_bundle
from mien.training.data.landmark_data import LOOSE_TEMPLATE, LandmarkTrainingData, LooseCrops, loose_matrix, turned
from mien.training.engine.landmark_trainer import CHECKPOINT, PointsTrainer
from mien.training.export.bundle_files import write_bundle
from mien.training.export.onnx_export import parity_gap
from mien.training.landmark_training import OUTPUTS, describe_points, export_points
from mien.training.losses.landmark_losses import Targets, loss_terms
from mien.training.models.landmark_network import LandmarkNetwork, LandmarkOutputs
from mien.training.recipes.landmark_recipe import (
    PointsRecipe,
    TermWeights,
    is_points_recipe,
    list_points_recipes,
    load_points_recipe,
)

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves

Doubles = npt.NDArray[np.float64]

RECIPE = PointsRecipe(name="made-up", epochs=1, peak_lr=1e-3, input_px=32, batch=8)


def face_points() -> Doubles:
    """(68, 2) fractions: a face of circles and lines, the same seen in a mirror."""
    t = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 + 0.3 * np.cos(t), 0.5 + 0.35 * np.sin(t)], 1)
    brows = np.stack([np.r_[0.27:0.43:5j, 0.57:0.73:5j], np.full(10, 0.3)], 1)
    bridge = np.stack([np.full(4, 0.5), np.r_[0.4:0.55:4j]], 1)
    nose = np.concatenate([bridge, np.stack([np.r_[0.45:0.55:5j], np.full(5, 0.6)], 1)])
    eye = np.array([[-0.05, 0], [-0.02, -0.02], [0.02, -0.02], [0.05, 0], [0.02, 0.02], [-0.02, 0.02]])
    angles = np.pi - np.arange(12) * np.pi / 6
    outer = np.stack([0.5 + 0.12 * np.cos(angles), 0.72 - 0.05 * np.sin(angles)], 1)
    angles = np.pi - np.arange(8) * np.pi / 4
    inner = np.stack([0.5 + 0.09 * np.cos(angles), 0.72 - 0.02 * np.sin(angles)], 1)
    return np.concatenate([jaw, brows, nose, eye + np.array([0.35, 0.4]), eye + np.array([0.65, 0.4]), outer, inner])


def create_faces(n: int) -> LandmarkFaces:
    """N different gray pictures of 80 px with the same points."""
    rng = np.random.default_rng(0)
    images = [cv2.imencode(".png", rng.integers(0, 255, (80, 80), dtype=np.uint8))[1].tobytes() for _ in range(n)]
    points = np.repeat(face_points()[None], n, axis=0).astype(np.float32)
    pose = rng.normal(0, 0.2, (n, 3)).astype(np.float32)
    eyes = rng.uniform(0, 1, (n, 2)).astype(np.float32)
    return LandmarkFaces(tuple(f"{i}" for i in range(n)), tuple(images), np.full(n, "made-up"), points, pose, eyes)


@pytest.fixture
def training_data(tmp_path: Path) -> LandmarkTrainingData:
    return LandmarkTrainingData.of(create_faces(20), tmp_path / "cache")


def test_a_face_in_the_mirror_is_the_same_face() -> None:
    points = face_points()
    np.testing.assert_allclose(points[list(MIRRORED_LANDMARKS)] * (-1, 1) + (1, 0), points, atol=1e-9)
    assert sorted(MIRRORED_LANDMARKS) == list(range(68))


def test_the_template_is_a_face_in_the_middle() -> None:
    template = np.array(LOOSE_TEMPLATE)
    matrix = loose_matrix(face_points() * 80, 64)
    placed = face_points() * 80 @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(keypoints_of(placed), template * 64 - 0.5, atol=5)
    np.testing.assert_allclose(template[[1, 0, 2, 4, 3]] * (-1, 1) + (1, 0), template, atol=1e-9)


def test_a_turned_picture_turns_the_head_with_it() -> None:
    angle = 0.3
    clockwise = np.array([[np.cos(angle), -np.sin(angle), 5], [np.sin(angle), np.cos(angle), 2]])
    np.testing.assert_allclose(turned(np.zeros(3), 2 * clockwise), [0, 0, angle], atol=1e-9)
    nose_right = turned(np.array([0.0, 0.5, 0.0]), clockwise)
    assert nose_right[0] < -0.1  # what pointed right now points down, too
    np.testing.assert_allclose(turned(np.array([0.1, 0.5, 0.2]), np.eye(2, 3)), [0.1, 0.5, 0.2], atol=1e-9)


def test_crops_flip_their_pose_with_their_points() -> None:
    """Of many crops of a head that looks to the right, about half show it looking to the left, and none lies."""
    picture = np.full((80, 80), 90, np.uint8)
    points = face_points() * 80 - 0.5
    draw = LooseCrops(32, np.random.default_rng(0), no_face=0)
    samples = [draw(picture, points, np.array([0.0, 0.5, 0.0]), np.array([1.0, 0.0])) for _ in range(60)]
    known = [sample for sample in samples if not np.isnan(sample.pose_rad).any()]
    flipped = [sample.pose_rad[1] < 0 for sample in known]
    assert 0.3 < np.mean(flipped) < 0.7
    for sample, is_flipped in zip(known, flipped, strict=True):
        assert sample.eyes_open.tolist() == ([0.0, 1.0] if is_flipped else [1.0, 0.0])
        assert sample.landmarks[36, 0] < sample.landmarks[45, 0]  # the first eye is always at the image's left


def test_crops_without_a_face_ask_for_nothing_else(training_data: LandmarkTrainingData) -> None:
    recipe = dataclasses.replace(RECIPE, no_face=0.5)
    _, targets = training_data.batch(recipe, 0, 0)
    absent = targets.face == 0
    assert 0 < absent.sum() < len(absent)
    assert targets.points[absent].isnan().all()
    assert not targets.points[~absent].isnan().any()


def test_an_epoch_is_the_same_whatever_came_before(training_data: LandmarkTrainingData) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=3)
    here, resumed, elsewhere = (
        [crops for crops, _ in training_data.batches(recipe, epoch, workers)]
        for epoch, workers in ((0, 0), (1, 0), (1, 1))
    )
    assert len(here) == 6
    for crops, again, drawn_beside in zip(here[2:], resumed, elsewhere, strict=True):
        assert torch.equal(crops, again)
        assert torch.equal(crops, drawn_beside)
    assert not torch.equal(here[0], here[2])


def test_fewer_small_faces(training_data: LandmarkTrainingData) -> None:
    recipe = dataclasses.replace(RECIPE, batch=2, small_share=0.25)
    mixed = dataclasses.replace(training_data, source=np.array(["ferplus"] * 8 + ["fairface"] * 12))
    assert mixed.n_steps(recipe) == (2 + 12) // 2
    assert training_data.n_steps(recipe) == 20 // 2


def test_the_loss_of_the_truth_is_least() -> None:
    points = torch.tensor(face_points().ravel(), dtype=torch.float32).repeat(2, 1)
    nothing = torch.full((1, 136), torch.nan)
    targets = Targets(
        torch.cat([points, nothing]),
        torch.tensor([[0.1, 0.2, 0.3]] * 3),
        torch.tensor([[1.0, 0.0]] * 3),
        torch.tensor([1.0, 1.0, 0.0]),
    )
    shown = torch.cat([points, torch.zeros(1, 136)])
    right = LandmarkOutputs(
        shown, targets.pose_rad, torch.tensor([[30.0, -30.0]] * 3), torch.tensor([[30.0], [30.0], [-30.0]])
    )
    assert all(float(term) == pytest.approx(0, abs=1e-6) for term in loss_terms(right, targets, TermWeights()).values())
    eyes = 0.3  # between the eyes of the made-up face
    shifted = right._replace(points=shown + torch.tensor([0.1 * eyes, 0.0]).repeat(68))
    expected = 10 * (np.hypot(0.1, 0.01) - 0.01)
    assert float(loss_terms(shifted, targets, TermWeights())["points"]) == pytest.approx(expected, rel=1e-4)


def test_two_steps_move_every_parameter(training_data: LandmarkTrainingData, tmp_path: Path) -> None:
    trainer = PointsTrainer(RECIPE, training_data, tmp_path)
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    averaged = trainer.run()
    assert [name for name, value in trainer.network.named_parameters() if torch.equal(before[name], value)] == []
    assert [name for name, value in averaged.named_parameters() if torch.equal(before[name], value)] == []


def test_a_training_goes_on_where_it_stood(training_data: LandmarkTrainingData, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=2)
    whole = PointsTrainer(recipe, training_data, tmp_path / "whole").run()
    trainer = PointsTrainer(recipe, training_data, tmp_path / "parts")
    trainer._train_epoch(training_data.batches(recipe, 0))
    trainer._epoch += 1
    trainer._path.parent.mkdir()
    trainer._save()
    resumed = PointsTrainer(recipe, training_data, tmp_path / "parts").run()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_of_another_recipe_is_refused(training_data: LandmarkTrainingData, tmp_path: Path) -> None:
    PointsTrainer(RECIPE, training_data, tmp_path).run()
    with pytest.raises(ConfigError, match=f"{CHECKPOINT} belongs to another recipe"):
        PointsTrainer(dataclasses.replace(RECIPE, seed=2), training_data, tmp_path)


def test_too_few_faces(training_data: LandmarkTrainingData, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only 20"):
        PointsTrainer(dataclasses.replace(RECIPE, batch=21), training_data, tmp_path)


def test_export_is_a_landmark_net(training_data: LandmarkTrainingData, tmp_path: Path) -> None:
    network = LandmarkNetwork(32).eval()
    graph = export_points(network, 32)
    crops = training_data.batch(RECIPE, 0, 0)[0].numpy()
    assert parity_gap(network, graph, crops, OUTPUTS) < 1e-4
    write_bundle(tmp_path / "bundle", graph, describe_points(RECIPE, "1", graph))
    net = LandmarkNet(load_bundle(tmp_path / "bundle", threads=1))
    seen = net.read(np.zeros((90, 90), np.uint8), keypoints_of(face_points() * 90)[None].astype(np.float32))
    assert seen.points.shape == (1, 68, 2)


@pytest.mark.parametrize("name", list_points_recipes())
def test_every_recipe_reads(name: str) -> None:
    assert is_points_recipe(name)
    assert load_points_recipe(name).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "points"\nname = "x"\nepochs = 1\n', "peak_lr"),
        ('kind = "points"\nname = "x"\nepochs = 0\npeak_lr = 1\n', "epochs must be at least 1"),
        ('kind = "points"\nname = "x"\nepochs = 1\npeak_lr = 1\ninput_px = 40\n', "multiple of 16"),
        ('kind = "points"\nname = "x"\nepochs = 1\npeak_lr = 1\nspeed = 1\n', "unknown keys"),
        ('kind = "lines"\nname = "x"\nepochs = 1\npeak_lr = 1\n', "kind must be"),
        ("name = \n", "Invalid value"),
    ],
)
def test_slips_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_points_recipe(path)


def test_other_recipes_are_none_of_points(tmp_path: Path) -> None:
    assert not is_points_recipe("mien-light")
    assert not is_points_recipe(tmp_path)
    with pytest.raises(ConfigError, match="no such recipe"):
        load_points_recipe(tmp_path / "absent.toml")
