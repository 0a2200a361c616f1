# SPDX-License-Identifier: Apache-2.0
"""The run manifest (JSON beside a table) and ``failures.csv`` of a folder of tables."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Self, TypeVar

from mien._version import __version__
from mien.core import (
    ConfigError,
    FrameGap,
    InputError,
    OutputError,
    open_regular,
    path_exists,
    printable,
    read_regular,
    source_path,
)
from mien.results.files import atomic_write, output_errors
from mien.results.tables.schema import SCHEMA_VERSION, with_current_keys
from mien.results.tables.table_formats import guarded, unguarded

MANIFEST_VERSION = 2
"""Version of the manifest's own layout. Version 1, without ``complete``, ``error`` and ``stopped``, is read as well."""

T = TypeVar("T")

_READABLE_VERSIONS = (1, MANIFEST_VERSION)
_MAX_WHOLE = (1 << 64) - 1  # such as a seed; no float holds what is very much larger


@dataclass(frozen=True, kw_only=True)
class InputRecord:
    """The outcome of one input.

    Attributes:
        path: Path of the input as the caller gave it.
        kind: Kind of input, ``"image"``, ``"video"`` or ``"camera"``.
        sha256: SHA-256 of the file, hexadecimal; None for a camera.
        size_bytes: Size of the file; None for a camera.
        n_frames_decoded: Number of frames that were decoded.
        n_frames_lost: Number of frames that could not be decoded or are gone; estimated where their data are gone too.
        n_rows: Number of rows written to the table.
        n_faces: Number of rows with a face.
        messages: Sentences for the user.
        complete: False where the file is cut off, so that the number of missing frames is not known.
        gaps: Spans of time whose frames are lost, in order.
        start_offset_s: Time in seconds on the clock of a video file at second 0 of the table; None for other inputs.
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
    gaps: tuple[FrameGap, ...] = ()
    start_offset_s: float | None = None

    def __post_init__(self) -> None:
        gaps = tuple(gap if isinstance(gap, FrameGap) else FrameGap(**gap) for gap in self.gaps)
        if not all(isinstance(value, (int, float)) for gap in gaps for value in (gap.from_s, gap.to_s, gap.n_frames)):
            raise TypeError(f"gaps of {self.path} must be numbers")
        object.__setattr__(self, "gaps", gaps)

    @property
    def whole(self) -> bool:
        """Whether every frame of the input was read."""
        return self.complete and not self.n_frames_lost


@dataclass(frozen=True, kw_only=True)
class InputFailure:
    """An input that gave no rows, or not all of them.

    Attributes:
        path: Path of the input as the caller gave it.
        reason: Reason in a sentence for the user.
        error: Class name of the error.
    """

    path: str
    reason: str
    error: str = "InputError"


@dataclass(frozen=True, kw_only=True)
class RunManifest:
    """The provenance of a table: everything that is needed to make it again.

    Attributes:
        bundle_name: Name of the model bundle.
        bundle_sha256: SHA-256 of the bundle's description, hexadecimal.
        arguments: Arguments of the run by name; any JSON values.
        started: Time at which the run began, with a time zone.
        finished: Time at which the run ended, with a time zone.
        inputs: One record per input that was read, in order.
        failures: One record per input that could not be read.
        mien_version: Version of mien that made the table.
        schema_version: Version of the table's columns.
        stopped: Whether the run was interrupted, so that the table ends early.
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
            table: Path of the table that the manifest describes.

        Returns:
            The manifest's path, see `manifest_path`.

        Raises:
            ConfigError: ``arguments`` holds a value that JSON cannot store.
            OutputError: The place cannot be written.
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
            table: Path of the table, not of the manifest.

        Raises:
            InputError: There is no manifest, it is damaged, or a newer mien wrote it.
        """
        path = manifest_path(table)
        try:
            values = json.loads(read_regular(path), parse_float=_finite, parse_constant=_finite, parse_int=_whole)
            version = values.pop("manifest_version")
            if version not in _READABLE_VERSIONS:
                shown = printable(str(version), limit=30)
                raise InputError(f"{path} has version {shown}, this mien reads {MANIFEST_VERSION}; update mien")
            values["arguments"] = with_current_keys(values["arguments"])
            values["started"] = datetime.fromisoformat(values["started"])
            values["finished"] = datetime.fromisoformat(values["finished"])
            values["inputs"] = tuple(_input_record(record) for record in _listed(values, "inputs"))
            values["failures"] = tuple(
                _typed(InputFailure(**failure), "failures") for failure in _listed(values, "failures")
            )
            return _typed(cls(**values), "the manifest")
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except KeyError as error:
            raise InputError(f"{path} is no run manifest or is damaged: it lacks {error}") from error
        except RecursionError as error:
            raise InputError(f"{path} is no run manifest or is damaged: it is nested too deeply") from error
        except (AttributeError, ConfigError, TypeError, ValueError) as error:
            reason = printable(str(error), limit=300)
            raise InputError(f"{path} is no run manifest or is damaged: {reason}") from error


def manifest_path(table: str | Path) -> Path:
    """The path of the manifest of a table: ``<table>.manifest.json``.

    Examples:
        >>> manifest_path("results/clip.parquet").name
        'clip.parquet.manifest.json'
    """
    table = Path(table)
    return table.parent / f"{table.name}.manifest.json"  # with_name fails on "." and "/"


def hash_file(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal; the file is read piece by piece.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _whole(text: str) -> int:
    value = int(text)
    if abs(value) > _MAX_WHOLE:
        raise ValueError(f"{printable(text, limit=30)} is too large a number")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # no manifest could be written with it
        raise ValueError(f"{text} is no number")
    return value


def _listed(values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = values[name]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise TypeError(f"{name} must be a list of objects")
    return found


def _input_record(values: dict[str, Any]) -> InputRecord:
    messages = values["messages"]
    if not isinstance(messages, list):
        raise TypeError("messages of an input must be a list")
    return _typed(InputRecord(**{**values, "messages": tuple(messages)}), "inputs")


_MANIFEST_TYPES: MappingProxyType[str, tuple[type, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("path", "kind", "reason", "error", "bundle_name", "bundle_sha256", "mien_version"), (str,)),
        **dict.fromkeys(("n_frames_decoded", "n_frames_lost", "n_rows", "n_faces", "schema_version"), (int,)),
        **dict.fromkeys(("complete", "stopped"), (bool,)),
        "sha256": (str, NoneType),
        "size_bytes": (int, NoneType),
        "start_offset_s": (int, float, NoneType),
        "arguments": (dict,),
        "messages": (tuple,),
    }
)


def _typed(record: T, where: str) -> T:
    """The record, if its values have their types: a manifest may have been edited by hand."""
    for name, kinds in _MANIFEST_TYPES.items():
        value = getattr(record, name, None)
        if hasattr(record, name) and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise TypeError(f"{name} in {where} is {value!r}")
    if not all(isinstance(message, str) for message in getattr(record, "messages", ())):
        raise TypeError(f"messages in {where} must be texts")
    return record


def _to_iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


FAILURES_NAME = "failures.csv"
"""Name of the list of failures in a folder of tables."""

PARTLY_DECODED = "PartlyDecoded"
"""Value of the column ``error`` for an input with a table that lacks some of its frames."""

_NO_TABLES: Mapping[str, str] = MappingProxyType({})
_HEADER = ("source", "error", "message", "table")
_N_FORMER = 3  # lists of mien before 0.2 lack the last column


@dataclass(frozen=True)
class FailureRow:
    """One line of ``failures.csv``.

    Attributes:
        source: Path of the input as the caller gave it.
        error: Class name of the error, or `PARTLY_DECODED`.
        message: Reason in a sentence for the user.
        table: Name of the table that the input was for; empty where it was for none.
    """

    source: str
    error: str
    message: str
    table: str = ""


def failure_rows(
    failures: Iterable[InputFailure], records: Iterable[InputRecord], table_of: Mapping[str, str] = _NO_TABLES
) -> list[FailureRow]:
    """The rows for the inputs of a run; an input that failed after some rows has one.

    Args:
        failures: Inputs that could not be read, or not to their end.
        records: Inputs that gave rows.
        table_of: Input -> name of its table.

    Examples:
        >>> failure_rows([InputFailure(path="a.mp4", reason="a.mp4: is empty")], [], {"a.mp4": "a.csv"})
        [FailureRow(source='a.mp4', error='InputError', message='a.mp4: is empty', table='a.csv')]
    """
    rows = {
        failure.path: FailureRow(failure.path, failure.error, failure.reason, table_of.get(failure.path, ""))
        for failure in failures
    }
    for record in records:
        if not record.whole and record.path not in rows:
            lost = f"{record.n_frames_lost} of {record.n_frames_decoded + record.n_frames_lost} frames lost"
            lost += _spans_text(record.gaps)
            message = "; ".join([*([lost] if record.n_frames_lost else []), *record.messages[:1]])
            rows[record.path] = FailureRow(record.path, PARTLY_DECODED, message, table_of.get(record.path, ""))
    return list(rows.values())


_MAX_SPANS = 3


def _spans_text(gaps: Sequence[FrameGap]) -> str:
    """The first spans of time without frames, for a message."""
    spans = [f"{gap.from_s:.2f} to {gap.to_s:.2f} s" for gap in gaps[:_MAX_SPANS]]
    more = [f"{len(gaps) - _MAX_SPANS} more"] if len(gaps) > _MAX_SPANS else []
    return f" ({', '.join([*spans, *more])})" if gaps else ""


def read_failures(folder: Path) -> list[FailureRow]:
    """The rows of ``failures.csv`` in a folder; empty if there is no such file.

    Raises:
        OutputError: A file of that name is not mien's, so that it must not be replaced, or cannot be read.
    """
    path = folder / FAILURES_NAME
    try:
        text = read_regular(path).decode("utf-8-sig", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    try:
        header, *rows = [cells for cells in csv.reader(io.StringIO(text, newline="")) if cells] or [[]]
    except csv.Error as error:
        raise OutputError(f"{path} cannot be read ({error}); move it, or choose another folder") from error
    wrong = next((n for n, cells in enumerate(rows, 1) if len(cells) != len(header)), None)
    is_list = tuple(header) in (_HEADER, _HEADER[:_N_FORMER])
    if not is_list or wrong is not None:
        where = "" if wrong is None or not is_list else f" (row {wrong} has {len(rows[wrong - 1])} cells)"
        raise OutputError(f"{path} is not mien's list of failures{where}; move it, or choose another folder")
    return [FailureRow(*map(unguarded, cells)) for cells in rows]


def update_failures(
    folder: Path, new: Iterable[FailureRow], done: Collection[str], tables: Collection[str] = ()
) -> Path | None:
    """Updates ``failures.csv`` after a run; a file without rows is removed.

    Rows of earlier runs stay while they are true: what is said of a table that is there holds until that table is
    written again; an input without a table is still one if it was not part of this run and still exists.

    Args:
        folder: Folder of the tables.
        new: Rows of this run.
        done: Inputs of this run, failed or not, as the caller gave them.
        tables: Names of the tables that this run has written or was to write.

    Returns:
        Path of the file; None if there are no rows.

    Raises:
        OutputError: The file cannot be written, or a file of that name is not mien's.
    """
    path = folder / FAILURES_NAME
    older = [row for row in read_failures(folder) if row.table not in tables and _still_holds(row, folder, done)]
    rows = [*older, *new]
    with output_errors(path, "check that the folder may be written to"):
        if not rows:
            path.unlink(missing_ok=True)
            return None
        text = io.StringIO(newline="")
        cells = (map(guarded, (row.source, row.error, row.message, row.table)) for row in rows)
        csv.writer(text).writerows([_HEADER, *cells])
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(text.getvalue().encode("utf-8", "surrogateescape"))
    return path


def _still_holds(row: FailureRow, folder: Path, done: Collection[str]) -> bool:
    """Whether a row is true after a run that has not written its table."""
    if row.table and path_exists(folder / row.table):
        return True
    # A relative name may be that of a file in another folder, from which an earlier run was started.
    is_elsewhere = bool(row.table) and not Path(row.source).is_absolute()
    return row.source not in done and (is_elsewhere or path_exists(source_path(row.source)))
