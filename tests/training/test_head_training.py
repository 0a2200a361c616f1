# SPDX-License-Identifier: Apache-2.0
"""Heads on stored vectors: published epochs, training, merged bundles, evaluation and submission."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from mien.affect import Analyzer, clip_sequences, clip_statistics
from mien.cli.main import mien
from mien.core import (
    EXPRESSION_ORDERS,
    INTENSITY_LABELS,
    ConfigError,
    DatasetError,
    InputError,
)
from mien.datasets import create_example, load_dataset
from mien.evaluation import PREDICTION_FORMATS, HeadsOnFeatures
from mien.inference import load_head, load_spec
from mien.results import FeatureInfo, FeatureWriter, FrameVectors, open_features
from mien.training import load_recipe
from mien.training.data.feature_sources import fit_recipe
from mien.training.data.sources import load_source
from mien.training.head_training import train_head
from mien.training.recipes.settings import ModelSettings, VectorSettings

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


@pytest.mark.parametrize(
    ("name", "epochs", "refit"),
    [
        ("hse-mtl", [10, 20, 10], [1, 8, 3]),
        ("hse-mtl-7th", [10, 20, 10], [1, 10, 10]),
        ("hse-mtl-joint", [20], [20]),
        ("hse-expr", [10], [1]),
        ("hse-va", [5], [5]),
        ("hse-au", [5], [1]),
        ("emi-faces", [100], [100]),
    ],
)
def test_epochs_as_published(name: str, epochs: list[int], refit: list[int]) -> None:
    recipe = load_recipe(name)
    assert [stage.epochs for stage in recipe.stages] == epochs
    assert [stage.epochs for stage in recipe.refit().stages] == refit
    assert len(recipe.refit().data.sources) == 2


def test_a_part_is_found_whatever_its_length() -> None:
    model = ModelSettings(
        backbone="", vectors=(VectorSettings(part="features", n=5), VectorSettings(part="scores", n=3))
    )
    assert model.columns_of("scores") == (5, 8)
    assert dataclasses.replace(model, clip="statistics").columns_of("scores") == (20, 32)
    with pytest.raises(ConfigError, match="in 0 of the 1"):
        dataclasses.replace(model, vectors=model.vectors[:1]).columns_of("scores")


def extract(folder: Path) -> None:
    done = CliRunner().invoke(
        mien, ["features", str(folder / "cropped_aligned"), "--crops", "--out", str(folder / "features")]
    )
    assert done.exit_code == 0, done.output


def test_from_crops_to_one_bundle(tmp_path: Path) -> None:
    """The whole way by the command line, as docs/how-to/heads.md tells it."""
    data, out = tmp_path / "data", tmp_path / "bundle"
    create_example("affwild2-mtl", data)
    extract(data)
    done = CliRunner().invoke(mien, ["train", "hse-mtl", "--data", str(data), "--out", str(out)])
    assert done.exit_code == 0, done.output
    spec, base = load_spec(out), load_spec()
    assert [task.task for task in spec.tasks] == ["expression", "valence_arousal", "action_units"]
    assert spec.task("expression").labels == EXPRESSION_ORDERS["affwild2_8"]
    assert (spec.input, spec.crop) == (base.input, base.crop)
    assert "on the frozen features of mien-light" in spec.provenance
    assert set(base.limitations) <= set(spec.limitations)
    assert spec.training_sources[: len(base.training_sources)] == base.training_sources
    assert {metric.name for metric in spec.metrics} >= {"P_MTL"}
    assert str(tmp_path).encode() not in (out / "model.onnx").read_bytes()
    done = CliRunner().invoke(mien, ["evaluate", "mtl", "--data", str(data), "--model", str(out)])
    assert done.exit_code == 0, done.output
    assert "P_MTL" in done.output
    # The bundle's prediction for a crop is the head's for the vector that was stored for it.
    samples = load_dataset("affwild2-mtl", data, "train")
    recipe = fit_recipe(load_recipe("hse-mtl"), data)[0]
    train_set = load_source(recipe.data.sources[0], data, recipe)
    row = int(np.flatnonzero(samples.has_image)[0])
    faces = Analyzer(out, features=True).crops([samples.image_path(row)])
    np.testing.assert_allclose(
        faces.features[0], train_set.inputs[np.array([0])][0, : faces.features.shape[1]], atol=1e-4
    )


def test_a_refit_and_vectors_of_another_bundle(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    extract(tmp_path)
    refit = load_recipe("hse-va").refit()
    spec = train_head(refit, tmp_path, tmp_path / "bundle", tmp_path / "work")
    assert spec.metrics == ()  # the set that would evaluate it was trained on
    assert spec.smoothing == "va=50"
    with pytest.raises(ConfigError, match="the vectors were made by mien-light"):
        train_head(load_recipe("hse-va"), tmp_path, tmp_path / "b", tmp_path / "w", model=tmp_path / "bundle")


def test_missing_vectors_and_vectors_of_nothing_labelled(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    recipe = load_recipe("hse-va")
    with pytest.raises(DatasetError, match="mien features"):
        fit_recipe(recipe, tmp_path)
    write_shards(tmp_path / "features", {"another": 3}, n_features=4, n_scores=10)
    with pytest.raises(DatasetError, match="no row of affwild2-va train has a vector"):
        load_source(recipe.data.sources[0], tmp_path, recipe)
    create_example("rafdb", tmp_path / "rafdb")
    with pytest.raises(DatasetError, match="single images"):
        load_source(dataclasses.replace(recipe.data.sources[0], name="rafdb", folder=""), tmp_path / "rafdb", recipe)


def write_shards(folder: Path, clips: dict[str, int], *, n_features: int, n_scores: int) -> None:
    """Vectors of noise: name of the clip -> its frames."""
    rng = np.random.default_rng(0)
    info = FeatureInfo(
        made_by="net",
        digest="d" * 64,
        n_features=n_features,
        score_names=tuple(f"score.{i}" for i in range(n_scores)),
        settings={"crops": True},
    )
    with FeatureWriter(folder, info) as writer:
        for name, n_frames in clips.items():
            for frame in range(n_frames):
                writer.append(
                    FrameVectors(
                        source=name,
                        frame=frame,
                        time_s=frame / 25,
                        tracks=np.zeros(1, np.int64),
                        features=rng.random((1, n_features), np.float32),
                        scores=rng.random((1, n_scores), np.float32),
                    )
                )
            writer.finish(name, n_frames=n_frames)


@pytest.mark.parametrize(("name", "task"), [("emi-faces", "emi"), ("eri-sequence", "eri")])
def test_a_head_over_clips(name: str, task: str, tmp_path: Path) -> None:
    create_example(task, tmp_path)
    names = [clip for split in ("train", "valid") for clip in load_dataset(task, tmp_path, split).names]
    write_shards(tmp_path / "features", {f"{clip}.mp4": 30 for clip in names}, n_features=3, n_scores=10)
    recipe = load_recipe(name)
    recipe = dataclasses.replace(
        recipe, stages=tuple(dataclasses.replace(stage, epochs=2, keep="last") for stage in recipe.stages)
    )
    spec = train_head(recipe, tmp_path, tmp_path / "head", tmp_path / "work")
    assert spec.labels == INTENSITY_LABELS[task]
    head = load_head(tmp_path / "head")
    rows = open_features(tmp_path / "features").load()
    columns = rows.source_index, rows.frame, rows.scores
    vectors = (
        clip_statistics(*columns, n_clips=len(names), every=5)
        if task == "emi"
        else clip_sequences(*columns, n_clips=len(names), n_steps=12, every=25)
    )
    predictions = head.run(vectors)
    assert predictions.shape == (len(names), len(spec.labels))
    assert ((predictions > 0) & (predictions < 1)).all()


def test_heads_are_evaluated_and_submitted(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    names = [clip for split in ("train", "valid") for clip in load_dataset("emi", tmp_path, split).names]
    shards, head, out = tmp_path / "features", tmp_path / "head", tmp_path / "emi.csv"
    write_shards(shards, {f"{clip}.mp4": 30 for clip in names}, n_features=3, n_scores=10)
    recipe = load_recipe("emi-faces")
    stages = (dataclasses.replace(recipe.stages[0], epochs=1, keep="last"),)
    train_head(dataclasses.replace(recipe, stages=stages), tmp_path, head, tmp_path / "work")
    given = ["--head", str(head), "--features", str(shards)]
    done = CliRunner().invoke(mien, ["evaluate", "emi", "--data", str(tmp_path), *given])
    assert done.exit_code == 0, done.output
    assert "heads emi-faces" in done.output
    listed = tmp_path / "list.csv"
    listed.write_text("Filename\n" + "\n".join(names) + "\n")
    shares = ["--weights", "emi=.1,.9", "--weights", "empathic pain=0,1"]
    done = CliRunner().invoke(
        mien, ["submit", "emi", "--list", str(listed), *given, *given, *shares, "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    alone = HeadsOnFeatures([head], [shards]).predict_names(PREDICTION_FORMATS["emi"], names)
    written = np.loadtxt(out, delimiter=",", skiprows=1, usecols=range(1, 7), ndmin=2)
    np.testing.assert_allclose(written, alone, atol=1e-6)  # the same head twice, whatever the shares
    with pytest.raises(InputError, match="1 clips have no vector, the first is ghost"):
        HeadsOnFeatures([head], [shards]).predict_names(PREDICTION_FORMATS["emi"], [*names, "ghost"])
    with pytest.raises(ConfigError, match="no emotion of emi"):
        HeadsOnFeatures([head], [shards], weights={"fear": [1.0]}).predict_names(PREDICTION_FORMATS["emi"], names)
    with pytest.raises(ConfigError, match="as many weights"):
        HeadsOnFeatures([head], [shards], weights={"emi": [0.5, 0.5]})
    done = CliRunner().invoke(mien, ["evaluate", "va", "--data", str(tmp_path), *given])
    assert isinstance(done.exception, ConfigError)
