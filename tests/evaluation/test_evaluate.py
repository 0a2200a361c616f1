# SPDX-License-Identifier: Apache-2.0
"""`evaluate`: one call for every protocol, from Python as from the command line."""

from pathlib import Path

import pytest

from mien.affect import Analyzer, Smoothing
from mien.core import ConfigError, ModelError
from mien.evaluation import PROTOCOLS, BundleOnCropFolder, PostProcessing, TablePredictor, evaluate
from mien.evaluation.protocols.challenges import evaluate_va
from mien.evaluation.protocols.ferplus import evaluate_ferplus_mtl
from mien.evaluation.protocols.landmarks import landmark_error
from mien.evaluation.protocols.lfw import evaluate_lfw
from tests.helpers.open_face_sets import FlatFaceAnalyzer
from tests.helpers.scored_tables import table_faces, write_tables, write_va_tree
from tests.helpers.submission_data import write_crops


def test_a_protocol_on_faces(open_sets: Path) -> None:
    subject = FlatFaceAnalyzer()
    assert evaluate("ferplus-mtl", subject, open_sets) == evaluate_ferplus_mtl(subject, open_sets)
    assert evaluate("lfw", subject, str(open_sets)) == evaluate_lfw(subject, open_sets, "test")


def test_another_split(open_sets: Path) -> None:
    subject = FlatFaceAnalyzer()
    train = evaluate("lfw", subject, open_sets, "train")
    assert train.data == "LFW expression, train people"
    assert train.n_rows + evaluate("lfw", subject, open_sets).n_rows == 240
    assert evaluate("ferplus-mtl", subject, open_sets, "train").data == "FER+ train"
    with pytest.raises(ConfigError, match="lfw evaluates train or test, not the split 'valid'"):
        evaluate("lfw", subject, open_sets, "valid")


def test_a_blend_of_tables(tmp_path: Path) -> None:
    data = write_va_tree(tmp_path, {"v": [0.1, 0.5, 0.9]})
    low = write_tables(tmp_path / "low", {"v": [table_faces([va]) for va in (0.0, 0.4, 0.8)]})
    high = write_tables(tmp_path / "high", {"v": [table_faces([va]) for va in (0.2, 0.6, 1.0)]})
    blended = evaluate("va", [low, high], data)
    assert blended.metrics[0].value == pytest.approx(1, abs=1e-6)
    weighted = evaluate("va", [low, high], data, post_processing=PostProcessing(weights={"va": (1.0, 0.0)}))
    assert weighted.metrics[0].value == pytest.approx(evaluate("va", low, data).metrics[0].value)
    assert weighted.metrics[0].value < 0.99


def test_a_bundle_is_smoothed_over_the_crops_of_the_data(tmp_path: Path) -> None:
    data = write_crops(tmp_path)
    smooth = evaluate("va", "mien-light", data, post_processing=PostProcessing(smoothing="va=2"))
    crops = BundleOnCropFolder(Analyzer(threads=1), data / "cropped_aligned")
    expected = evaluate_va(TablePredictor([crops], smoothing=Smoothing(va=2)), data)
    assert [m.value for m in smooth.metrics] == pytest.approx([m.value for m in expected.metrics], nan_ok=True)
    assert smooth.metrics != evaluate("va", "mien-light", data).metrics


def test_the_subject_must_fit_the_protocol(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"mien-points predicts landmarks.*name mien-accurate or mien-light"):
        evaluate("ferplus", "mien-points", tmp_path)
    with pytest.raises(ModelError, match=r"mien-light predicts affect.*name mien-points"):
        evaluate("landmarks", "mien-light", tmp_path)
    with pytest.raises(ModelError, match="landmarks needs a landmark net, not an affect bundle"):
        evaluate("landmarks", Analyzer(threads=1), tmp_path)
    with pytest.raises(ConfigError, match="lfw evaluates an affect bundle, not predictions"):
        evaluate("lfw", [tmp_path / "va.txt"], tmp_path)


def test_the_landmark_protocol_gets_its_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(landmark_error, "evaluate_landmarks", lambda *arguments: given.append(arguments))
    evaluate("landmarks", None, tmp_path)
    net, folder, split = given[0]
    assert (net.bundle.spec.name, folder, split) == ("mien-points", tmp_path, "test")


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    for post in (
        PostProcessing(smoothing="va=2"),
        PostProcessing(thresholds=(0.4,)),
        PostProcessing(weights={"va": (1,)}),
    ):
        with pytest.raises(ConfigError, match="ferplus takes no smoothing"):
            evaluate("ferplus", None, tmp_path, post_processing=post)
    with pytest.raises(ConfigError, match="ferplus takes no smoothing"):
        evaluate("ferplus", None, tmp_path, features=[tmp_path])
    for protocol in ("landmarks", "va"):
        with pytest.raises(ConfigError, match=f"{protocol} takes no landmark model"):
            evaluate(protocol, None, tmp_path, landmark_model="mien-points")
    with pytest.raises(ConfigError, match="did you mean 'ferplus'"):
        evaluate("ferplu", None, tmp_path)


def test_every_protocol_has_a_default_split_that_it_can_evaluate() -> None:
    for name in PROTOCOLS:
        record = PROTOCOLS[name]
        assert record.split in (record.splits or ("train", "valid", "test"))
