# SPDX-License-Identifier: Apache-2.0
"""A bundle on official crops in place of tables."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.affect import Analyzer, box_mean, confidence_filter
from mien.core import EXPRESSION_ORDERS, ConfigError, InputError, columns_by_name
from mien.datasets import create_example, load_dataset
from mien.evaluation import (
    PREDICTION_FORMATS,
    BundleOnCropFolder,
    BundleOnCrops,
    PostProcessing,
    TablePredictor,
    create_predictor,
    write_submission,
)
from tests.helpers.submission_data import HEADERS, write_crops, write_list


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture
def crops_data(tmp_path: Path) -> Path:
    return write_crops(tmp_path)


def test_the_same_predictions_as_frame_by_frame(crops_data: Path, analyzer: Analyzer) -> None:
    samples = load_dataset("affwild2-va", crops_data, "valid")
    tables = TablePredictor([BundleOnCropFolder(analyzer, crops_data / "cropped_aligned")])
    got = tables.predict_frames(PREDICTION_FORMATS["va"], samples)
    for track, rows in samples.track_rows():
        if (crops_data / "cropped_aligned" / track).is_dir():
            expected = BundleOnCrops(analyzer).predict_frames(PREDICTION_FORMATS["va"], samples)
            np.testing.assert_allclose(got[rows], expected[rows], atol=1e-6)
    assert tables.name == "mien-light"


def test_a_track_without_crops_has_no_face(crops_data: Path, analyzer: Analyzer) -> None:
    """Its neighbour's faces are not its own, whatever the name."""
    model = BundleOnCropFolder(analyzer, crops_data / "cropped_aligned")
    videos = model.videos(["valence", "AU12"], per_frame=True)
    tracks = list(videos)
    assert len(videos[tracks[0]].frames)
    assert not len(videos[f"{tracks[0]}_right"].frames)
    with pytest.raises(InputError, match="no such folder"):
        BundleOnCropFolder(analyzer, crops_data / "nowhere")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another bundle, which names the weights of a blend."""
    pytest.importorskip("onnx", reason="needs onnx to make a graph")
    from mien.training.export.bundle_files import write_bundle
    from tests.helpers.small_graphs import small_graph, small_spec

    folder, graph = tmp_path_factory.mktemp("bundle") / "second", small_graph()
    spec = dataclasses.replace(small_spec(graph), name="second", blend={"va": 0.8, "expr": 0.5})
    write_bundle(folder, graph, spec)
    return folder


def _alone(model: object, folder: Path, task: str) -> np.ndarray:
    """Undecoded scores of one model on the frames of a track up to its last crop."""
    predictor = create_predictor([model, model], PREDICTION_FORMATS[task], crops=folder)
    assert isinstance(predictor, TablePredictor)
    decoder = predictor.decoders(PREDICTION_FORMATS[task])[0]
    track = next(path.name for path in sorted(folder.iterdir()))
    frames = np.arange(1, 1 + max(int(path.stem) for path in (folder / track).glob("*.jpg")))
    return predictor.track_scores(decoder, predictor.load(PREDICTION_FORMATS[task]), track, frames)


def test_several_bundles_are_blended_straight_on_crops(crops_data: Path, second: Path, tmp_path: Path) -> None:
    """Item 8: `evaluate` and `submit` give the weighted mean of the bundles' scores, without tables."""
    crops = crops_data / "cropped_aligned"
    first, other = _alone("mien-light", crops, "va"), _alone(second, crops, "va")
    assert np.abs(first - other).max() > 0.05
    track = next(path.name for path in sorted(crops.iterdir()))
    listed = write_list(
        tmp_path / "l.txt", HEADERS["va"], [f"{track}/{frame:05d}.jpg" for frame in range(1, len(first) + 1)]
    )
    for weights, share in (({"va": (0.8,)}, 0.8), ("bundle", 0.2)):
        post = PostProcessing(weights=weights, smoothing="va=1")
        write_submission("va", ["mien-light", second], listed, tmp_path / "o.txt", crops=crops, post_processing=post)
        got = np.loadtxt(tmp_path / "o.txt", delimiter=",", skiprows=1, usecols=(1, 2))
        assert got == pytest.approx(box_mean(share * first + (1 - share) * other, 1), abs=1e-6)
    samples = load_dataset("affwild2-va", crops_data, "valid")
    predictor = create_predictor(
        ["mien-light", second], PREDICTION_FORMATS["va"], crops=crops, post_processing=PostProcessing(weights="bundle")
    )
    assert predictor.name == "mien-light + second"
    rows = predictor.predict_frames(PREDICTION_FORMATS["va"], samples)
    assert rows.shape == (len(samples), 2)
    with pytest.raises(ConfigError, match="need the official crops"):
        create_predictor(["mien-light", second], PREDICTION_FORMATS["va"])


