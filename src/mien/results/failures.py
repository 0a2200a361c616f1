# SPDX-License-Identifier: Apache-2.0
"""``failures.csv``: which inputs of a folder of tables could not be read, or not wholly, and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from mien.core import OutputError
from mien.results.durable import durable_file, output_errors
from mien.results.manifest import InputFailure, InputRecord

FAILURES_NAME = "failures.csv"
"""Name of the file in a folder of tables."""

PARTLY_DECODED = "PartlyDecoded"
"""In the column ``error`` where there is a table, but not of everything that the input holds."""

_HEADER = ("source", "error", "message")


@dataclass(frozen=True)
class FailureRow:
    """One line of the file.

    Attributes:
        source: the input as the caller named it.
        error: class of the error, or `PARTLY_DECODED`.
        message: why, for people.
    """

    source: str
    error: str
    message: str


def failure_rows(failures: Iterable[InputFailure], records: Iterable[InputRecord]) -> list[FailureRow]:
    """What there is to say of the inputs of a run; one row for an input that failed and gave some rows before."""
    rows = {failure.path: FailureRow(failure.path, failure.error, failure.reason) for failure in failures}
    for record in records:
        if not record.whole and record.path not in rows:
            lost = f"{record.n_frames_lost} of {record.n_frames_decoded + record.n_frames_lost} frames lost"
            message = "; ".join([*([lost] if record.n_frames_lost else []), *record.messages[:1]])
            rows[record.path] = FailureRow(record.path, PARTLY_DECODED, message)
    return list(rows.values())


def read_failures(folder: Path) -> list[FailureRow]:
    """The rows of the file in a folder; none if there is no such file.

    Raises:
        OutputError: a file of that name is not mien's, so that it must not be replaced, or cannot be read.
    """
    path = folder / FAILURES_NAME
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    header, *rows = csv.reader(io.StringIO(text, newline="")) or [[]]
    if tuple(header) != _HEADER or any(len(row) != len(_HEADER) for row in rows):
        raise OutputError(f"{path} is not mien's list of failures; move it, or choose another folder")
    return [FailureRow(*row) for row in rows]


def update_failures(folder: Path, new: Iterable[FailureRow], done: Collection[str]) -> Path | None:
    """Bring the file up to date after a run; without rows it is removed.

    Rows of earlier runs stay where they are still true: the input was not part of this run and is still there.

    Args:
        folder: of the tables.
        new: what this run says.
        done: the inputs that this run has dealt with, well or badly, as the caller named them.

    Returns:
        The file's path; None if there is nothing to tell.

    Raises:
        OutputError: it cannot be written, or a file of that name is not mien's.
    """
    path = folder / FAILURES_NAME
    older = [row for row in read_failures(folder) if row.source not in done and Path(row.source).exists()]
    rows = [*older, *new]
    with output_errors(path, "check that the folder may be written to"):
        if not rows:
            path.unlink(missing_ok=True)
            return None
        text = io.StringIO(newline="")
        csv.writer(text).writerows([_HEADER, *((row.source, row.error, row.message) for row in rows)])
        folder.mkdir(parents=True, exist_ok=True)
        with durable_file(path) as file:
            file.write(text.getvalue().encode("utf-8", "surrogateescape"))
    return path
