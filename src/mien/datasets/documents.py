# SPDX-License-Identifier: Apache-2.0
"""Annotation files as bytes that can be trusted: UTF-8, one newline per line, no blank lines, a known header."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from mien.datasets.problems import AnnotationError

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class Document:
    r"""The text of an annotation file.

    Attributes:
        path: of the file, for messages.
        content: UTF-8 with ``\n`` between lines; no byte-order mark, no blank line, at least one line.
    """

    path: Path
    content: bytes

    def line(self, number: int) -> str:
        """Line ``number``, from 1."""
        return self.content.split(b"\n", number)[number - 1].decode()

    def header(self) -> tuple[str, ...]:
        """The comma-separated names of the first line, without spaces around them."""
        return tuple(name.strip() for name in split_line(self.line(1), delimiter=",", quoted=True))


def load_document(path: Path) -> Document:
    """Read an annotation file as Python's text mode would: any kind of line end, with or without byte-order mark.

    Blank lines at the end are dropped. One between others is refused: line i is frame i, so tools that skip it and
    tools that stop at it would disagree about every frame after it.

    Raises:
        AnnotationError: the file is missing, unreadable, empty, not UTF-8, or has a blank line between others.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AnnotationError(path, "no such file") from None
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error.strerror})") from error
    if content.startswith(_UTF16_MARKS):
        raise AnnotationError(path, "is UTF-16; save it as UTF-8", line=1)
    content = content.removeprefix(_UTF8_MARK).replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip()
    if not content:
        raise AnnotationError(path, "is empty")
    _check_text(path, content)
    blank = _first_blank_line(content)
    if blank is not None:
        raise AnnotationError(path, "is blank; lines are counted as frames, so delete it or fill it in", line=blank)
    return Document(path, content)


def split_line(line: str, *, delimiter: str, quoted: bool) -> list[str]:
    """The fields of one line, with their spaces."""
    if quoted and '"' in line:
        return next(csv.reader([line], delimiter=delimiter))
    return line.split(delimiter)


def _check_text(path: Path, content: bytes) -> None:
    zero = content.find(b"\0")
    if zero >= 0:
        raise AnnotationError(path, "has a zero byte; it is no text file", line=_line_of(content, zero))
    if content.isascii():
        return
    try:
        content.decode()
    except UnicodeDecodeError as error:
        reason = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise AnnotationError(path, reason, line=_line_of(content, error.start)) from None


def _line_of(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


def _first_blank_line(content: bytes) -> int | None:
    """Number of the first line without anything but spaces, None where there is none."""
    lines = content.split(b"\n") if _may_have_blank_line(content) else []
    return next((number for number, line in enumerate(lines, start=1) if not line.strip()), None)


def _may_have_blank_line(content: bytes) -> bool:
    """False only where no line can be blank; a test that costs nothing beside splitting a million lines."""
    return content[:1].isspace() or b"\n\n" in content or b"\n " in content or b"\n\t" in content
