# SPDX-License-Identifier: Apache-2.0
"""Folders of utterances: any subset of labels, and every slip with its file and row."""

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import AnnotationError, check_dataset, create_example, load_utterances


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_example("utterances", tmp_path)
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "utterances.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_labels_are_any_subset(folder: Path) -> None:
    train = load_utterances(folder, "train")
    assert train.emotion_labels == ("joy", "sadness")
    assert train.emotions.tolist() == [[1, 1], [1, 0], [0, 1]]
    assert train.sentiment.tolist() == [0.5, 0.75, -0.5]
    assert np.isnan(train.sarcasm[1])
    assert train.texts[2] == "No, not again"
    assert [files[1] is None for files in train.files] == [False, False, True]
    test = load_utterances(folder, "test")
    assert [rows.any() for rows in test.known.values()] == [False, False, False]
    assert check_dataset("utterances", folder).complete


def test_text_alone_needs_no_features_and_no_further_columns(tmp_path: Path) -> None:
    (tmp_path / "utterances.csv").write_text("id,split,text,sarcasm\na,train,Oh great,1\n")
    samples = load_utterances(tmp_path, "train")
    assert (samples.modalities, samples.emotion_labels, samples.speakers) == ((), (), ("a",))
    with pytest.raises(AnnotationError, match=r"utterances.csv has no row of the split 'valid'"):
        load_utterances(tmp_path, "valid")
    (tmp_path / "utterances.csv").write_text("id,split,text,sarcasm\na,train,Oh great,1\nb,valid,no,0\n")
    assert check_dataset("utterances", tmp_path).complete  # the test split is optional


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("u2,train,ann,I like it", "u1,train,ann,I like it", "line 3, field 1: id 'u1' is listed before"),
        ("u2,train", "../u2,train", "is no name of a file"),
        ("u2,train", "u2,dev", "line 3, field 2: split 'dev' is none of train, valid, test"),
        ("joy,0.75", "joy,1.75", r"sentiment '1.75' is not in \[-1, 1\]"),
        ("0.5,1,", "0.5,0.5,", "sarcasm '0.5' is neither 0 nor 1"),
        ("0.5,1,", "0.5,yes,", "sarcasm 'yes' is not a finite number"),
        (",vision", ",smell", "line 4, field 8: missing 'smell' names no folder of"),
        (
            '"No, not again",sadness,-0.5,0,vision',
            ",sadness,-0.5,0,audio|vision",
            "line 4, field 4: text '' is an",
        ),
        (",vision", ",", r"vision/u3.npy: no such file; utterances.csv, line 4 needs it, or names its modality"),
        ("id,split", "name,split", r"columns \['id'\] are missing"),
    ],
)
def test_slips_of_the_table_have_a_place(folder: Path, old: str, new: str, message: str) -> None:
    change(folder, old, new)
    with pytest.raises(AnnotationError, match=message):
        load_utterances(folder, "train")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.array([[1.0, np.nan, 0, 0]]),
            "u2.npy: has a value that is not finite in step 1; it is of utterances.csv",
        ),
        (np.array([[1.0, 0, 1e300, 0]]), "u2.npy: has a value that is not finite in step 1"),
        (
            np.zeros((4, 3)),
            "u2.npy: has vectors of length 3, audio of utterances.csv, line 2 has 4",
        ),
        (np.zeros((0, 4)), r"must be a sequence \(T, n\) with at least one step, got \(0, 4\)"),
        (np.zeros(4), r"must be a sequence \(T, n\) with at least one step, got \(4,\)"),
        (np.array([["a"]]), "must hold numbers"),
    ],
)
def test_slips_of_features_have_a_file_and_a_row(folder: Path, values: np.ndarray, message: str) -> None:
    np.save(folder / "features" / "audio" / "u2.npy", values)
    with pytest.raises(AnnotationError, match=message):
        load_utterances(folder, "train")
    report = check_dataset("utterances", folder)
    assert not report.complete


def test_vectors_of_another_split_have_the_same_length(folder: Path) -> None:
    """Train would have found it, check did not."""
    for path in (folder / "features" / "audio").iterdir():
        if path.stem not in ("u1", "u2", "u3"):
            np.save(path, np.zeros((2, 9), np.float32))
    assert load_utterances(folder, "train").names == ("u1", "u2", "u3")
    with pytest.raises(
        AnnotationError, match=r"has vectors of length 9, audio of utterances\.csv, line 2 has 4; utter"
    ):
        load_utterances(folder, "valid")
    assert not check_dataset("utterances", folder).complete


def test_a_file_that_is_no_array_is_named(folder: Path) -> None:
    (folder / "features" / "audio" / "u1.npy").write_bytes(b"nothing")
    with pytest.raises(AnnotationError, match="is no NumPy file that can be read"):
        load_utterances(folder, "train")
    with pytest.raises(AnnotationError, match="have the splits train, valid, test, not 'dev'"):
        load_utterances(folder, "dev")


def test_a_header_that_does_not_end_is_named(folder: Path) -> None:
    """NumPy reads such a header as one of Python 2 and ends in an error of the tokenizer."""
    path = folder / "features" / "audio" / "u1.npy"
    path.write_bytes(path.read_bytes().replace(b"}  ", b"} (", 1))
    with pytest.raises(AnnotationError, match="is no NumPy file that can be read"):
        load_utterances(folder, "train")
