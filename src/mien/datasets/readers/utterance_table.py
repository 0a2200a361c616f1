# SPDX-License-Identifier: Apache-2.0
"""Reader of a table of utterances to score: CSV, TSV or Parquet with texts, and features as columns or files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import DatasetError, Float32, open_regular
from mien.datasets.readers.utterances import read_feature_file
from mien.datasets.text_files import AnnotationError, read_content, spelled

_PARQUET = (".parquet", ".pq")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LARGEST_CELL = 1 << 24
_MARK = "|"

Sequences = tuple["Float32 | None", ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class UtteranceTable:
    """N utterances to score.

    Attributes:
        ids: N names of the column ``id``; numbers of the rows from 1 without it.
        places: N places for messages, such as ``"talk.csv, line 3"`` or ``"talk.parquet, row 2"``.
        texts: N texts; empty where there is none.
        features: Modality -> N sequences (T, n); None where it is missing or could not be read.
        problems: N sentences on what could not be read in a row; empty where nothing is wrong.
        absent: Modalities for which the table has neither a column nor a folder of files.
    """

    ids: tuple[str, ...]
    places: tuple[str, ...]
    texts: tuple[str, ...]
    features: dict[str, Sequences]
    problems: tuple[str, ...]
    absent: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


def read_utterance_table(path: str | Path, modalities: Sequence[str], *, reads_text: bool = True) -> UtteranceTable:
    r"""Read a table of utterances.

    Columns: ``text``; ``id``; one named after each modality of features, whose cells are paths of ``.npy`` files (from
    the folder of the table) or, in Parquet, lists of vectors; a blank cell is a missing modality. Without such a column
    the files are ``features/<modality>/<id>.npy`` beside the table, as in the layout of a training set, whose column
    ``missing`` counts too. Names are compared without case. Further columns are ignored.

    Args:
        path: ``.csv`` (UTF-8, commas), ``.tsv`` or ``.parquet``.
        modalities: Names of the modalities of features that the model reads.
        reads_text: Whether the model reads texts.

    Returns:
        The rows. A feature that cannot be read is a problem of its row, not an error.

    Raises:
        DatasetError: The table cannot be read, has no row, lacks a column, or has one twice; the message names the
            file, and the line where there is one.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "talk.csv")
        ...     _ = path.write_text("text,audio\nOh great.,\nYes!,yes.npy\n")
        ...     table = read_utterance_table(path, ["audio"])
        >>> table.texts, table.places[0], "no such file" in table.problems[1]
        (('Oh great.', 'Yes!'), 'talk.csv, line 2', True)
    """
    path = Path(path)
    columns, places = _read_parquet(path) if path.suffix.lower() in _PARQUET else _read_text(path)
    n = len(places)
    if not n:
        raise AnnotationError(path, "has no row")
    found = _Columns(path, columns, n)
    usable = [name for name in modalities if found.has(name) or (path.parent / "features" / name).is_dir()]
    if not found.has("text") and (reads_text or not modalities) and not usable:
        wanted = ["text"] * reads_text + list(modalities)
        raise AnnotationError(path, f"has none of the columns {', '.join(wanted)}; it has {', '.join(columns)[:300]}")
    ids = found.texts("id") or [str(number) for number in range(1, n + 1)]
    texts = found.texts("text") or [""] * n
    missing = [{part.strip().lower() for part in cell.split(_MARK)} for cell in found.texts("missing") or [""] * n]
    problems = [""] * n
    features: dict[str, Sequences] = {}
    for modality in modalities:
        read = _cell_reader(path, found, ids, modality) if modality in usable else None
        rows: list[Float32 | None] = []
        for row in range(n):
            try:
                rows.append(None if read is None or modality.lower() in missing[row] else read(row, places[row]))
            except DatasetError as error:
                problems[row] = problems[row] or str(error)
                rows.append(None)
        features[modality] = tuple(rows)
    return UtteranceTable(
        ids=tuple(ids),
        places=tuple(places),
        texts=tuple(texts),
        features=features,
        problems=tuple(problems),
        absent=tuple(name for name in modalities if name not in usable),
    )


class _Columns:
    """Columns by their spelled name.

    Args:
        path: Table, for messages.
        columns: Name -> N cells.
        n: Number of rows.
    """

    def __init__(self, path: Path, columns: dict[str, list[Any]], n: int) -> None:
        self._path, self._n = path, n
        self._cells = {spelled(name): cells for name, cells in columns.items()}

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return spelled(name) in self._cells

    def cells(self, name: str) -> list[Any]:
        """The cells of a column."""
        return self._cells[spelled(name)]

    def texts(self, name: str) -> list[str]:
        """Cells as texts without spaces around them, blank for null; an empty list without the column."""
        if not self.has(name):
            return []
        return ["" if cell is None else str(cell).strip() for cell in self.cells(name)]


def _cell_reader(
    path: Path, found: _Columns, ids: Sequence[str], modality: str
) -> Callable[[int, str], Float32 | None]:
    """Function of row and place that returns the sequence of a modality."""

    def of_column(row: int, place: str) -> Float32 | None:
        cell = found.cells(modality)[row]
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        if isinstance(cell, str):
            return np.asarray(read_feature_file(path.parent / cell.strip(), place), np.float32)
        return _sequence(cell, modality, place)

    def of_folder(row: int, place: str) -> Float32 | None:
        name = ids[row]
        if not name or "/" in name or "\\" in name:
            raise AnnotationError(path, f"id {name!r} of {place} is no name of a file of {modality}")
        return np.asarray(read_feature_file(path.parent / "features" / modality / f"{name}.npy", place), np.float32)

    return of_column if found.has(modality) else of_folder


def _sequence(cell: object, modality: str, place: str) -> Float32:
    """A list of vectors, or one vector, as (T, n)."""
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite
            values: npt.NDArray[np.floating] = np.asarray(cell, np.float32)
    except (TypeError, ValueError):
        raise DatasetError(f"{place}: {modality} must be a list of vectors of one length") from None
    values = values[None] if values.ndim == 1 else values
    bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if bad.any():
        raise DatasetError(f"{place}: {modality} has a value that is not finite in step {int(bad.argmax()) + 1}")
    return values


def _read_parquet(path: Path) -> tuple[dict[str, list[Any]], list[str]]:
    try:
        with open_regular(path) as file:
            table = pq.read_table(file)
    except FileNotFoundError:
        raise AnnotationError(path, "no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise AnnotationError(path, f"is no Parquet file that can be read ({str(error).splitlines()[0]})") from error
    _refuse_twice(path, table.column_names)
    columns = {name: table[name].to_pylist() for name in table.column_names}
    return columns, [f"{path.name}, row {row}" for row in range(1, len(table) + 1)]


def _read_text(path: Path) -> tuple[dict[str, list[Any]], list[str]]:
    delimiter = _DELIMITERS.get(path.suffix.lower())
    if delimiter is None:
        endings = ", ".join([*_DELIMITERS, _PARQUET[0]])
        raise AnnotationError(path, f"a table of utterances ends with {endings}; got {path.suffix or 'no ending'}")
    content = read_content(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise AnnotationError(path, f"byte 0x{content[error.start]:02x} is not UTF-8; save it so", line=line) from None
    before = csv.field_size_limit(_LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, places, line = [], [], 1
    try:
        header = [name.strip() for name in next(reader, [])]
        _refuse_twice(path, header)
        for row in reader:
            first, line = line + 1, reader.line_num
            if not row:
                continue
            if len(row) != len(header):
                raise AnnotationError(path, f"has {len(row)} fields instead of {len(header)}", line=first)
            rows.append(row)
            places.append(f"{path.name}, line {first}")
    except csv.Error as error:
        raise AnnotationError(path, f"is no table of fields ({error})", line=reader.line_num) from error
    finally:
        csv.field_size_limit(before)
    if not header:
        raise AnnotationError(path, "is empty")
    return {name: [row[column] for row in rows] for column, name in enumerate(header)}, places


def _refuse_twice(path: Path, names: Sequence[str]) -> None:
    known = [spelled(name) for name in names]
    twice = [name for name, key in zip(names, known, strict=True) if key and known.count(key) > 1]
    if twice:
        raise AnnotationError(path, f"the column {twice[0]} occurs twice", line=1)
