# SPDX-License-Identifier: Apache-2.0
"""Tables of utterances to score: columns, files, lists of vectors, and the place of everything that is wrong."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import DatasetError
from mien.datasets import read_utterance_table


def write(folder: Path, text: str, name: str = "talk.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_texts_and_files_of_a_column(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(3, 2))
    path = write(tmp_path, 'ID,Text,Audio,mood\nu1,"Well, yes.",a.npy,?\nu2,no,,?\n')
    table = read_utterance_table(path, ["audio"])
    assert (table.ids, table.texts) == (("u1", "u2"), ("Well, yes.", "no"))
    assert table.places == ("talk.csv, line 2", "talk.csv, line 3")
    assert table.problems == ("", "")
    assert table.features["audio"][1] is None
    np.testing.assert_array_equal(table.features["audio"][0], np.arange(6.0).reshape(3, 2))  # type: ignore[arg-type]
    assert table.absent == ()


def test_lines_are_those_of_the_file_where_a_text_has_several(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufefftext\r\n"one\r\n\r\ntwo"\r\nthree\r\n')
    table = read_utterance_table(path, [])
    assert table.places == ("talk.csv, line 2", "talk.csv, line 5")
    assert table.texts[1] == "three"
    assert table.ids == ("1", "2")


def test_the_layout_of_a_training_set_is_read(tmp_path: Path) -> None:
    (tmp_path / "features" / "audio").mkdir(parents=True)
    np.save(tmp_path / "features" / "audio" / "u1.npy", np.ones((2, 3)))
    path = write(tmp_path, "id,text,missing\nu1,yes,\nu2,no,audio\nu3,well,\n../u1,x,\n", "utterances.csv")
    table = read_utterance_table(path, ["audio", "vision"])
    assert [values is None for values in table.features["audio"]] == [False, True, True, True]
    assert table.problems[1] == ""
    assert "no such file; utterances.csv, line 4 needs it" in table.problems[2]
    assert "is no name of a file" in table.problems[3]
    assert table.absent == ("vision",)


def test_parquet_holds_vectors(tmp_path: Path) -> None:
    path = tmp_path / "talk.parquet"
    cells = [[[1.0, 2.0], [3.0, 4.0]], None, [[1.0], [2.0, 3.0]], [[5.0, 6.0]]]
    pq.write_table(pa.table({"text": ["a", "b", "c", None], "audio": cells}), path)
    table = read_utterance_table(path, ["audio"])
    assert table.texts == ("a", "b", "c", "")
    np.testing.assert_array_equal(table.features["audio"][0], [[1, 2], [3, 4]])  # type: ignore[arg-type]
    assert table.features["audio"][1] is None
    assert table.problems[2] == "talk.parquet, row 3: audio must be a list of vectors of one length"
    pq.write_table(pa.table({"audio": [[[1e300, 1.0]], [[1.0, float("nan")]], [[1.0, 2.0]]]}), path)
    message = "talk.parquet, row {}: audio has a value that is not finite in step 1"
    assert read_utterance_table(path, ["audio"]).problems == (message.format(1), message.format(2), "")
    one = tmp_path / "vectors.parquet"
    pq.write_table(pa.table({"audio": [[5.0, 6.0]]}), one)
    np.testing.assert_array_equal(read_utterance_table(one, ["audio"]).features["audio"][0], [[5, 6]])  # type: ignore[arg-type]


def test_bad_files_are_problems_of_their_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "nan.npy", np.array([[1.0, np.nan]]))
    np.save(tmp_path / "flat.npy", np.ones(4))
    (tmp_path / "text.npy").write_text("hello")
    path = write(tmp_path, "text,audio\na,nan.npy\nb,flat.npy\nc,text.npy\nd,gone.npy\ne,\n")
    problems = read_utterance_table(path, ["audio"]).problems
    assert [("talk.csv, line" in text) for text in problems] == [True, True, True, True, False]
    for text, expected in zip(
        problems, ("not finite in step 1", "(T, n)", "no NumPy file", "no such file"), strict=False
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "text\n", "has no row"),
        ("a.csv", "words\nyes\n", "has none of the columns text, audio; it has words"),
        ("a.csv", "text,mood\nyes\n", r"a\.csv, line 2: has 1 fields instead of 2"),
        ("a.csv", "text,Text\nyes,no\n", "the column text occurs twice"),
        ("a.csv", 'text\n"yes\n', r"a\.csv, line 2: is no table of fields"),
        ("a.xls", "text\nyes\n", r"ends with \.csv, \.tsv, \.parquet; got \.xls"),
        ("a.parquet", "text\nyes\n", "is no Parquet file"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_utterance_table(write(tmp_path, text, name), ["audio"])


def test_bytes_that_are_no_text_and_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text\nyes\ncaf\xe9\n")
    with pytest.raises(DatasetError, match=r"a\.csv, line 3: byte 0xe9 is not UTF-8"):
        read_utterance_table(tmp_path / "a.csv", [])
    for name in ("gone.csv", "gone.parquet"):
        with pytest.raises(DatasetError, match="no such file"):
            read_utterance_table(tmp_path / name, [])


def test_a_model_of_features_alone_needs_no_text(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 2)))
    table = read_utterance_table(write(tmp_path, "audio\na.npy\n"), ["audio"], reads_text=False)
    assert table.texts == ("",)
    assert table.features["audio"][0] is not None
