# SPDX-License-Identifier: Apache-2.0
"""A pretext over identities: from folders of persons to start weights that another recipe loads."""

import dataclasses
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import ConfigError
from mien.datasets import create_example
from mien.training import ComputeSettings, load_recipe, load_source, train
from mien.training.identity_training import START_FILE, StartWeights
from mien.training.losses.task_losses import index_cross_entropy
from mien.training.models.network import AffectNetwork
from mien.training.models.starts import load_start
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.settings import HeadSettings, LossSettings, ModelSettings, SourceSettings
from tests.helpers.synthetic_data import create_recipe, create_samples

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


def pretext(**changes: object) -> Recipe:
    """The published recipe with a small network on small crops and two short stages."""
    shipped = load_recipe("identity-emotieffnet-b0")
    model = dataclasses.replace(
        shipped.model, backbone="mobilenetv3_small_050", colour="gray", mean=(127.5,), std=(127.5,), input_px=64
    )
    stages = (
        StageSettings(epochs=1, peak_lr=1e-3, batch=8, freeze_backbone=True),
        StageSettings(epochs=6, peak_lr=3e-3, batch=8, keep="best", best_by="identity accuracy"),
    )
    return dataclasses.replace(shipped, model=model, stages=stages, **changes)  # type: ignore[arg-type]


def write_people(folder: Path) -> None:
    """Three persons of 16 photos: squares at places of their own, in noise."""
    rng = np.random.default_rng(0)
    for number, person in enumerate(("anna", "bela", "cleo")):
        (folder / person).mkdir(parents=True)
        for photo in range(16):
            image = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
            image[8 : 24 + 16 * number, 8:56] += 150
            cv2.imwrite(str(folder / person / f"{photo}.png"), image)


def test_persons_are_named_and_the_backbone_becomes_a_start(tmp_path: Path) -> None:
    write_people(tmp_path / "data")
    recipe = pretext()
    settings = ComputeSettings(cache=tmp_path / "cache", threads=1)
    found = train(recipe, tmp_path / "data", tmp_path / "out", settings)
    assert isinstance(found, StartWeights)
    (metric,) = found.metrics
    assert metric.name == "identity accuracy"
    assert metric.n >= 2
    assert 0 <= metric.low <= metric.value <= metric.high <= 1
    assert found.n_persons == 3
    said = json.loads((tmp_path / "out/start.json").read_text("utf-8"))
    assert said["sha256"] == hashlib.sha256((tmp_path / "out" / START_FILE).read_bytes()).hexdigest()
    assert said["training_sources"]
    model = ModelSettings(backbone="mobilenetv3_small_050", input_px=64, start=str(tmp_path / "out" / START_FILE))
    other = create_recipe(model=model)
    network = AffectNetwork(other, create_samples(8, other).labels)
    before = {key: value.clone() for key, value in network.backbone.state_dict().items()}
    load_start(network, other, tmp_path, lambda: np.zeros((4, 64, 64, 1), np.uint8))
    stored = torch.load(tmp_path / "out" / START_FILE, weights_only=True)
    after = network.backbone.state_dict()
    assert all(torch.equal(after[key], stored[key]) for key in stored)
    assert any(not torch.equal(before[key], stored[key]) for key in stored)


def test_the_face_and_its_margin_are_cut(tmp_path: Path) -> None:
    create_example("person-folders", tmp_path)
    recipe = pretext()
    for margin_px, side in ((0, 8), (3, 14), (30, 16)):
        source = SourceSettings(name="person-folders", margin_px=margin_px)
        samples = load_source(source, tmp_path, recipe)
        assert samples.inputs[0].shape == (side, side)
        assert samples.targets["identity"].shape == (len(samples), 1)
        assert len(samples.labels["identity"]) == 2


def test_the_loss_is_that_of_one_class_of_many() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [5.0, 5.0, 5.0]], requires_grad=True)
    loss = index_cross_entropy(logits, torch.tensor([[0.0], [2.0], [float("nan")]]))
    expected = -(torch.log_softmax(logits, dim=1)[0, 0] + torch.log_softmax(logits, dim=1)[1, 2]) / 2
    torch.testing.assert_close(loss, expected)
    assert float(index_cross_entropy(logits, torch.full((3, 1), float("nan"))).detach()) == 0


def test_other_tasks_and_mixed_pictures_are_refused(tmp_path: Path) -> None:
    write_people(tmp_path / "data")
    mixed = pretext()
    mixed = dataclasses.replace(mixed, stages=(dataclasses.replace(mixed.stages[0], mixup=0.2),))
    with pytest.raises(ConfigError, match="indices of classes"):
        train(mixed, tmp_path / "data", tmp_path / "out", ComputeSettings(cache=tmp_path / "cache"))
    both = pretext(
        heads={"identity": HeadSettings(), "expression": HeadSettings()},
        losses={
            "identity": LossSettings(name="index_cross_entropy"),
            "expression": LossSettings(name="soft_cross_entropy"),
        },
    )
    with pytest.raises(ConfigError, match="has a backbone and the task identity alone"):
        train(both, tmp_path / "data", tmp_path / "out2", ComputeSettings(cache=tmp_path / "cache"))


def test_lfw_people_by_name(shared_data: Path) -> None:
    recipe = pretext()
    train_set, valid = (
        load_source(SourceSettings(name="lfw-people", split=split, least_photos=3), shared_data, recipe)  # type: ignore[arg-type]
        for split in ("train", "valid")
    )
    assert train_set.labels == valid.labels
    assert set(train_set.targets["identity"][:, 0].astype(int)) == set(range(len(train_set.labels["identity"])))
    assert not set(train_set.groups) & set(valid.groups)
    assert train_set.records[0].weak == ()