def test_the_confident_model_decides_where_it_is_certain(crops_data: Path, second: Path) -> None:
    crops, labels = crops_data / "cropped_aligned", EXPRESSION_ORDERS["affwild2_8"]
    trained, sure = _alone("mien-light", crops, "expr"), _alone(second, crops, "expr")
    smooth = box_mean(sure, 2)
    limit = float(np.median(smooth.max(axis=1)))
    expected = confidence_filter(smooth[:, :7], labels[:7], box_mean(trained, 2), labels, limit)
    post = PostProcessing(smoothing="expr=2", confident=second, confidence=limit)
    predictor = create_predictor("mien-light", PREDICTION_FORMATS["expr"], crops=crops, post_processing=post)
    assert isinstance(predictor, TablePredictor)
    decoder = predictor.decoders(PREDICTION_FORMATS["expr"])[0]
    track = next(path.name for path in sorted(crops.iterdir()))
    loaded = predictor.load(PREDICTION_FORMATS["expr"])
    got = predictor.track_scores(decoder, loaded, track, np.arange(1, len(trained) + 1))
    assert decoder.decode(got)[:, 0].tolist() == expected.tolist()
    assert expected.tolist() != box_mean(trained, 2).argmax(axis=1).tolist()
    assert predictor.name == "mien-light, second where it is certain"
    with pytest.raises(ConfigError, match="a confident model decides expressions"):
        TablePredictor([BundleOnCropFolder(Analyzer(), crops)], confident=(second, 0.7)).load(PREDICTION_FORMATS["va"])


@pytest.mark.parametrize("blend_on", ["probabilities", "logits"])
def test_images_of_the_lsd_challenge_are_blended_on_logits(tmp_path: Path, second: Path, blend_on: str) -> None:
    create_example("lsd", tmp_path)
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.glob("**/*.jpg")):
        cv2.imwrite(str(path), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    samples, task_format = load_dataset("lsd", tmp_path, "valid"), PREDICTION_FORMATS["lsd"]
    analyzers = [Analyzer(), Analyzer(second)]
    post = PostProcessing(weights={"expr": (0.3,)}, blend_on=blend_on)
    blended = create_predictor(analyzers, task_format, post_processing=post).predict_images(task_format, samples)
    columns = columns_by_name(analyzers[0].expression_labels, EXPRESSION_ORDERS["lsd_6"])
    images = [samples.image_path(row) for row in range(len(samples))]
    one, two = (np.asarray(each.crops(images).expression, np.float64)[:, columns] for each in analyzers)
    mean = 0.3 * np.log(one) + 0.7 * np.log(two) if blend_on == "logits" else 0.3 * one + 0.7 * two
    assert blended[:, 0].tolist() == mean.argmax(axis=1).tolist()
    with pytest.raises(ConfigError, match="leave out smoothing"):
        create_predictor(analyzers, task_format, post_processing=PostProcessing(smoothing="expr=2"))
