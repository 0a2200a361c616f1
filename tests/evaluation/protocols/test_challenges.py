# SPDX-License-Identifier: Apache-2.0
"""The challenges on example trees: rows that are dropped, joined, concatenated and resampled."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from mien.core import EXPRESSION_ORDERS, DatasetError, InputError, MetricValue

# SPDX-License-Identifier: Apache-2.0
from mien.datasets import create_example, load_dataset
from mien.evaluation import Report
from mien.evaluation.challenge.submission_formats import PREDICTION_FORMATS
from mien.evaluation.predictors import PredictionFile
from mien.evaluation.protocols import challenges
from mien.metrics import ccc, macro_f1

UNITS = "1,0,0,1,0,0,1,0,0,0,1,0"


def _write(path: Path, form: str, rows: list[str]) -> Path:
    path.write_text("\n".join([PREDICTION_FORMATS[form].header_line, *rows]) + "\n")
    return path


def _va_tree(folder: Path, videos: dict[str, list[tuple[float, float]]]) -> None:
    place = folder / "VA_Estimation_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    for name, rows in videos.items():
        (place / f"{name}.txt").write_text("valence,arousal\n" + "".join(f"{v},{a}\n" for v, a in rows))


def _value(report: Report, name: str) -> MetricValue:
    return next(metric for metric in report.metrics if metric.name == name)


@pytest.fixture
def videos(tmp_path: Path) -> tuple[Path, Path]:
    """The two videos of the golden value, one with an invalid row; predictions in another order, one row more."""
    _va_tree(
        tmp_path,
        {"b": [(0.1, 0.1), (0.2, 0.2), (-5, 0.9), (0.3, 0.3)], "a": [(-0.5, -0.5), (-0.4, -0.4), (-0.6, -0.6)]},
    )
    predictions_of = {"a": [-0.4, -0.5, -0.5], "b": [0.2, 0.2, 0.77, 0.4], "unlisted": [0.0]}
    rows = [f"{name}/{i:05d}.jpg,{v},{v}" for name, own in predictions_of.items() for i, v in enumerate(own, start=1)]
    return tmp_path, _write(tmp_path / "va.txt", "va", rows[::-1])


def test_pitfall_2_frames_of_all_videos_are_scored_once(videos: tuple[Path, Path]) -> None:
    data, predictions = videos
    report = challenges.evaluate_va(PredictionFile(predictions), data)
    got = _value(report, "P_VA")
    # Labels come as float32, so the golden value of the specification shows to seven digits.
    assert got.value == pytest.approx(0.9693251533742332, abs=1e-7)
    assert got.n == 6


def test_pitfall_1_invalid_rows_are_dropped_and_counted(videos: tuple[Path, Path]) -> None:
    report = challenges.evaluate_va(PredictionFile(videos[1]), videos[0])
    assert report.n_rows == 7
    assert report.dropped == {"without valid valence and arousal": 1}


def test_pitfall_11_rows_without_a_crop_count_and_both_numbers_are_given(tmp_path: Path) -> None:
    create_example("affwild2-expr", tmp_path)
    rows = ["24-30-1920x1080/00001.jpg,5", "24-30-1920x1080/00002.jpg,1", "24-30-1920x1080/00003.jpg,7"]
    report = challenges.evaluate_expr(PredictionFile(_write(tmp_path / "p.csv", "expr", rows)), tmp_path)
    # Truth 5, invalid, 0; the third frame has no crop.
    assert _value(report, "P_EXPR").value == pytest.approx(1 / 8)
    assert _value(report, "accuracy").value == 0.5
    assert _value(report, "accuracy, frames with a crop").value == 1
    assert _value(report, "accuracy, frames with a crop").n == 1


def test_pitfall_12_tracks_of_one_video_are_resampled_together(tmp_path: Path) -> None:
    _va_tree(tmp_path, {"x": [(0.1, 0.2), (0.5, 0.1)], "x_left": [(-0.3, 0.4)], "x_right": [(0.7, -0.2)]})
    names = ["x/00001", "x/00002", "x_left/00001", "x_right/00001"]
    rows = [f"{name}.jpg,{0.1 * i},{-0.1 * i}" for i, name in enumerate(names)]
    report = challenges.evaluate_va(PredictionFile(_write(tmp_path / "p.csv", "va", rows)), tmp_path)
    only = _value(report, "P_VA")
    # One video can only be drawn whole.
    assert only.low == pytest.approx(only.value)
    assert only.high == pytest.approx(only.value)


def test_mtl_scores_each_task_on_its_own_rows(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    names = ["video1/00001", "video1/00004", "video1_left/00002", "video7/00001"]
    va = [(0.4, 0.2), (0.9, 0.9), (-0.3, 0.3), (0.8, 0.8)]
    rows = [f"{name}.jpg,{v},{a},4,{UNITS}" for name, (v, a) in zip(names, va, strict=True)]
    path = _write(tmp_path / "p.csv", "mtl", rows)
    report = challenges.evaluate_mtl(PredictionFile(path), tmp_path, "train")
    samples = load_dataset("affwild2-mtl", tmp_path, "train")
    assert report.dropped == {
        "without valid valence and arousal": 2,
        "without valid expression": 2,
        "without valid action units": 2,
    }
    truth = np.array([[0.5, 0.25], [-0.5, 0.1]])
    expected_va = np.mean([ccc(truth[:, k], [va[0][k], va[2][k]]) for k in (0, 1)])
    expected_expr = macro_f1([4, 0], [4, 4], 8)
    units = np.tile([int(u) for u in UNITS.split(",")], (2, 1))
    expected_au = sklearn_metrics.f1_score(samples.action_units[[0, 2]], units, average="macro", zero_division=0.0)
    assert _value(report, "P_VA").value == pytest.approx(expected_va, abs=1e-7)
    assert _value(report, "P_EXPR").value == pytest.approx(expected_expr, abs=1e-12)
    assert _value(report, "P_AU").value == pytest.approx(expected_au, abs=1e-12)
    assert _value(report, "P_MTL").value == pytest.approx(expected_va + expected_expr + expected_au, abs=1e-7)


def test_lsd_scores_six_classes_by_image_name(tmp_path: Path) -> None:
    create_example("lsd", tmp_path)
    names = load_dataset("lsd", tmp_path, "valid").names
    path = _write(tmp_path / "p.csv", "lsd", [f"{name},{min(k, 4)}" for k, name in enumerate(names)])
    report = challenges.evaluate_lsd(PredictionFile(path), tmp_path)
    assert _value(report, "macro F1").value == pytest.approx(macro_f1(range(6), [0, 1, 2, 3, 4, 4], 6))


def test_ce_scores_seven_classes(tmp_path: Path) -> None:
    create_example("cexpr", tmp_path)
    rows = [f"02/{i:05d}.jpg,{k}" for i, k in enumerate([0, 3, 6, 2], start=1)]
    report = challenges.evaluate_ce(PredictionFile(_write(tmp_path / "p.csv", "ce", rows)), tmp_path)
    assert report.dropped == {"without valid compound expression": 1}
    assert _value(report, "macro F1").value == pytest.approx(macro_f1([0, 6, 1], [0, 6, 2], 7))


def test_au_of_the_challenge(tmp_path: Path) -> None:
    create_example("affwild2-au", tmp_path)
    path = _write(tmp_path / "p.csv", "au", [f"video2/00001.jpg,{UNITS}"])
    assert _value(challenges.evaluate_au(PredictionFile(path), tmp_path), "P_AU").value == pytest.approx(4 / 12)


@pytest.mark.parametrize("name", ["emi", "eri"])
def test_pitfall_14_and_16_clips_are_matched_by_text(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path)
    samples = load_dataset(name, tmp_path, "train")
    n_labels = len(samples.labels)
    rng = np.random.default_rng(0)
    predicted = rng.uniform(size=(len(samples), n_labels)).round(3)
    rows = [f"{clip}," + ",".join(map(str, row)) for clip, row in zip(samples.names, predicted, strict=True)]
    report = {"emi": challenges.evaluate_emi, "eri": challenges.evaluate_eri}[name](
        PredictionFile(_write(tmp_path / "p.csv", name, rows)), tmp_path, "train"
    )
    assert report.n_rows == len(samples)
    first = _value(report, f"Pearson {samples.labels[1]}")
    if len(samples) > 1:
        expected = stats.pearsonr(samples.intensities[:, 1].astype(float), predicted[:, 1]).statistic
        assert first.value == pytest.approx(expected, abs=1e-7)
    else:
        assert np.isnan(first.value)


def test_affectnet_accuracy_over_eight_and_seven(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    scores = {"689/a.jpg": [0, 1, 0, 0, 0, 0, 0, 0], "392/b.jpg": [1, 0, 0, 0, 0, 0, 0, 0]}
    scores |= {"468/c.jpg": [1] * 8, "944/d.jpg": [0, 0, 0, 0, 0, 0, 0.4, 0.6]}
    rows = [f"{name}," + ",".join(map(str, row)) for name, row in scores.items()]
    path = _write(tmp_path / "p.csv", "affectnet", rows)
    report = challenges.evaluate_affectnet(PredictionFile(path), tmp_path, "train")
    # c has no expression and d no face box, so HSEmotion's selection leaves both out.
    assert report.dropped == {"without valid expression": 1, "without valid face box": 1}
    assert _value(report, "accuracy, 8 classes").value == pytest.approx(1 / 2)
    seven = _value(report, "accuracy, 7 classes")
    assert (seven.value, seven.n) == (1, 1)


def test_editions_of_2020_have_their_own_scores(tmp_path: Path) -> None:
    place = tmp_path / "EXPR_Set" / "Validation_Set"
    place.mkdir(parents=True)
    header = ",".join(label.capitalize() for label in EXPRESSION_ORDERS["affwild2_7"])
    (place / "v.txt").write_text(f"{header}\n0\n6\n3\n")
    rows = ["v/00001.jpg,0", "v/00002.jpg,6", "v/00003.jpg,1"]
    report = challenges.evaluate_expr(PredictionFile(_write(tmp_path / "p.csv", "expr-2020", rows)), tmp_path)
    assert _value(report, "P_EXPR").value == pytest.approx(2 / 7)
    assert _value(report, "FG2020 expression score").value == pytest.approx(0.67 * 2 / 7 + 0.33 * 2 / 3)


def test_a_frame_without_a_prediction_is_named(videos: tuple[Path, Path]) -> None:
    data, predictions = videos
    lines = [line for line in predictions.read_text().splitlines() if "b/00004" not in line]
    predictions.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"va\.txt has no prediction for 1 .*b/00004\.jpg"):
        challenges.evaluate_va(PredictionFile(predictions), data)
    predictions.write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(InputError, match="listed before"):
        challenges.evaluate_va(PredictionFile(predictions), data)


def test_a_split_without_labels_is_an_error(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    rows = [f"video20/{i:05d}.jpg,0,0,0,{UNITS}" for i in (1, 2)]
    with pytest.raises(DatasetError, match="annotations"):
        challenges.evaluate_mtl(PredictionFile(_write(tmp_path / "p.csv", "mtl", rows)), tmp_path, "test")
