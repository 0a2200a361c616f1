# SPDX-License-Identifier: Apache-2.0
"""Affect tables converted to other formats, or to the rows of the chosen faces."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from mien.core import (
    ConfigError,
    FaceSelector,
    PathName,
    is_folder,
    is_regular_file,
    printable,
    require_path,
    shortened_name,
    source_path,
)
from mien.pipeline.postprocessing.summarize import bundle_thresholds, summarize, thresholds_notes
from mien.results import (
    ABOUT_SUFFIX,
    STREAM_OFFSET_COLUMN,
    TABLE_ENDINGS,
    OpenFacePlan,
    OutputFile,
    TableStream,
    check_output,
    check_outputs,
    chosen_parts,
    column_numbers,
    columns_as_json,
    iter_pieces,
    open_stream,
    output_errors,
    refuse_table,
    save_pieces,
    source_runs,
    write_elan,
    write_openface,
    write_openface_files,
    write_spss,
    write_xlsx,
)


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The outcome of a conversion.

    Attributes:
        files: Files that were written, in the order of the sources.
        messages: Sentences for the user.
    """

    files: tuple[Path, ...]
    messages: tuple[str, ...] = ()


_EXPORTS: MappingProxyType[str, Callable[[Path, Iterable[pa.Table]], int]] = MappingProxyType(
    {".xlsx": write_xlsx, ".sav": write_spss}
)
"""Ending -> function that writes a table for another program."""


def convert_file(path: PathName, out: PathName, *, faces: str = "all") -> Conversion:
    """Writes a table, mien's or OpenFace's, as a table of mien's in the format of the ending.

    Args:
        path: Path of the table.
        out: Path of the new table, or of a workbook (``.xlsx``) or a file of SPSS (``.sav``).
        faces: Choice of faces, as for `mien.core.FaceSelector.parse`.

    Raises:
        ConfigError: An ending or the choice is unknown, no face matches the choice, or the new table would replace the
            old one or another table.
        InputError: The table cannot be read, or has too many rows for the format.
        OutputError: The new table cannot be written.
        MissingExtraError: The format needs a package that is not installed.
    """
    require_path(out, "--out")
    choice = FaceSelector.parse(faces)
    place = Path(out)
    write = _EXPORTS.get(place.suffix.lower())
    if write is None and place.suffix.lower() not in TABLE_ENDINGS:
        raise ConfigError(f"{place} must end in one of {', '.join([*TABLE_ENDINGS, *_EXPORTS])} or .eaf")
    check_output("--out", out, {"TABLE": path})
    if write is None:
        save_pieces(place, _pieces(path, choice)())
        return Conversion(files=(place,), messages=json_text_notes(path, out))
    with output_errors(place, "choose a folder that you may write"):
        place.parent.mkdir(parents=True, exist_ok=True)
    write(place, _pieces(path, choice)())
    return Conversion(files=(place,))


def convert_to_elan(path: PathName, out: PathName) -> Conversion:
    """Writes the events of a table as annotations of ELAN, one file for each source.

    Args:
        path: Path of the table.
        out: Path of a ``.eaf`` for the single source of the table, or of a folder.

    Raises:
        ConfigError: The table has several sources and ``out`` is a file, or ``out`` has another ending.
        InputError: The table cannot be read.
        OutputError: A file cannot be written.
    """
    require_path(out, "--out")
    path, out = Path(path), Path(out)
    stream = open_stream(path)
    sources = list(stream.sources) or [path.name]
    files = _named_files(out, ".eaf", "an ELAN file", path, sources)
    outputs = [OutputFile("--out", file) for file in files]
    check_outputs(outputs, [("TABLE", path)])
    for output in outputs:
        refuse_table(output)
    events: dict[str, list[dict[str, Any]]] = {source: [] for source in sources}
    for event in summarize(path).events.to_pylist():
        events[event["source"]].append(event)
    offsets_s = _stream_offsets(stream)
    messages = [*thresholds_notes([path])]
    for source, file in zip(sources, files, strict=True):
        media = source_path(source)
        there = is_regular_file(media)
        if not there:
            name = printable(source, limit=200)
            messages.append(f"{file}: {name} is not there; choose the recording in ELAN (Edit, Linked Files)")
        with output_errors(file, "choose a folder that you may write"):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_elan(file, events[source], media=media if there else None, offset_s=offsets_s.get(source, 0.0))
    return Conversion(files=tuple(files), messages=tuple(messages))


