# SPDX-License-Identifier: Apache-2.0
"""Thresholds, weights and models chosen on validation data, against scikit-learn and known results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from mien.affect import Smoothing
from mien.core import ConfigError
from mien.evaluation import (
    PREDICTION_FORMATS,
    TablePredictor,
    search_thresholds,
    search_weights,
)
from mien.evaluation.protocols import challenges
from tests.helpers.scored_tables import table_faces, write_tables, write_two_models, write_va_tree


@pytest.fixture
def two_models(tmp_path: Path) -> tuple[Path, list[Path]]:
    return write_two_models(tmp_path)


def test_a_blend_is_smoothed_before_it_is_scored(two_models: tuple[Path, list[Path]]) -> None:
    data, models = two_models
    found = search_weights("va", data, models, smoothing=Smoothing(va=2))["va"]
    predictor = TablePredictor(models, smoothing=Smoothing(va=2), weights={"va": found.weights})
    assert challenges.evaluate_va(predictor, data).metrics[0].value == pytest.approx(found.score, abs=1e-9)
    assert found.score < 1


def test_each_emotion_has_weights_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    models = rng.uniform(0, 1, (2, 30, 6)).round(3)
    shares = np.array([0.0, 0.1, 0.4, 0.5, 0.9, 1.0])
    names = [f"{index:05d}" for index in range(30)]

    def write(name: str, values: np.ndarray) -> Path:
        rows = [",".join([key, *(f"{v:.6f}" for v in row)]) for key, row in zip(names, values, strict=True)]
        (tmp_path / name).write_text("\n".join([PREDICTION_FORMATS["emi"].header_line, *rows]) + "\n")
        return tmp_path / name

    write("valid_split.csv", shares * models[0] + (1 - shares) * models[1])
    paths = [write(f"{k}.csv", own) for k, own in enumerate(models)]
    found = search_weights("emi", tmp_path, paths)
    assert [search.weights[0] for search in found.values()] == pytest.approx(shares)
    assert list(found) == ["admiration", "amusement", "determination", "empathic pain", "excitement", "joy"]
    with pytest.raises(ConfigError, match="nothing to smooth"):
        search_weights("emi", tmp_path, paths, smoothing=Smoothing(va=1))


def test_search_finds_the_best_of_nine_for_each_unit() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (80, 12))
    probabilities = np.clip(0.5 * targets + rng.uniform(0, 0.6, (80, 12)), 0, 1)
    found = search_thresholds(targets, probabilities)
    for unit in range(12):
        scores = {
            step / 10: sklearn_metrics.f1_score(
                targets[:, unit], probabilities[:, unit] >= step / 10, zero_division=0.0
            )
            for step in range(1, 10)
        }
        assert found.f1[unit] == pytest.approx(max(scores.values()), abs=1e-12)
        assert scores[found.thresholds[unit]] == pytest.approx(found.f1[unit], abs=1e-12)
        assert found.f1_at_half[unit] == pytest.approx(scores[0.5], abs=1e-12)


def test_pitfall_5_and_9_the_f1_at_one_half_stays_beside_the_tuned_one() -> None:
    targets = np.array([[1], [1], [0], [0]])
    found = search_thresholds(targets, [[0.35], [0.45], [0.2], [0.1]])
    assert found.thresholds == (0.3,)
    assert (found.mean_f1, found.mean_f1_at_half) == (1, 0)


def test_a_flat_curve_keeps_one_half() -> None:
    assert search_thresholds([[0], [0]], [[0.0], [0.0]]).thresholds == (0.5,)
    # Present is from the threshold on: .5 itself counts.
    assert search_thresholds([[1]], [[0.5]]).f1_at_half == (1.0,)


def test_few_positive_rows_are_said() -> None:
    targets = np.zeros((60, 3), int)
    targets[:19, 0] = targets[:20, 1] = targets[:40, 2] = 1
    found = search_thresholds(targets, targets * 0.8)
    assert found.n_positive == (19, 20, 40)
    assert found.note.startswith("thresholds of unit 0 (19) come from fewer than 20 positive rows")
    assert replace(found, labels=("AU01", "AU02", "AU04")).note.startswith("thresholds of AU01 (19) come")
    assert search_thresholds(targets[:, 1:], targets[:, 1:] * 0.8).note == ""


def test_weights_from_few_rows_are_said(tmp_path: Path, two_models: tuple[Path, list[Path]]) -> None:
    data, models = two_models
    assert search_weights("va", data, models)["va"].note == ""
    few = write_va_tree(tmp_path / "few", {"v": np.linspace(-0.5, 0.5, 10)})
    tables = [
        write_tables(tmp_path / "few" / name, {"v": [table_faces([v]) for v in np.linspace(-0.5, top, 10)]})
        for name, top in (("a", 0.2), ("b", 0.9))
    ]
    note = search_weights("va", few, tables)["va"].note
    assert note.startswith("weights of valence and arousal (10) come from fewer than 20 positive rows")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="are needed"):
        search_thresholds([1, 0], [0.2, 0.3])
    with pytest.raises(ConfigError, match="0 or 1"):
        search_thresholds([[-1]], [[0.2]])


def test_the_smoothing_of_a_search_may_be_text(two_models: tuple[Path, list[Path]]) -> None:
    data, models = two_models
    names = [str(folder) for folder in models]
    assert search_weights("va", str(data), names, smoothing="va=2") == search_weights(
        "va", data, models, smoothing=Smoothing(va=2)
    )
    with pytest.raises(ConfigError, match="at least two models"):
        search_weights("va", data, models[:1])
    with pytest.raises(ConfigError, match="weights are searched for va, expr, au, mtl, emi, eri"):
        search_weights("ce", data, models)
