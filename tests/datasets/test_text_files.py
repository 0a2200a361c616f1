# SPDX-License-Identifier: Apache-2.0
"""Delimited text, fast where it is regular and exact where it is not."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.datasets import AnnotationError
from mien.datasets.text_files import Document, Field, load_document, read_named, read_rows

NUMBER = st.floats(allow_nan=False, allow_infinity=False).flatmap(
    lambda x: st.sampled_from([repr(x), f"{x:.3f}", f"{x:+.6e}", f" {x!r} ", str(int(x)) if abs(x) < 1e15 else repr(x)])
)


def _document(text: str) -> Document:
    return Document(Path("file.txt"), text.encode())


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=20))
def test_numbers_are_those_of_python(rows: list[tuple[str, str]]) -> None:
    document = _document("a,b\n" + "\n".join(f"{a},{b}" for a, b in rows))
    table = read_rows(document, [Field("a"), Field("b")])
    np.testing.assert_array_equal(table.numbers(("a", "b")), [[float(a), float(b)] for a, b in rows])


NAME = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8)


@given(st.lists(st.tuples(NAME, st.integers(-9, 9)), min_size=1, max_size=20))
def test_quoted_text_is_that_of_the_csv_module(rows: list[tuple[str, int]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("name", "n"), *rows])
    table = read_named(_document(text.getvalue().rstrip("\n")), [Field("n"), Field("name", "text")])
    assert [name.strip() for name, _ in rows] == [name.strip() for name in table.texts("name").to_pylist()]
    assert table.numbers(("n",))[:, 0].tolist() == [n for _, n in rows]


@pytest.mark.parametrize("row", [0, 4095, 4096, 9_000, 9_999])
def test_the_place_is_exact_wherever_the_fault_is(row: int) -> None:
    lines = [f"v{i},{i}" for i in range(10_000)]
    lines[row] = "v,none"
    with pytest.raises(AnnotationError, match="'none'") as caught:
        read_rows(_document("\n".join(["name,n", *lines])), [Field("name", "text"), Field("n")])
    assert (caught.value.line, caught.value.field) == (row + 2, 2)


@pytest.mark.parametrize("row", [0, 4095, 4096, 9_999])
def test_an_unusual_number_changes_nothing_else(row: int) -> None:
    lines = [f"v{i},{i}" for i in range(10_000)]
    lines[row] = f"v{row},+{row}"
    table = read_rows(_document("\n".join(["name,n", *lines])), [Field("name", "text"), Field("n")])
    np.testing.assert_array_equal(table.numbers(("n",))[:, 0], np.arange(10_000))
    assert table.texts("name")[row].as_py() == f"v{row}"
    assert len(table.texts("name")) == len(table) == 10_000


def test_blanks_are_allowed_only_where_they_are() -> None:
    fields = [Field("a"), Field("b", "blank_or_number")]
    table = read_rows(_document("a,b\n1,\n2,3"), fields)
    np.testing.assert_array_equal(table.numbers(("b",))[:, 0], [np.nan, 3])
    with pytest.raises(AnnotationError, match="line 3, field 1"):
        read_rows(_document("a,b\n1,\n,3"), fields)
    with pytest.raises(AnnotationError, match="line 2, field 2"):
        read_rows(_document("a,b\n1,inf\n2,3"), fields)
    for blank in ("NULL", "nan", "NaN", "N/A", " "):
        table = read_rows(_document(f"a,b\n1,{blank}\n2,+3"), fields)
        np.testing.assert_array_equal(table.numbers(("b",))[:, 0], [np.nan, 3])
        with pytest.raises(AnnotationError, match="line 2, field 1"):
            read_rows(_document(f"a,b\n{blank},1\n2,3"), fields)


def test_columns_that_are_not_asked_for_may_hold_anything() -> None:
    table = read_named(_document('x,a,x,\n"1,2",3,?,\n,4,,'), [Field("a")])
    assert table.numbers(("a",))[:, 0].tolist() == [3, 4]


def test_a_column_that_is_asked_for_must_be_there_once() -> None:
    with pytest.raises(AnnotationError, match="twice"):
        read_named(_document("a,a\n1,2"), [Field("a")])
    with pytest.raises(AnnotationError, match="missing"):
        read_named(_document("a,b\n1,2"), [Field("c")])


def test_classes_are_whole_and_in_range() -> None:
    table = read_rows(_document("a\n3.0\n-1"), [Field("a")])
    assert table.classes("a", low=-1, high=3).tolist() == [3, -1]
    with pytest.raises(AnnotationError, match=r"line 2, field 1: a '3\.0' is not in -1 to 2"):
        table.classes("a", low=-1, high=2)


@pytest.mark.parametrize("content", [b"a\nb\nc", b"a\r\nb\r\nc\r\n", b"a\rb\rc", b"\xef\xbb\xbfa\nb\nc\n \n\t\n"])
def test_documents_are_the_same_whatever_ends_their_lines(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    document = load_document(path)
    assert [document.line(number) for number in (1, 2, 3)] == ["a", "b", "c"]
    assert document.content == b"a\nb\nc"


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="cannot be read"):
        load_document(tmp_path)
