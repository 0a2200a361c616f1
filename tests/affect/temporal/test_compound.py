# SPDX-License-Identifier: Apache-2.0
"""Zero-shot compound expressions: pairs, faces of a frame, gaps, and the choice by frequencies."""

import numpy as np
import pytest
from scipy import stats

from mien.affect import (
    COMPOUND_COUNTS,
    COMPOUND_PAIRS,
    choose_by_frequencies,
    compound_expressions,
    compound_scores,
    frequency_divergence,
    strongest_per_frame,
)
from mien.core import EXPRESSION_ORDERS, EXPRESSIONS, ConfigError

HSE = EXPRESSION_ORDERS["hse_8"]


def _rows(*names: str) -> np.ndarray:
    return np.eye(8)[[EXPRESSIONS.index(name) for name in names]]


def test_pairs_are_the_columns_of_the_specification() -> None:
    expected = [{3, 7}, {4, 7}, {6, 7}, {2, 7}, {0, 7}, {6, 3}, {6, 0}]
    assert [{HSE.index(name) for name in pair} for pair in COMPOUND_PAIRS] == expected


def test_scores_are_arithmetic_means_by_name() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(8), 5)
    scores = compound_scores(probabilities, HSE)
    assert scores[:, 1] == pytest.approx((probabilities[:, 4] + probabilities[:, 7]) / 2, abs=1e-15)
    shuffled = [HSE.index(name) for name in EXPRESSIONS]
    assert np.array_equal(scores, compound_scores(probabilities[:, shuffled], EXPRESSIONS))


def test_pitfall_22_softmax_exactly_once() -> None:
    with pytest.raises(ConfigError, match="softmax once"):
        compound_scores([[2.0, -1.0, 0.3, 0, 0, 0, 0, 0]], HSE)
    # Probabilities go through as they are: a certain happy face keeps the whole half of its pairs.
    assert compound_scores(_rows("happiness"), EXPRESSIONS)[0].max() == 0.5


def test_pitfall_18_labels_are_mapped_by_name() -> None:
    with pytest.raises(ConfigError, match="do not occur"):
        compound_scores([[0.5, 0.5]], ["happiness", "other"])


def test_strongest_face_of_each_frame_class_by_class() -> None:
    frames, scores = strongest_per_frame([5, 2, 5], [[0.1, 0.4], [0.3, 0.2], [0.2, 0.1]])
    assert frames.tolist() == [2, 5]
    assert scores.tolist() == [[0.3, 0.2], [0.2, 0.4]]


def test_whole_recipe_on_a_video_with_lost_frames() -> None:
    frames = np.array([0, 1, 8, 9])
    faces = 0.5 * _rows("happiness", "happiness", "fear", "fear") + 0.5 * _rows(*["surprise"] * 4)
    answer = compound_expressions(frames, faces, EXPRESSIONS, np.arange(-2, 12), half_width=0)
    # Frames -2 to 4 are nearer to frame 1, frames 5 to 11 to frame 8.
    assert answer.tolist() == [1] * 7 + [0] * 7
    with pytest.raises(ConfigError, match="consecutive"):
        compound_expressions(frames, faces, EXPRESSIONS, frames)


def test_divergence_agrees_with_scipy() -> None:
    classes = np.random.default_rng(1).integers(0, 7, 300)
    expected = stats.entropy(np.bincount(classes, minlength=7), COMPOUND_COUNTS)
    assert frequency_divergence(classes) == pytest.approx(expected, abs=1e-12)
    assert frequency_divergence([1, 1]) == pytest.approx(-np.log(24915 / sum(COMPOUND_COUNTS)), abs=1e-12)


def test_the_system_closest_to_the_known_frequencies_is_chosen() -> None:
    rng = np.random.default_rng(2)
    alike = rng.choice(7, 2000, p=np.array(COMPOUND_COUNTS) / sum(COMPOUND_COUNTS))
    name, divergences = choose_by_frequencies({"one-sided": np.ones(9, int), "alike": alike})
    assert name == "alike"
    assert divergences["alike"] < 0.02 < divergences["one-sided"]


def test_geometric_and_harmonic_means_by_scipy() -> None:
    from scipy.stats import gmean, hmean

    probabilities = np.random.default_rng(5).dirichlet(np.ones(8), 30)
    pairs = [[HSE.index(name) for name in pair] for pair in COMPOUND_PAIRS]
    for mean, reference in (("geometric", gmean), ("harmonic", hmean)):
        expected = np.stack([reference(probabilities[:, pair], axis=1) for pair in pairs], axis=1)
        assert compound_scores(probabilities, HSE, mean=mean) == pytest.approx(expected, abs=1e-12)
    sure = np.eye(8)[[HSE.index("neutral")]]
    assert not compound_scores(sure, HSE, mean="harmonic").any()  # of two zeros
    with pytest.raises(ConfigError, match="mean must be one of arithmetic, geometric, harmonic"):
        compound_scores(probabilities, HSE, mean="quadratic")
