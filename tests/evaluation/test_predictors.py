# SPDX-License-Identifier: Apache-2.0
"""A bundle as the predictor of a challenge: crops of the data set, gaps, and labels matched by name."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from skimage.data import astronaut

from mien.core import EXPRESSIONS, ConfigError, DatasetError, Faces
from mien.datasets import create_example, load_dataset
from mien.evaluation import PREDICTION_FORMATS, BundleOnCrops, evaluate
from mien.evaluation.protocols import challenges
from mien.inference import DEFAULT_BUNDLE, bundle_digest
from mien.media import save_image


class _FrameNumberAnalyzer:
    """Says the tenth of a crop's frame number as valence, and one expression throughout."""

    spec = SimpleNamespace(name="fake")
    bundle_digest = "0" * 64

    def __init__(self, expression: str = "anger") -> None:
        self._expression = expression

    def crops(self, pictures: list[Path | np.ndarray]) -> Faces:
        n = len(pictures)
        stems = [picture.stem if isinstance(picture, Path) else "" for picture in pictures]
        number = np.array([int(stem) if stem.isdecimal() else 0 for stem in stems])
        return Faces(
            boxes=np.zeros((n, 4)),
            expression=np.tile(np.eye(8)[EXPRESSIONS.index(self._expression)], (n, 1)),
            valence=number / 10,
            arousal=-number / 10,
            action_units=np.tile([0.9, 0.5, 0.1], (n, 1)),
            expression_labels=EXPRESSIONS,
            action_unit_labels=("AU01", "AU12", "AU25"),
        )


def test_frames_without_a_crop_are_interpolated(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    samples = load_dataset("affwild2-va", tmp_path, "train")
    values = BundleOnCrops(_FrameNumberAnalyzer()).predict_frames(PREDICTION_FORMATS["va"], samples)
    track = samples.track_index == samples.tracks.index("1-30-640x360")
    # Crops 1, 3 and 4 of four frames are there.
    assert values[track, 0] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-6)
    left = samples.track_index == samples.tracks.index("1-30-640x360_left")
    assert values[left, 0] == pytest.approx([0.2, 0.2], abs=1e-6)


