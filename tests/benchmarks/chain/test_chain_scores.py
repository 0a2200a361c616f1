# SPDX-License-Identifier: Apache-2.0
"""Epochs and weights are chosen on the other half of the faces; macro F1 of resamples; differences of rows by seed."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.chain.chain_scores import (
    Resamples,
    RowLogits,
    best_epoch,
    difference,
    estimate,
    load_logits,
    predictions,
)
from mien.metrics import macro_f1

RNG = np.random.default_rng(0)
N = 240
TRUTH = np.arange(N) % 6
HALF = np.arange(N) % 2 == 1


def logits_right_on(rows: np.ndarray) -> np.ndarray:
    """Logits (N, 6) that are right on some faces and wrong on the others."""
    logits = np.zeros((N, 6))
    logits[np.arange(N), np.where(rows, TRUTH, (TRUTH + 1) % 6)] = 1.0
    return logits


def test_the_epoch_is_chosen_on_the_other_half() -> None:
    row = RowLogits(np.stack([logits_right_on(HALF), logits_right_on(~HALF)]), TRUTH, HALF)
    assert best_epoch(row, HALF) == 0
    assert best_epoch(row, ~HALF) == 1
    # Epoch 0 is chosen on the second half and scored on the first, where it is wrong, and the reverse.
    assert (predictions(row) != TRUTH).all()
    assert (predictions(row, cross_fitted=False) == TRUTH).mean() == 0.5


def test_the_weight_of_a_blend_is_chosen_on_the_other_half() -> None:
    before = RowLogits(0.5 * logits_right_on(HALF)[None], TRUTH, HALF)
    after = RowLogits(logits_right_on(~HALF)[None], TRUTH, HALF)
    assert (predictions(after, before) != TRUTH).all()
    right = RowLogits(logits_right_on(np.ones(N, bool))[None], TRUTH, HALF)
    assert (predictions(right, before) == TRUTH).all()


def test_macro_f1_and_accuracy_are_those_of_the_faces_and_of_resamples() -> None:
    predicted = np.where(RNG.random(N) < 0.7, TRUTH, RNG.integers(0, 6, N))
    resamples = Resamples(TRUTH)
    f1, accuracy = resamples.macro_f1(predicted), resamples.accuracy(predicted)
    assert f1[0] == pytest.approx(macro_f1(TRUTH, predicted, 6))
    assert accuracy[0] == pytest.approx((predicted == TRUTH).mean())
    found = estimate([accuracy])
    # The standard error of a share of 240 faces.
    error = np.sqrt(accuracy[0] * (1 - accuracy[0]) / N)
    assert found.low == pytest.approx(accuracy[0] - 1.96 * error, abs=0.01)
    assert found.high == pytest.approx(accuracy[0] + 1.96 * error, abs=0.01)


def test_a_class_that_is_neither_there_nor_predicted_counts_as_0() -> None:
    truth = np.array([0, 1, 2, 3, 4])
    assert Resamples(truth).macro_f1(truth)[0] == pytest.approx(5 / 6)


def test_differences_use_the_seeds_that_both_rows_have() -> None:
    before = {1: np.array([0.5, 0.4, 0.6]), 2: np.array([0.9, 0.9, 0.9])}
    after = {1: np.array([0.6, 0.5, 0.7]), 3: np.array([0.0, 0.0, 0.0])}
    found = difference(before, after)
    assert found is not None
    assert (round(found[0].value, 6), found[1]) == (0.1, 1)
    # A row without training is the same for all seeds.
    found = difference({0: np.array([0.5, 0.5, 0.5])}, {1: np.full(3, 0.6), 2: np.full(3, 0.8)})
    assert found is not None
    assert (round(found[0].value, 6), found[1]) == (0.2, 2)
    assert difference({1: np.zeros(3)}, {2: np.zeros(3)}) is None


def test_halves_follow_the_names_and_are_about_equal(tmp_path: Path) -> None:
    names = np.array([f"fer{number:07d}" for number in range(N)])
    order = RNG.permutation(N)
    np.savez(tmp_path / "a.npz", logits=np.zeros((1, N, 6)), truth=TRUTH, names=names)
    np.savez(tmp_path / "b.npz", logits=np.zeros((1, N, 6)), truth=TRUTH[order], names=names[order])
    one, two = load_logits(tmp_path / "a.npz"), load_logits(tmp_path / "b.npz")
    assert np.array_equal(one.half[order], two.half)
    assert 0.4 < one.half.mean() < 0.6
