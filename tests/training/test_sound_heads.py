# SPDX-License-Identifier: Apache-2.0
"""Heads over frames on sound: aligned to the frames, trained, and blended with the video, all by the command line."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from mien.affect import align_audio
from mien.cli.main import mien
from mien.core import EXPRESSION_ORDERS, ConfigError, InputError, ModelError
from mien.datasets import load_dataset
from mien.evaluation import PREDICTION_FORMATS, HeadOnFrames
from mien.inference import load_head
from mien.results import open_features
from mien.training import load_recipe, train
from mien.training.data.feature_sources import fit_recipe
from mien.training.data.sources import load_source
from tests.helpers.spoken_videos import speech_graph, write_spoken_videos

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


def run(*words: object) -> str:
    done = CliRunner().invoke(mien, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of `write_spoken_videos` with vectors of its crops and of its sound, and both heads trained."""
    data = write_spoken_videos(tmp_path_factory.mktemp("spoken") / "data")
    model = speech_graph(data / "speech.onnx")
    run("features", data / "cropped_aligned", "--crops", "--out", data / "features")
    videos = sorted((data / "videos").glob("*.mp4"))
    run("features", *videos, "--audio", f"onnx={model}", "--out", data / "features-audio")
    for name, epochs in (("hse-expr", 30), ("hse-expr-audio", 100)):
        recipe = load_recipe(name)
        stage = dataclasses.replace(recipe.stages[0], epochs=epochs, batch=32, peak_lr=3e-3)
        train(dataclasses.replace(recipe, stages=(stage,)), data, data / name)
    return data


def test_the_sound_of_each_frame_is_its_step(tree: Path) -> None:
    recipe = fit_recipe(load_recipe("hse-expr-audio"), tree)[0]
    assert recipe.model.n_vector == 3
    train_set = load_source(recipe.data.sources[0], tree, recipe)
    samples = load_dataset("affwild2-expr", tree, "train")
    assert len(train_set) == len(samples)  # frames without a crop have sound
    sound = open_features(tree / "features-audio").load()
    track, rows = next(iter(samples.track_rows()))
    steps = sound.features[sound.rows_of(next(name for name in sound.sources if Path(name).stem == track))]
    expected = steps[align_audio(len(steps), len(rows))]
    np.testing.assert_allclose(train_set.inputs[rows], expected, atol=1e-6)


def test_a_head_on_sound_is_a_folder(tree: Path) -> None:
    head = load_head(tree / "hse-expr-audio")
    assert (head.spec.task, head.spec.labels) == ("expression", EXPRESSION_ORDERS["affwild2_8"])
    assert [(each.n, each.per_frame, each.length) for each in head.spec.inputs] == [(3, True, 3)]
    assert head.run(np.zeros((4, 3), np.float32)).shape == (4, 8)


def test_video_and_sound_together_beat_either(tree: Path, tmp_path: Path) -> None:
    """Item 9: faces tell one bit of the class and voices the other; their blend is right far more often than either."""
    sound = ["--head", tree / "hse-expr-audio", "--features", tree / "features-audio"]
    video = ["--model", tree / "hse-expr"]
    common = ["evaluate", "expr", "--data", tree, "--json", "--smooth", "expr=3"]
    reports = {
        name: json.loads(run(*common, *words))
        for name, words in {
            "video": video,
            "sound": sound,
            "blend": [*video, *sound, "--weights", "expr=0.5"],
            "published": [*video, *sound, "--weights", "bundle"],
        }.items()
    }
    accuracy = {
        name: next(m["value"] for m in report["metrics"] if m["name"] == "accuracy") for name, report in reports.items()
    }
    alone = max(accuracy["video"], accuracy["sound"])
    assert alone < 0.65, accuracy  # one bit of two
    assert accuracy["blend"] > alone + 0.15, accuracy
    assert accuracy["published"] > alone + 0.1, accuracy
    assert reports["published"]["predictor"] == "hse-expr + hse-expr-audio"
    listed = tmp_path / "list.txt"
    names = [f"video3/{frame:05d}.jpg" for frame in range(1, 81)]
    listed.write_text("image_location\n" + "\n".join(names) + "\n")
    out = tmp_path / "expr.txt"
    run("submit", "expr", "--list", listed, "--crops", tree / "cropped_aligned", *video, *sound, "--out", out)
    truth = np.loadtxt(tree / "EXPR_Classification_Challenge/Validation_Set/video3.txt", skiprows=1)
    written = np.loadtxt(out, delimiter=",", skiprows=1, usecols=1)
    assert (written == truth).mean() > 0.55


def test_what_a_head_on_frames_refuses(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="was trained on the features of onnx"):
        HeadOnFrames(tree / "hse-expr-audio", [tree / "features"])
    model = HeadOnFrames(tree / "hse-expr-audio", [tree / "features-audio"])
    with pytest.raises(InputError, match="ghost: 0 sources"):
        model.scores(["expression_neutral"], "ghost", 5)
    scores = model.scores(["expression_neutral", "expression_contempt"], "video0_left", 7)
    assert scores.shape == (7, 2)
    assert np.isfinite(scores[:, 0]).all()
    assert np.isnan(scores[:, 1]).all()  # not a class of the head
    recipe = load_recipe("hse-mtl")
    vectors = tuple(dataclasses.replace(each, folder="features-audio") for each in recipe.model.vectors[:1])
    recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, vectors=vectors))
    with pytest.raises(ConfigError, match="one task"):
        train(recipe, tree, tmp_path / "out")
    assert PREDICTION_FORMATS["expr"].per_frame
