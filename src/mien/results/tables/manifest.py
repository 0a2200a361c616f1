# SPDX-License-Identifier: Apache-2.0
"""The run manifest (JSON beside a table) and ``failures.csv`` of a folder of tables."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from mien._version import __version__
from mien.core import ConfigError, InputError, OutputError
from mien.results.files import atomic_write, output_errors
from mien.results.tables.schema import SCHEMA_VERSION, with_current_keys

MANIFEST_VERSION = 2
"""Version of the manifest's own layout. Version 1, without ``complete``, ``error`` and ``stopped``, is read as well."""

_READABLE_VERSIONS = (1, MANIFEST_VERSION)


@dataclass(frozen=True, kw_only=True)
class InputRecord:
    """What became of one input.

    Attributes:
        path: the input as the caller named it.
        kind: ``"image"``, ``"video"`` or ``"camera"``.
        sha256: hex digest of the file; None for a camera.
        size_bytes: of the file; None for a camera.
        n_frames_decoded: frames that were read.
        n_frames_lost: frames that the file promised but that could not be decoded.
        n_rows: rows written to the table.
        n_faces: faces among them.
        messages: anything the user should know, one sentence each.
        complete: False where the file is cut off, so that it is not even known how many frames are missing.
    """

    path: str
    kind: str
    sha256: str | None
    size_bytes: int | None
    n_frames_decoded: int
    n_frames_lost: int
    n_rows: int
    n_faces: int
    messages: tuple[str, ...] = ()
    complete: bool = True

    @property
    def whole(self) -> bool:
        """Whether everything that the input holds was read."""
        return self.complete and not self.n_frames_lost


@dataclass(frozen=True, kw_only=True)
class InputFailure:
    """An input that gave no rows, or not all.

    Attributes:
        path: the input as the caller named it.
        reason: why, in a sentence for the user.
        error: class of the error.
    """

    path: str
    reason: str
    error: str = "InputError"


@dataclass(frozen=True, kw_only=True)
class RunManifest:
    """Everything needed to say where a table comes from, and to make it again.

    Attributes:
        bundle_name: the model bundle.
        bundle_sha256: hex digest of its weights.
        arguments: the run's arguments by name; any JSON values.
        started: when the run began, with a time zone.
        finished: when it ended, with a time zone.
        inputs: one record per input that was read, in order.
        failures: one record per input that could not be read.
        mien_version: of the mien that made the table.
        schema_version: of the table.
        stopped: whether the run was interrupted, so that the table ends early.
    """

    bundle_name: str
    bundle_sha256: str
    arguments: Mapping[str, Any]
    started: datetime
    finished: datetime
    inputs: tuple[InputRecord, ...] = ()
    failures: tuple[InputFailure, ...] = ()
    mien_version: str = __version__
    schema_version: int = SCHEMA_VERSION
    stopped: bool = False

    def __post_init__(self) -> None:
        for name in ("started", "finished"):
            if getattr(self, name).tzinfo is None:
                raise ConfigError(f"{name} needs a time zone; use datetime.now(UTC)")

    def save(self, table: str | Path) -> Path:
        """Writes the manifest beside a table, replacing an older one in one step.

        Args:
            table: the table that the manifest describes.

        Returns:
            The manifest's path, see `manifest_path`.

        Raises:
            ConfigError: ``arguments`` holds something that JSON cannot say.
            OutputError: the place cannot be written.
        """
        path = manifest_path(table)
        values = {"manifest_version": MANIFEST_VERSION, **asdict(self)}
        values |= {"started": _to_iso(self.started), "finished": _to_iso(self.finished)}
        try:
            text = json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the arguments of the run cannot be written as JSON: {error}") from error
        with output_errors(path, "check that the folder exists and may be written to"), atomic_write(path) as file:
            # Bytes of a file name that are not UTF-8 (lone surrogates) become JSON escapes and read back unchanged.
            file.write(text.encode("utf-8", "backslashreplace") + b"\n")
        return path

    @classmethod
    def load(cls, table: str | Path) -> Self:
        """Reads the manifest of a table.

        Args:
            table: the table, not the manifest.

        Raises:
            InputError: there is none, it is damaged, or a newer mien wrote it.
        """
        path = manifest_path(table)
        try:
            values = json.loads(path.read_bytes())
            version = values.pop("manifest_version")
            if version not in _READABLE_VERSIONS:
                raise InputError(f"{path} has version {version}, this mien reads {MANIFEST_VERSION}; update mien")
            values["arguments"] = with_current_keys(values["arguments"])
            values["started"] = datetime.fromisoformat(values["started"])
            values["finished"] = datetime.fromisoformat(values["finished"])
            values["inputs"] = tuple(_input_record(record) for record in values["inputs"])
            values["failures"] = tuple(InputFailure(**failure) for failure in values["failures"])
            return cls(**values)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is no run manifest or is damaged: {error!r}") from error


def manifest_path(table: str | Path) -> Path:
    """Where the manifest of a table is: ``<table>.manifest.json``."""
    table = Path(table)
    return table.with_name(table.name + ".manifest.json")


def hash_file(path: str | Path) -> str:
    """SHA-256 of a file as hexadecimal text, read piece by piece.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _input_record(values: dict[str, Any]) -> InputRecord:
    return InputRecord(**{**values, "messages": tuple(values["messages"])})


def _to_iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


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
        with atomic_write(path) as file:
            file.write(text.getvalue().encode("utf-8", "surrogateescape"))
    return path
