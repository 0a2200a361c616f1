# SPDX-License-Identifier: Apache-2.0
"""What readers say when a data set folder is not as its owners describe it, and who hears it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mien.core import DatasetError


class AnnotationError(DatasetError):
    """Something in a data set folder is missing or malformed, at a known place.

    Args:
        path: the file or folder.
        reason: what is wrong and what was expected.
        line: of the file, from 1, the header counted.
        field: of the line, from 1.
    """

    def __init__(self, path: Path, reason: str, *, line: int | None = None, field: int | None = None) -> None:
        place = str(path)
        if line is not None:
            place += f", line {line}"
        if field is not None:
            place += f", field {field}"
        super().__init__(f"{place}: {reason}")
        self.path = path
        self.reason = reason
        self.line = line
        self.field = field


OnProblem = Callable[[AnnotationError], None]
"""Hears of every bad file; where it returns, the reader leaves that file out and goes on."""


def refuse(problem: AnnotationError) -> NoReturn:
    """The `OnProblem` of every reader unless another is given: the first problem ends the reading."""
    raise problem
