# SPDX-License-Identifier: Apache-2.0
"""From a folder of data to an evaluated bundle, for affect and for landmarks."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.affect import Analyzer
from mien.cli.main import mien
from mien.core import ConfigError, ModelSpec
from mien.datasets import create_example
from mien.evaluation import Report
from mien.faces import load_landmark_net
from mien.inference import load_spec
from mien.training import ComputeSettings, Trainer, load_recipe, picture_training, train, train_bundle
from mien.training.data import open_sources
from tests.helpers.synthetic_data import create_landmark_faces, create_recipe, create_samples, shortened

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves

RECIPE = """
name = "my-rafdb"
[data]
sources = [{ name = "rafdb" }]
valid = [{ name = "rafdb", split = "test" }]
expressions = "raf_basic"
[model]
backbone = "mobilenetv3_small_050"
colour = "rgb"
input_px = 64
[heads.expression]
[losses.expression]
name = "soft_cross_entropy"
[[stages]]
epochs = 1
peak_lr = 1e-3
keep = "best"
best_by = "expression accuracy"
"""


def test_a_folder_becomes_a_bundle(tmp_path: Path) -> None:
    create_example("rafdb", tmp_path / "data")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    out = tmp_path / "bundle"
    arguments = ["--data", tmp_path / "data", "--out", out, "--cache", tmp_path / "cache", "--seed", 7]
    done = CliRunner().invoke(mien, ["train", *map(str, [tmp_path / "recipe.toml", *arguments])])
    assert done.exit_code == 0, done.output
    spec = load_spec(out)
    assert spec.recipe == "my-rafdb"
    assert "seed 7" in spec.provenance
    assert spec.training_sources[0].n == 2
    assert "decide who may use the weights" in spec.weights_notice
    assert any("selected on the validation set" in limit for limit in spec.limitations)
    faces = Analyzer(out).crops([np.zeros((50, 40, 3), np.uint8)])
    assert set(faces.expression_labels) == {
        "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear",
    }  # fmt: skip
    assert str(tmp_path).encode() not in (out / "model.onnx").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--devices=2", "--precision=bf16"])
def test_several_processes_and_half_precision_end_in_a_bundle(tmp_path: Path, option: str) -> None:
    create_example("rafdb", tmp_path / "data")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    # A process of its own: the helpers of a run on several devices start the same command again.
    command = [sys.executable, "-m", "mien", "train", tmp_path / "recipe.toml", "--data", tmp_path / "data"]
    arguments = ["--out", tmp_path / "bundle", "--cache", tmp_path / "cache", "--threads", 1, option]
    subprocess.run([str(part) for part in [*command, *arguments]], check=True, timeout=300)
    assert Analyzer(tmp_path / "bundle").crops([np.zeros((50, 40, 3), np.uint8)]).expression.shape == (1, 7)


def test_landmark_training_ends_in_a_landmark_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe mien-points in small, through the same door as every other, on synthetic faces."""
    monkeypatch.setattr(
        open_sources, "load_landmark_faces", lambda _folder, _split, names: create_landmark_faces(8, len(names[0]))
    )
    evaluated = []

    def evaluate(protocol: str, subject: Path, data: Path) -> Report:
        evaluated.append((protocol, subject, data))
        return Report(protocol=protocol, data="", predictor="", digest="", n_rows=0, dropped={}, metrics=())

    monkeypatch.setattr(picture_training, "evaluate", evaluate)
    recipe = shortened(load_recipe("mien-points"))
    out = tmp_path / "net"
    spec = train(recipe, tmp_path, out, ComputeSettings(cache=tmp_path / "cache"))
    assert evaluated == [("landmarks", out, tmp_path)]
    net, shipped = load_landmark_net(out), load_spec("mien-points")
    assert [(task.task, task.output, task.labels) for task in spec.tasks] == [
        (task.task, task.output, task.labels) for task in shipped.tasks
    ]
    assert (spec.crop.template, spec.features) == (shipped.crop.template, shipped.features)
    assert [(source.n, source.role) for source in spec.training_sources] == [
        *[(8, "pictures")] * 3,
        (24, "teacher of landmarks, pose and eye openness"),
    ]
    assert any("predictions of a landmark model" in limit for limit in spec.limitations)
    assert net.read(
        np.zeros((90, 90), np.uint8), np.full((1, 5, 2), 40, np.float32) + np.arange(10).reshape(5, 2)
    ).landmarks.shape == (1, 68, 2)


def test_joint_training_ends_in_a_bundle_of_joints_with_metrics(tmp_path: Path) -> None:
    """Detection of limbs only helps in training; the metrics are of drawn bodies that were not trained on."""
    recipe = shortened(load_recipe("joint-windows"))
    drawn = [dataclasses.replace(source, rows=16) for source in (recipe.data.sources[0], recipe.data.valid[0])]
    recipe = dataclasses.replace(
        recipe, data=dataclasses.replace(recipe.data, sources=tuple(drawn[:1]), valid=tuple(drawn[1:]))
    )
    spec = train(recipe, tmp_path, tmp_path / "net", ComputeSettings(cache=tmp_path / "cache"))
    assert isinstance(spec, ModelSpec)
    assert [(task.task, task.output, len(task.labels)) for task in spec.tasks] == [("joints", "joints", 30)]
    assert [(metric.name, metric.n) for metric in spec.metrics] == [("PCP", 16), ("MPJPE", 16)]
    assert all(metric.low <= metric.value <= metric.high for metric in spec.metrics)
    assert load_spec(tmp_path / "net") == spec
    assert load_spec(tmp_path / "net").kind == "landmarks"


def test_vectors_are_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trains on vectors"):
        train_bundle(load_recipe("hse-va"), tmp_path, tmp_path / "out", tmp_path / "work")


def test_a_trainer_leaves_the_random_state_alone(tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = create_samples(8, recipe)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one = Trainer(recipe, samples, tmp_path)
    assert torch.equal(torch.rand(3), expected)
    two = Trainer(recipe, samples, tmp_path)
    for first, second in zip(one.network.parameters(), two.network.parameters(), strict=True):
        assert torch.equal(first, second)
