# SPDX-License-Identifier: Apache-2.0
"""Blends of scores on probabilities and logits, of models that do not know every row, and their weights."""

import numpy as np
import pytest

from mien.core import ConfigError
from mien.evaluation.challenge.blending import blend_scores, complete_weights


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_lsd_blends_logits_of_the_six_shared_columns() -> None:
    """Recipe 1b: w of the eight logits restricted to six columns, 1 - w of the fine-tuned ones, then argmax."""
    rng = np.random.default_rng(0)
    eight, six = rng.normal(size=(200, 8)) * 3, rng.normal(size=(200, 6)) * 3
    columns = [0, 2, 3, 4, 6, 7]
    reference = 0.3 * eight[:, columns] + 0.7 * six
    got = blend_scores([_softmax(eight)[:, columns], _softmax(six)], (0.3, 0.7), "expr", "logits")
    assert got == pytest.approx(_softmax(reference), abs=1e-9)
    on_probabilities = blend_scores([_softmax(eight)[:, columns], _softmax(six)], (0.3, 0.7), "expr", "probabilities")
    assert (on_probabilities.argmax(axis=1) != reference.argmax(axis=1)).any()


def test_units_are_blended_on_their_own_logits_and_values_as_they_are() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 50, 12))
    got = blend_scores([1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second))], (0.4, 0.6), "au", "logits")
    assert got == pytest.approx(1 / (1 + np.exp(-(0.4 * first + 0.6 * second))), abs=1e-9)
    assert blend_scores([first, second], (0.4, 0.6), "va", "logits") == pytest.approx(0.4 * first + 0.6 * second)


def test_a_model_that_does_not_know_a_row_leaves_it_to_the_others() -> None:
    first, second = np.array([[0.2], [0.2], [np.nan]]), np.array([[0.8], [np.nan], [np.nan]])
    got = blend_scores([first, second], (0.25, 0.75), "au", "probabilities")
    assert got[:2, 0].tolist() == pytest.approx([0.65, 0.2])
    assert np.isnan(got[2, 0])  # nobody knows
    # Without a weight of its own, the only model that knows the row still decides it.
    assert blend_scores([first, second], (0.0, 1.0), "au", "probabilities")[1, 0] == pytest.approx(0.2)


@pytest.mark.parametrize("on", ["probabilities", "logits"])
def test_a_class_that_no_model_knows_is_never_predicted(on: str) -> None:
    first, second = np.array([[0.7, 0.3, np.nan]]), np.array([[0.4, 0.6, np.nan]])
    got = blend_scores([first, second], (0.5, 0.5), "expr", on)
    assert got[0, 2] == 0
    assert got[0, 0] > got[0, 1] > 0
    units = blend_scores([first, second], (0.5, 0.5), "au", on)
    assert units[0, 2] == 0
    assert 0.4 < units[0, 0] < 0.7


def test_weights_are_completed_or_refused() -> None:
    assert complete_weights({"va": (0.8,), "au": (0.5, 0.5)}, 2, ()) == {"va": (0.8, 0.2), "au": (0.5, 0.5)}
    assert complete_weights("bundle", 2, [{"va": 0.8}, {"va": 0.1}]) == {"va": (0.8, 0.2)}
    assert complete_weights({}, 3, ()) == {}
    for weights, n in (({"va": (0.8,)}, 3), ({"va": (0.6, 0.6)}, 2), ({"va": (-0.2, 1.2)}, 2), ({"va": (1.5,)}, 2)):
        with pytest.raises(ConfigError, match="sum to 1"):
            complete_weights(weights, n, ())
    for n, named in ((2, [{}, {}]), (3, [{"va": 0.8}, {}, {}])):
        with pytest.raises(ConfigError, match="names the weights"):
            complete_weights("bundle", n, named)
