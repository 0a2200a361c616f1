# SPDX-License-Identifier: Apache-2.0
"""Utterances become vectors with masks, and a bundle scores them without torch."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="makes a small graph: pip install 'mien[test]'")

from mien.affect import UtteranceModel, hash_words, pack_utterances
from mien.core import InputError
from tests.helpers.small_sequences import MODALITIES, STEPS, write_small_sequence


def test_words_do_not_depend_on_case_or_apostrophes() -> None:
    assert hash_words("DON\u2019T", 1000) == hash_words("don't", 1000)
    assert len(hash_words("\U0001f602 well... (ok)", 1000)) == 6
    assert all(1 <= number <= 7 for number in hash_words("a b c d e f g h i j", 7))


def test_the_layout_of_an_utterance() -> None:
    sound = np.arange(4, dtype=np.float64).reshape(2, 2)
    packed = pack_utterances(["one two three four", ""], {"audio": [None, sound]}, MODALITIES, STEPS)
    assert packed.shape == (2, STEPS + STEPS * 3)
    assert packed[0].tolist() == [*hash_words("one two three", 50), *[0] * 9]
    assert packed[1].tolist() == [0, 0, 0, 0, 1, 2, 3, 0, 0, 1, 1, 0]


def test_a_longer_sequence_is_averaged_to_the_steps() -> None:
    sound = np.repeat(np.array([[1.0], [2.0], [3.0]]), 4, axis=0) * (1, 2)
    packed = pack_utterances([""], {"audio": [sound]}, MODALITIES, STEPS)[0, STEPS:]
    assert packed.tolist() == [1, 2, 2, 4, 3, 6, 1, 1, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), r"utterance 2: audio must be a sequence \(T, 2\) with at least one step, got \(2, 3\)"),
        (np.zeros((0, 2)), r"at least one step, got \(0, 2\)"),
        (np.zeros(2), r"got \(2,\)"),
        (np.array([[0, 1], [np.nan, 2]]), "utterance 2: audio has a value that is not finite in step 2"),
        (np.array([["a", "b"]]), "utterance 2: audio must hold numbers"),
    ],
)
def test_bad_features_are_named(values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pack_utterances(["yes", "no"], {"audio": [None, values]}, MODALITIES, STEPS)


def test_empty_and_missing_utterances_are_named() -> None:
    with pytest.raises(InputError, match="u2: the utterance is empty: it has no word and no features"):
        pack_utterances(["yes", "  "], {"audio": [None, None]}, MODALITIES, STEPS, ["u1", "u2"])
    with pytest.raises(InputError, match="the features of 'audio' are missing; give None for utterances without"):
        pack_utterances(["yes"], {}, MODALITIES, STEPS)
    with pytest.raises(InputError, match="audio has 2 sequences for 1 utterances"):
        pack_utterances(["yes"], {"audio": [None, None]}, MODALITIES, STEPS)


def test_a_bundle_scores_texts_and_features(tmp_path: Path) -> None:
    spec = write_small_sequence(tmp_path / "sums")
    model = UtteranceModel(tmp_path / "sums")
    assert model.columns == ("emotion_joy", "emotion_fear", "sentiment")
    texts, sound = ["yes"] * 300, [None, *[np.ones((2, 2))] * 299]
    found = model.predict(texts, {"audio": sound})
    total = pack_utterances(texts, {"audio": sound}, spec.modalities, spec.steps).sum(axis=1) * 0.01
    np.testing.assert_allclose(found["emotion_joy"], 1 / (1 + np.exp(-total)), atol=1e-6)
    np.testing.assert_allclose(found["sentiment"], np.clip(total, -1, 1), atol=1e-6)
    assert {len(values) for values in found.values()} == {300}
    assert {len(values) for values in model.predict([], {"audio": []}).values()} == {0}
