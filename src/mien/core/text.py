# SPDX-License-Identifier: Apache-2.0
"""Text from files and from other people made safe to print."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from html import escape

# Controls, format characters such as those that turn the direction of text, surrogates, and separators of lines.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joins the parts of an emoji or of a letter and changes nothing else.
_HARMLESS = frozenset("\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}")


def printable(text: str, *, keep: str = "", limit: int | None = None) -> str:
    r"""Text for a terminal: characters that a terminal would obey become visible escapes.

    Names of files, of sources in a table and of persons come from elsewhere; an escape sequence in one could clear the
    screen, change the window's title or hide what was printed before.

    Args:
        text: Text of any origin.
        keep: Unsafe characters that stay, such as a line feed of our own messages.
        limit: Highest number of characters of the result; the middle of a longer text is left out. None for no limit.

    Examples:
        >>> print(printable("clip\x1b[2J.mp4"))
        clip\x1b[2J.mp4
        >>> printable("a" * 30, limit=11)
        'aaaaa…aaaaa'
    """
    safe = "".join(_escaped(sign, keep) for sign in text) if not text.isprintable() else text
    if limit is not None and len(safe) > limit:
        half = (limit - 1) // 2
        safe = f"{safe[: limit - 1 - half]}\N{HORIZONTAL ELLIPSIS}{safe[len(safe) - half :]}"
    return safe


def _escaped(sign: str, keep: str) -> str:
    if sign in keep or sign in _HARMLESS or unicodedata.category(sign) not in _UNSAFE:
        return sign
    return sign.encode("unicode_escape").decode("ascii")


def counted(n: int, noun: str) -> str:
    """A number with its noun: ``1 face``, ``2 faces``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def html_table(header: Iterable[str], rows: Iterable[Iterable[float | str | None]]) -> str:
    """A table for notebooks; what is not known is an empty cell.

    Args:
        header: Names of the columns.
        rows: Values of every row.

    Examples:
        >>> html_table(["face"], [[1.23456], ["<b>"], [None]]).partition("<tbody>")[2]
        '<tr><td>1.23</td></tr><tr><td>&lt;b&gt;</td></tr><tr><td></td></tr></tbody></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_html_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_cell(value: float | str | None) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else escape(str(value))
