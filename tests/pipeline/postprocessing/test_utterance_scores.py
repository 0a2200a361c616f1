# SPDX-License-Identifier: Apache-2.0
"""Utterances are scored row by row; a bad row is blank and says why, and costs no other row."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("onnx", reason="makes a small graph: pip install 'mien[test]'")

from mien.affect import UtteranceModel
from mien.core import ConfigError, DatasetError, InputError, ModelError
from mien.pipeline import score_utterances, write_utterance_features
from tests.helpers.small_sequences import write_small_sequence


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_small_sequence(tmp_path / "sums")
    return tmp_path / "sums"


def test_rows_have_the_predictions_of_the_model(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    path = tmp_path / "talk.csv"
    path.write_text("id,text,audio\nu1,yes,a.npy\nu2,no,\nu3,,a.npy\n")
    scores = score_utterances(path, model, tmp_path / "new" / "scores.parquet")
    expected = UtteranceModel(model).predict(["yes", "no", ""], {"audio": [np.ones((2, 2)), None, np.ones((2, 2))]})
    table = pq.read_table(tmp_path / "new" / "scores.parquet")
    assert table.column_names == [
        "id", "place", "modalities", "emotion_joy", "emotion_fear", "sentiment", "problem",
    ]  # fmt: skip
    assert table["id"].to_pylist() == ["u1", "u2", "u3"]
    assert table["modalities"].to_pylist() == ["text|audio", "text", "audio"]
    for name, values in expected.items():
        np.testing.assert_allclose(table[name].to_numpy(), values, atol=1e-6)
    assert (scores.n_scored, scores.problems, scores.notes) == (3, (), ())


def test_bad_rows_are_blank_and_named(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.ones((2, 5)))
    np.save(tmp_path / "nan.npy", np.full((2, 2), np.nan))
    path = tmp_path / "talk.csv"
    path.write_text("text,audio\nyes,wide.npy\nno,nan.npy\n,\nfine,\nwell,gone.npy\n")
    scores = score_utterances(path, model)
    alone = UtteranceModel(model).predict(["fine"], {"audio": [None]})["sentiment"][0]
    assert scores.table["sentiment"].to_pylist() == [None, None, None, pytest.approx(float(alone)), None]
    problems = scores.table["problem"].to_pylist()
    assert problems[0] == "talk.csv, line 2: audio must be a sequence (T, 2) with at least one step, got (2, 5)"
    assert "nan.npy" in problems[1]
    assert "not finite in step 1; it is of talk.csv, line 3" in problems[1]
    assert problems[2] == "talk.csv, line 4: the utterance is empty: it has no word and no features"
    assert problems[3] is None
    assert "gone.npy: no such file; talk.csv, line 6 needs it" in problems[4]
    assert (scores.n_scored, len(scores.problems)) == (1, 4)


def test_a_modality_that_the_table_lacks_is_noted(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "talk.tsv"
    path.write_text("text\tmood\nyes, really\t?\n")
    scores = score_utterances(path, model)
    assert scores.notes == ("talk.tsv has no audio: every utterance is read without it",)
    assert scores.table["modalities"].to_pylist() == ["text"]


def test_what_cannot_be_done_is_refused_and_nothing_is_written(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "talk.csv"
    path.write_text('text\n" "\n')
    with pytest.raises(ConfigError, match="same file"):
        score_utterances(path, model, path)
    with pytest.raises(ConfigError, match="docx"):
        score_utterances(path, model, tmp_path / "scores.docx")
    with pytest.raises(ModelError, match=r"sequence\.json"):
        score_utterances(path, tmp_path / "none")
    assert score_utterances(path, model, tmp_path / "scores.csv").n_scored == 0
    assert not (tmp_path / "scores.csv").exists()
    with pytest.raises(DatasetError, match="no such file"):
        score_utterances(tmp_path / "gone.csv", model)
    with pytest.raises(InputError, match="no feature vectors here"):
        write_utterance_features(tmp_path, tmp_path / "out")
