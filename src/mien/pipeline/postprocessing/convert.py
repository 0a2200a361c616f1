# SPDX-License-Identifier: Apache-2.0
"""Affect tables converted to other formats, or to the rows of the chosen faces."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow as pa

from mien.core import ConfigError, FaceSelector, PathName, printable, require_path, shortened_name
from mien.pipeline.postprocessing.summarize import bundle_thresholds
from mien.results import (
    ABOUT_SUFFIX,
    OpenFacePlan,
    OutputFile,
    action_unit_thresholds,
    check_output,
    check_outputs,
    chosen_parts,
    columns_as_json,
    format_of,
    iter_pieces,
    open_stream,
    refuse_table,
    save_pieces,
    table_metadata,
    write_openface,
    write_openface_files,
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


def convert_file(path: PathName, out: PathName, *, faces: str = "all") -> Conversion:
    """Writes a table, mien's or OpenFace's, as a table of mien's in the format of the ending.

    Args:
        path: Path of the table.
        out: Path of the new table.
        faces: Choice of faces, as for `mien.core.FaceSelector.parse`.

    Raises:
        ConfigError: An ending or the choice is unknown, no face matches the choice, or the new table would replace the
            old one or another table.
        InputError: The table cannot be read.
        OutputError: The new table cannot be written.
    """
    choice = FaceSelector.parse(faces)
    format_of(Path(out))
    check_output("--out", out, {"TABLE": path})
    save_pieces(Path(out), _pieces(path, choice)())
    return Conversion(files=(Path(out),), messages=json_text_notes(path, out))


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
    messages = []
    if not (thresholds or action_unit_thresholds(plan.schema)) and "read_from" not in table_metadata(plan.schema):
        messages.append(f"{path}: the bundle that made it is not here; action units count as present from 0.5")
    if is_openface_file(out):
        if len(plan.sources) > 1:
            n_sources = len(plan.sources)
            raise ConfigError(f"{path} has {n_sources} sources, an OpenFace CSV holds one; name a folder for them")
        files = [out]
    else:
        files = [out / f"{name}.csv" for name in file_names(plan.sources or (path.name,))]
    outputs = [OutputFile("--out", place) for file in files for place in (file, Path(f"{file}{ABOUT_SUFFIX}"))]
    check_outputs(outputs, [("TABLE", path)])
    for output in outputs:
        refuse_table(output)
    if plan.sources:
        paths = dict(zip(plan.sources, files, strict=True))
        write_openface_files(plan, pieces(), paths, groups=groups, thresholds=thresholds)
    else:
        write_openface(plan.schema.empty_table(), files[0], groups=groups, thresholds=thresholds)
    return Conversion(files=tuple(files), messages=tuple(messages))


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
    if os.path.isdir(out) or not out.suffix:  # noqa: PTH112 - never raises
        return False
    if out.suffix.lower() != ".csv":
        raise ConfigError(f"{out}: an OpenFace file ends in .csv; a folder has no ending")
    return True


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
