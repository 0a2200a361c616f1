# SPDX-License-Identifier: Apache-2.0
"""Heads over clips on stored vectors: blends, missing vectors, and what does not fit."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import INTENSITY_LABELS, ConfigError, HeadInput, HeadSpec, InputError
from mien.evaluation import PREDICTION_FORMATS, HeadsOnFeatures
from mien.evaluation.challenge import clip_head_predictions
from mien.inference import FakeSession, Head
from mien.results import FeatureInfo, FeatureWriter, FrameVectors

EMI = PREDICTION_FORMATS["emi"]
N_FEATURES = 3


def _shards(folder: Path, made_by: str, clips: list[str]) -> Path:
    info = FeatureInfo(made_by=made_by, digest=made_by[0] * 64, n_features=N_FEATURES, score_names=("score.a",))
    with FeatureWriter(folder, info) as writer:
        for clip in clips:
            writer.append(
                FrameVectors(
                    source=f"{clip}.mp4",
                    frame=0,
                    time_s=0.0,
                    tracks=np.zeros(1, np.int64),
                    features=np.ones((1, N_FEATURES), np.float32),
                    scores=np.ones((1, 1), np.float32),
                )
            )
            writer.finish(clip + ".mp4", n_frames=1)
    return folder


def _head(name: str, value: float) -> Head:
    """A head on the features of the net ``name`` that predicts one value for all emotions."""
    labels = INTENSITY_LABELS["emi"]
    spec = HeadSpec(
        head_version=1,
        name=name,
        version="1",
        sha256=name[0] * 64,
        task="emi",
        labels=labels,
        inputs=(HeadInput(made_by=name, digest=name[0] * 64, part="features", n=N_FEATURES),),
        input="vectors",
        output="intensities",
        unit="intensity",
    )
    session = FakeSession(
        lambda inputs: {"intensities": np.full((len(inputs["vectors"]), len(labels)), value, np.float32)},
        input_names=("vectors",),
        output_names=("intensities",),
    )
    return Head(spec, session)


@pytest.fixture
def features(tmp_path: Path) -> list[Path]:
    """Shards of two nets: both have vectors of clip ``1``, only the second of clip ``2``."""
    return [_shards(tmp_path / "a", "a-net", ["1"]), _shards(tmp_path / "b", "b-net", ["1", "2"])]


@pytest.fixture(autouse=True)
def heads(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"a": _head("a-net", 0.2), "b": _head("b-net", 0.6)}
    monkeypatch.setattr(clip_head_predictions, "load_head", known.__getitem__)


def test_equal_weights(features: list[Path]) -> None:
    predictor = HeadsOnFeatures(["a", "b"], features)
    found = predictor.predict_names(EMI, ["1"])
    assert found == pytest.approx(np.full((1, 6), 0.4), abs=1e-6)
    assert predictor.name == "a-net + b-net"
    assert len(predictor.digest) == 64


def test_weights_of_one_emotion_and_of_all_others(features: list[Path]) -> None:
    weights = {"emi": [1.0, 0.0], "joy": [0.25, 0.75]}
    found = HeadsOnFeatures(["a", "b"], features, weights=weights).predict_names(EMI, ["1"])[0]
    assert found[:5] == pytest.approx(np.full(5, 0.2), abs=1e-6)
    assert found[5] == pytest.approx(0.25 * 0.2 + 0.75 * 0.6, abs=1e-6)


def test_the_weight_of_a_head_without_a_vector_goes_to_the_others(features: list[Path]) -> None:
    for weights in (None, {"emi": [0.9, 0.1]}, {"emi": [1.0, 0.0]}):
        found = HeadsOnFeatures(["a", "b"], features, weights=weights).predict_names(EMI, ["2"])
        assert found == pytest.approx(np.full((1, 6), 0.6), abs=1e-6)


def test_a_clip_without_any_vector_is_named(features: list[Path]) -> None:
    with pytest.raises(InputError, match="1 clips have no vector, the first is ghost"):
        HeadsOnFeatures(["a", "b"], features).predict_names(EMI, ["1", "ghost"])


@pytest.mark.parametrize(
    "weights", [{"emi": [1.5]}, {"emi": [0.6, 0.6]}, {"joy": [-0.5, 1.5]}], ids=["too few", "sum", "negative"]
)
def test_weights_that_do_not_fit(weights: dict[str, list[float]], features: list[Path]) -> None:
    with pytest.raises(ConfigError, match="2 models need as many weights >= 0 that sum to 1"):
        HeadsOnFeatures(["a", "b"], features, weights=weights)


def test_what_heads_do_not_predict(features: list[Path]) -> None:
    predictor = HeadsOnFeatures(["a"], features)
    with pytest.raises(ConfigError, match="fit no emotion of emi"):
        HeadsOnFeatures(["a"], features, weights={"fear": [1.0]}).predict_names(EMI, ["1"])
    with pytest.raises(ConfigError, match="heads over clips predict emi, eri, not va"):
        predictor.predict_names(PREDICTION_FORMATS["va"], ["1"])
    with pytest.raises(ConfigError, match="at least one head"):
        HeadsOnFeatures([], features)