def _stream_offsets(stream: TableStream) -> dict[str, float]:
    """Source -> time of its second 0 on the clock of its file, in seconds, where the table tells it."""
    offsets_s: dict[str, float] = {}
    if STREAM_OFFSET_COLUMN.name in stream.schema.names:
        for part in stream.parts():
            for source, rows in source_runs([part]):
                values = column_numbers(rows[STREAM_OFFSET_COLUMN.name])
                if source not in offsets_s and np.isfinite(values[0]):
                    offsets_s[source] = float(values[0])
    return offsets_s


def convert_to_openface(
    path: PathName, out: PathName, *, groups: Collection[str] = (), faces: str = "all"
) -> Conversion:
    """Writes a table in OpenFace 2.2's columns, one file for each source.

    The table is read piece by piece, so that memory does not grow with its rows.

    Args:
        path: Path of the table.
        out: Path of a ``.csv`` for the single source of the table, or of a folder.
        groups: Names of OpenFace's groups of columns; none means all.
        faces: Choice of faces, as for `mien.core.FaceSelector.parse`.

    Raises:
        ConfigError: The table has several sources and ``out`` is a file, or an argument is unknown.
        InputError: The table cannot be read.
        OutputError: A file cannot be written.
    """
    require_path(out, "--out")
    path, out = Path(path), Path(out)
    choice = FaceSelector.parse(faces)
    pieces = _pieces(path, choice)
    plan = OpenFacePlan.of(pieces())
    thresholds = bundle_thresholds(path)
    files = _named_files(out, ".csv", "an OpenFace file", path, plan.sources or (path.name,))
    outputs = [OutputFile("--out", place) for file in files for place in (file, Path(f"{file}{ABOUT_SUFFIX}"))]
    check_outputs(outputs, [("TABLE", path)])
    for output in outputs:
        refuse_table(output)
    if plan.sources:
        paths = dict(zip(plan.sources, files, strict=True))
        write_openface_files(plan, pieces(), paths, groups=groups, thresholds=thresholds)
    else:
        write_openface(plan.schema.empty_table(), files[0], groups=groups, thresholds=thresholds)
    return Conversion(files=tuple(files), messages=thresholds_notes([path]))


def _pieces(path: PathName, choice: FaceSelector) -> Callable[[], Iterator[pa.Table]]:
    """Function that gives the pieces of a table with the chosen faces only."""
    if choice.rule == "all":
        return partial(iter_pieces, path)
    stream = open_stream(path)
    return lambda: stream.restored(chosen_parts(stream, choice))


def json_text_notes(path: PathName, out: PathName) -> tuple[str, ...]:
    """Notes for the user about columns that a new file holds as JSON text; empty if there are none.

    Args:
        path: Path of the table.
        out: Path of the new file.
    """
    names = columns_as_json(path, out)
    listed = ", ".join(printable(name, limit=60) for name in names)
    return (f"{out}: a CSV has no lists and records; written as JSON text: {listed}",) if names else ()


def is_openface_file(out: Path) -> bool:
    """Whether a path for OpenFace output is that of one CSV and not of a folder.

    Raises:
        ConfigError: The name has another ending.
    """
    return _is_one_file(out, ".csv", "an OpenFace file")


def _is_one_file(out: Path, ending: str, what: str) -> bool:
    if is_folder(out) or not out.suffix:
        return False
    if out.suffix.lower() != ending:
        raise ConfigError(f"{out}: {what} ends in {ending}; a folder has no ending")
    return True


def _named_files(out: Path, ending: str, what: str, path: Path, sources: Sequence[str]) -> list[Path]:
    """The file for the only source of a table, or one for each source in a folder.

    Raises:
        ConfigError: There are several sources and one file, or the name has another ending.
    """
    if not _is_one_file(out, ending, what):
        return [out / f"{name}{ending}" for name in file_names(sources)]
    if len(sources) > 1:
        raise ConfigError(f"{path} has {len(sources)} sources, {what} holds one; name a folder for them")
    return [out]


def file_names(sources: Sequence[str]) -> list[str]:
    """A file name for each source: its stem, numbered where that is taken."""
    names: list[str] = []
    taken: set[str] = set()
    for source in sources:
        stem = shortened_name(re.sub(r"[/\\:\x00-\x1f\x7f]", "_", Path(source).stem) or "source")
        candidates = (stem if n == 1 else f"{stem}-{n}" for n in count(1))
        names.append(next(name for name in candidates if name.casefold() not in taken))
        taken.add(names[-1].casefold())
    return names
