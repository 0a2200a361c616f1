# SPDX-License-Identifier: Apache-2.0
"""Text that a terminal would obey becomes visible."""

import pytest

from mien.core import counted, html_table, printable


@pytest.mark.parametrize("sign", ["\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2028", "\udce9", "\0"])
def test_signs_that_a_terminal_obeys(sign: str) -> None:
    safe = printable(f"a{sign}b")
    assert safe.isprintable()
    assert safe.startswith("a\\")


def test_what_stays() -> None:
    assert printable("été 日本 😀 ' =") == "été 日本 😀 ' ="
    assert printable("one\ntwo\x1b", keep="\n") == "one\ntwo\\x1b"
    assert len(printable("x" * 500, limit=20)) == 20


@pytest.mark.parametrize(("n", "words"), [(0, "0 faces"), (1, "1 face"), (2, "2 faces")])
def test_counts_in_words(n: int, words: str) -> None:
    assert counted(n, "face") == words


def test_a_table_for_notebooks_escapes_names_and_leaves_the_unknown_empty() -> None:
    html = html_table(["a<b"], [["<script>"], [None], [0.98765], [7]])
    assert "<th>a&lt;b</th>" in html
    assert "<td>&lt;script&gt;</td>" in html
    assert html.count("<tr>") == 5
    assert "<td></td>" in html
    assert "<td>0.988</td>" in html
    assert "<td>7</td>" in html
