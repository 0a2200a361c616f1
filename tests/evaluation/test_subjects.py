# SPDX-License-Identifier: Apache-2.0
"""What a name, a path, several paths or a loaded object stands for."""

from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer
from mien.core import ConfigError, InputError, ModelError
from mien.datasets import create_example, load_dataset
from mien.evaluation import (
    PREDICTION_FORMATS,
    BundleOnCrops,
    PostProcessing,
    PredictionFile,
    TablePredictor,
    create_predictor,
)
from mien.evaluation.subjects import kind_of, load_affect, load_landmarks
from mien.faces import LandmarkNet, load_landmark_net
from mien.inference import find_bundle
from tests.helpers.scored_tables import table_faces, write_tables

VA = PREDICTION_FORMATS["va"]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture(scope="module")
def net() -> LandmarkNet:
    return load_landmark_net()


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Folders of tables of two models: valence 0.2 and 0.6."""
    return [write_tables(tmp_path / name, {"v": [table_faces([va])]}) for name, va in (("a", 0.2), ("b", 0.6))]


def test_a_file_a_folder_and_several_folders(folders: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "va.txt"
    file.write_text(f"{VA.header_line}\nv/00001.jpg,0.5,0.5\n")
    assert isinstance(create_predictor(file, VA), PredictionFile)
    assert isinstance(create_predictor(str(file), VA), PredictionFile)
    assert isinstance(create_predictor([file], VA), PredictionFile)
    single, blend = create_predictor(str(folders[0]), VA), create_predictor(folders, VA)
    assert isinstance(single, TablePredictor)
    assert isinstance(blend, TablePredictor)
    assert (single.n_models, single.name) == (1, "a")
    assert (blend.n_models, blend.name) == (2, "a + b")


def test_settings_reach_the_tables(folders: list[Path]) -> None:
    post = PostProcessing(weights={"va": (0.25, 0.75)})
    predictor = create_predictor(folders, VA, post_processing=post)
    assert isinstance(predictor, TablePredictor)
    decoder = predictor.decoders(VA)[0]
    scores = predictor.track_scores(decoder, predictor.load(VA), "v", np.array([1]))
    assert scores[0] == pytest.approx([0.5, 0.5], abs=1e-6)


@pytest.mark.parametrize("given", ["name", "folder", "path", None])
def test_a_bundle_by_name_and_by_folder(given: str | None) -> None:
    folder = find_bundle("mien-light")
    subject = {"name": "mien-light", "folder": str(folder), "path": folder, None: None}[given]
    predictor = create_predictor(subject, VA)
    assert isinstance(predictor, BundleOnCrops)
    assert predictor.name == "mien-light"


def test_loaded_subjects_stay_what_they_are(analyzer: Analyzer, net: LandmarkNet, tmp_path: Path) -> None:
    predictor = PredictionFile(tmp_path / "va.txt")
    assert create_predictor(predictor, VA) is predictor
    assert create_predictor(analyzer, VA).digest == analyzer.bundle_digest
    assert load_affect(analyzer, "ferplus") is analyzer
    assert load_landmarks(net, "landmarks") is net
    assert load_landmarks(None, "landmarks").bundle.spec.name == "mien-points"
    assert [kind_of(each) for each in (analyzer, net, predictor, "mien-light")] == [
        "affect",
        "landmarks",
        "predictions",
        None,
    ]


def test_a_bundle_of_another_kind_names_one_that_fits(analyzer: Analyzer, net: LandmarkNet) -> None:
    for subject in ("mien-points", find_bundle("mien-points"), net):
        with pytest.raises(ModelError, match="mien-light"):
            create_predictor(subject, VA)
    for wrong in ("mien-light", analyzer):
        with pytest.raises(ModelError, match="mien-points"):
            load_landmarks(wrong, "landmarks")


def test_predictions_are_no_bundle(tmp_path: Path) -> None:
    for subject in (PredictionFile(tmp_path / "va.txt"), [tmp_path / "a", tmp_path / "b"]):
        with pytest.raises(ConfigError, match=r"ferplus evaluates an affect bundle, not predictions; .*mien-light"):
            load_affect(subject, "ferplus")
    with pytest.raises(ConfigError, match="not int"):
        load_affect(3, "ferplus")


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"mien-lite.*did you mean 'mien-light'"):
        create_predictor("mien-lite", VA)
    create_example("affwild2-va", tmp_path)
    samples = load_dataset("affwild2-va", tmp_path, "valid")
    with pytest.raises(InputError, match=r"nowhere\.txt"):
        create_predictor(tmp_path / "nowhere.txt", VA).predict_frames(VA, samples)


@pytest.mark.parametrize("post", [PostProcessing(smoothing="va=2"), PostProcessing(weights={"va": (1.0,)})])
def test_a_file_takes_no_settings(post: PostProcessing, tmp_path: Path) -> None:
    for subject in (tmp_path / "va.txt", PredictionFile(tmp_path / "va.txt")):
        with pytest.raises(ConfigError, match="leave out smoothing, thresholds, weights and features"):
            create_predictor(subject, VA, post_processing=post)


def test_settings_that_do_not_fit(folders: list[Path], analyzer: Analyzer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="features are for heads"):
        create_predictor(folders, VA, features=[tmp_path])
    with pytest.raises(ConfigError, match="for tables give numbers"):
        create_predictor(folders, VA, post_processing=PostProcessing(thresholds="bundle"))
    with pytest.raises(ConfigError, match="one bundle has none"):
        create_predictor(analyzer, VA, post_processing=PostProcessing(weights={"va": (1.0,)}))
    with pytest.raises(ConfigError, match="need the official crops"):
        create_predictor(analyzer, VA, post_processing=PostProcessing(smoothing="va=2"))
    with pytest.raises(ConfigError, match="several predictions are blended only where"):
        create_predictor([tmp_path / "a.txt", tmp_path / "b.txt"], VA)
    with pytest.raises(ConfigError, match="at least one file or folder"):
        create_predictor([], VA)


def test_heads_are_for_clips_and_frames(tmp_path: Path) -> None:
    (tmp_path / "head.json").write_text("{}")
    with pytest.raises(ConfigError, match="heads predict frames of videos or emi and eri, not lsd"):
        create_predictor(tmp_path, PREDICTION_FORMATS["lsd"])
    with pytest.raises(ConfigError, match="a clip has one prediction"):
        create_predictor(tmp_path, PREDICTION_FORMATS["emi"], post_processing=PostProcessing(smoothing="va=2"))
