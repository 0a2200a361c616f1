# SPDX-License-Identifier: Apache-2.0
"""The three text sets become folders of utterances, and planted signals say the emotion."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.claims.utterance_tables import plant_features, write_tables
from mien.core import DatasetError
from mien.datasets import load_utterances


def write_texts(folder: Path) -> Path:
    (folder / "goemotions_ekman_labels.txt").write_text("anger\njoy")
    (folder / "goemotions_ekman_train.tsv").write_text(
        "".join(f"so, good {i}\t{i % 2}\tt{i}\n" for i in range(6)) + "both\t0,1\tb\n"
    )
    (folder / "goemotions_ekman_dev.tsv").write_text("fine\t1\td1\nbad\t0\td2\n")
    (folder / "emobank.csv").write_text(
        'id,split,V,A,D,text\na,train,5.0,3,3,"He said ""yes"", then"\nb,dev,1,3,3,no\nc,test,3,3,3,x\n'
    )
    items = {
        f"{number}": {"utterance": f"right {number}", "speaker": speaker, "sarcasm": number % 2 == 0}
        for number, speaker in enumerate(["CHANDLER", "PENNY", "LEONARD", "ROSS"])
    }
    (folder / "mustard.json").write_text(json.dumps(items))
    return folder


def test_labels_and_splits(tmp_path: Path) -> None:
    write_tables(write_texts(tmp_path), tmp_path / "out", n_train=5, n_valid=1, seed=1)
    emotions = load_utterances(tmp_path / "out" / "goemotions", "train")
    assert len(emotions) == 5
    assert emotions.emotion_labels == ("anger", "joy")
    assert len(load_utterances(tmp_path / "out" / "goemotions", "valid")) == 1
    tone = load_utterances(tmp_path / "out" / "emobank", "train")
    assert (tone.texts, tone.sentiment.tolist()) == (("He said 'yes', then",), [1.0])
    assert load_utterances(tmp_path / "out" / "emobank", "valid").sentiment.tolist() == [-1.0]
    parts = [load_utterances(tmp_path / "out" / "mustard", split).groups() for split in ("train", "valid")]
    assert parts == [{"PENNY", "ROSS"}, {"CHANDLER", "LEONARD"}]


def test_planted_signals(tmp_path: Path) -> None:
    write_tables(write_texts(tmp_path), tmp_path / "out", n_train=7, n_valid=2, seed=1)
    folder = tmp_path / "out" / "goemotions"
    plant_features(folder, [("audio", 4)], strength=40.0, seed=1)
    samples = load_utterances(folder, "train")
    means = np.stack([np.load(files[0]).mean(axis=0) for files in samples.files if files[0] is not None])
    alone = samples.emotions.sum(axis=1) == 1
    anger = means[alone & (samples.emotions[:, 0] == 1)].mean(axis=0)
    joy = means[alone & (samples.emotions[:, 1] == 1)].mean(axis=0)
    assert np.linalg.norm(anger - joy) > 10


def test_a_set_without_a_split_is_refused(tmp_path: Path) -> None:
    write_texts(tmp_path)
    (tmp_path / "goemotions_ekman_dev.tsv").write_text("")
    with pytest.raises(DatasetError, match="goemotions has no utterances of one of the splits"):
        write_tables(tmp_path, tmp_path / "out", n_train=5, n_valid=1, seed=1)