def test_multi_task_predictions_have_the_columns_of_the_format(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    samples = load_dataset("affwild2-mtl", tmp_path, "valid")
    values = BundleOnCrops(_FrameNumberAnalyzer()).predict_frames(PREDICTION_FORMATS["mtl"], samples)
    # AU1 and AU12 (at the threshold) are present, AU25 is not, and the other units are unknown to the bundle.
    expected = [0.3, -0.3, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert values[0] == pytest.approx(expected, abs=1e-6)


def test_pitfall_18_contempt_is_no_other(tmp_path: Path) -> None:
    create_example("affwild2-expr", tmp_path)
    samples = load_dataset("affwild2-expr", tmp_path, "valid")
    values = BundleOnCrops(_FrameNumberAnalyzer("contempt")).predict_frames(PREDICTION_FORMATS["expr"], samples)
    assert samples.expression_labels.index("other") not in values[:, 0]


@pytest.mark.parametrize(("name", "n"), [("lsd", 6), ("affectnet", 1)])
def test_image_sets_are_measured_on_their_files(name: str, n: int, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    report = getattr(challenges, f"evaluate_{name}")(BundleOnCrops(_FrameNumberAnalyzer()), tmp_path)
    assert report.predictor == "fake"
    assert report.metrics[0].n == n
    # One of the six expressions of LSD is anger; the only face of AffectNet's example is neutral.
    accuracy = next(metric for metric in report.metrics if metric.name.startswith("accuracy"))
    assert accuracy.value == pytest.approx({"lsd": 1 / 6, "affectnet": 0}[name])


class _BrightnessAnalyzer(_FrameNumberAnalyzer):
    """Sees happiness in a white picture and neutral in any other."""

    def crops(self, pictures: list[Path | np.ndarray]) -> Faces:
        white = [not isinstance(picture, Path) and picture.min() > 250 for picture in pictures]
        return Faces(
            boxes=np.zeros((len(white), 4)),
            expression=np.eye(8)[[EXPRESSIONS.index("happiness" if one else "neutral") for one in white]],
            expression_labels=EXPRESSIONS,
        )


def test_affectnet_images_are_cut_to_the_face_box_of_the_csv(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    picture = np.zeros((160, 150, 3), dtype=np.uint8)
    picture[20:140, 10:110] = 255  # b.jpg: x 10, y 20, width 100, height 120
    save_image(tmp_path / "Manually_Annotated_Images/392/b.png", picture)
    for line in (csv := tmp_path / "training.csv").read_text().splitlines():
        if line.startswith("392"):
            csv.write_text(csv.read_text().replace(line, line.replace("b.jpg", "b.png")))
    samples = load_dataset("affectnet", tmp_path, "train")
    values = BundleOnCrops(_BrightnessAnalyzer()).predict_images(PREDICTION_FORMATS["affectnet"], samples)
    predicted = [samples.expression_labels[column] for column in values.argmax(axis=1)]
    # The last row has no box and is used whole.
    assert predicted == ["neutral", "happiness", "neutral", "neutral"]


@pytest.mark.parametrize("name", ["emi", "eri"])
def test_a_bundle_predicts_no_clips(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    with pytest.raises(ConfigError, match=f"no trained weights for {name} .*--predictions"):
        evaluate(name, DEFAULT_BUNDLE, tmp_path)


@pytest.mark.parametrize(
    ("protocol", "dataset", "n"),
    [
        ("va", "affwild2-va", 3),
        ("expr", "affwild2-expr", 2),
        ("au", "affwild2-au", 1),
        ("mtl", "affwild2-mtl", 1),
        ("lsd", "lsd", 6),
        ("affectnet", "affectnet", 1),
        ("affectnet", "affectnet-npy", 1),
    ],
)
def test_the_bundle_of_the_wheel_fits_every_challenge(protocol: str, dataset: str, n: int, tmp_path: Path) -> None:
    create_example(dataset, tmp_path)
    face = astronaut()[0:180, 150:300]
    for path in tmp_path.rglob("*.[jJ][pP][gG]"):
        save_image(path, face)
    report = evaluate(protocol, DEFAULT_BUNDLE, tmp_path)
    assert report.n_rows == len(load_dataset(dataset, tmp_path, "valid"))
    assert report.metrics[0].n == n
    values = {metric.name: metric.value for metric in report.metrics}
    assert np.isfinite(list(values.values())).all()
    # The astronaut smiles with open lips, whatever the labels of the example are.
    smiling = {"au": {"F1 AU12": 1, "F1 AU25": 1}, "lsd": {"accuracy": pytest.approx(1 / 6)}}
    assert {name: values[name] for name in smiling.get(protocol, {})} == smiling.get(protocol, {})
    assert report.digest == bundle_digest(DEFAULT_BUNDLE)


def test_without_any_crop_there_is_no_number(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    (tmp_path / "cropped_aligned").rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="none of 3 frames of 1 tracks has a crop"):
        challenges.evaluate_va(BundleOnCrops(_FrameNumberAnalyzer()), tmp_path)
    (tmp_path / "batch1").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "batch1/cropped_aligned")
    with pytest.raises(DatasetError, match=r"\(batch1/cropped_aligned lies below it\)"):
        challenges.evaluate_va(BundleOnCrops(_FrameNumberAnalyzer()), tmp_path)


def test_a_track_without_crops_is_left_out_and_the_second_archive_is_read(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    crops = tmp_path / "cropped_aligned"
    (tmp_path / "cropped_aligned_new_50_vids").mkdir()
    moved = (crops / "1-30-640x360_left").rename(tmp_path / "cropped_aligned_new_50_vids/1-30-640x360_left")
    report = challenges.evaluate_va(BundleOnCrops(_FrameNumberAnalyzer()), tmp_path, "train")
    assert report.metrics[0].n == 4
    assert str(report.coverage) == "4 of 6 rows (66.7 %) have a face, 2 of 2 tracks"
    moved.rename(tmp_path / "gone")
    report = challenges.evaluate_va(BundleOnCrops(_FrameNumberAnalyzer()), tmp_path, "train")
    assert report.metrics[0].n == 2
    assert report.dropped == {"without valid valence and arousal": 2, "in tracks without a face": 2}
    assert report.coverage is not None
    assert report.coverage.without_face == ("1-30-640x360_left",)


def test_labels_that_a_bundle_does_not_know_are_named(tmp_path: Path) -> None:
    create_example("affwild2-expr", tmp_path)
    report = challenges.evaluate_expr(BundleOnCrops(_FrameNumberAnalyzer()), tmp_path)
    assert report.notes == ("no model predicts other; it counts as 0 throughout",)
