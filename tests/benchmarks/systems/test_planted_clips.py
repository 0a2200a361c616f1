# SPDX-License-Identifier: Apache-2.0
"""The generated trees are in the challenges' formats, with the signal where it is said to be."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems import planted_clips
from benchmarks.systems.planted_clips import _cross_fitted, write_emi, write_eri
from mien.affect import clip_statistics
from mien.datasets import load_dataset
from mien.metrics import mean_pearson
from mien.results import open_features


@pytest.fixture(autouse=True)
def few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planted_clips, "N_TRAIN", 300)
    monkeypatch.setattr(planted_clips, "N_VALID", 20)


def correlations(values: np.ndarray, intensities: np.ndarray) -> np.ndarray:
    """Multiple correlation of each emotion with all columns."""
    columns = np.c_[np.ones(len(values)), values]
    fitted = columns @ np.linalg.lstsq(columns, intensities, rcond=None)[0]
    return np.array([np.corrcoef(fitted[:, k], intensities[:, k])[0, 1] for k in range(intensities.shape[1])])


def test_each_emotion_of_emi_is_where_it_is_planted(tmp_path: Path) -> None:
    write_emi(tmp_path, 1)
    samples = load_dataset("emi", tmp_path, "train")
    assert len(load_dataset("emi", tmp_path, "valid")) == 20
    found = {}
    for name in ("features", "features-audio"):
        rows = open_features(tmp_path / name).load()
        values = rows.scores if rows.scores.shape[1] else rows.features
        means = clip_statistics(rows.source_index, rows.frame, values, n_clips=320)[:300, : values.shape[1]]
        found[name] = correlations(means, samples.intensities)
    chance = np.sqrt(24 / 300)
    assert found["features"][[0, 1, 4, 5]].min() > 0.35 > found["features"][[2, 3]].max()
    assert found["features-audio"][[2, 3, 4, 5]].min() > 0.35
    assert found["features-audio"][[0, 1]].max() < 1.4 * chance


def test_eri_is_an_order_in_time_alone(tmp_path: Path) -> None:
    write_eri(tmp_path, 1)
    samples = load_dataset("eri", tmp_path, "train")
    rows = open_features(tmp_path / "features").load()
    values = rows.scores.reshape(320, 12, -1)[:300].astype(np.float64)
    slopes = np.einsum("ctd,t->cd", values, np.linspace(-1, 1, 12))
    assert correlations(slopes, samples.intensities).min() > 0.5
    statistics = np.concatenate([values.mean(axis=1), values.std(axis=1)], axis=1)
    assert correlations(statistics, samples.intensities).max() < 1.35 * np.sqrt(44 / 300)


def test_weights_are_chosen_on_other_clips() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((400, 2))
    good, noise = truth + 0.1 * rng.normal(size=truth.shape), rng.random((400, 2))
    models = [np.stack([good[:, 0], noise[:, 0]], axis=1), np.stack([noise[:, 1], good[:, 1]], axis=1)]
    blended = _cross_fitted(truth, models)
    assert mean_pearson(truth, blended) > max(mean_pearson(truth, model) for model in models) + 0.3
