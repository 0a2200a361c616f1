# SPDX-License-Identifier: Apache-2.0
"""Affect tables in other formats, and of the wanted faces alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mien.core import ConfigError, FaceSelector
from mien.pipeline.postprocessing.summarize import bundle_thresholds
from mien.results import action_unit_thresholds, choose_faces, read_table, save_table, table_metadata, write_openface
from mien.results.tables import arrow_compute as pc


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What was written.

    Attributes:
        files: in order.
        messages: what the user should know.
    """

    files: tuple[Path, ...]
    messages: tuple[str, ...] = ()


def convert_file(path: Path, out: Path, *, faces: str = "all") -> Conversion:
    """Write a table, mien's or OpenFace's, as a table of mien's in the format of the ending.

    Args:
        path: the table.
        out: the new table.
        faces: as for `mien.core.FaceSelector.parse`.

    Raises:
        ConfigError: an ending or the choice is unknown, or nobody answers to it.
        InputError: the table cannot be read.
        OutputError: the new one cannot be written.
    """
    choice = FaceSelector.parse(faces)
    save_table(out, choose_faces(read_table(path), choice))
    return Conversion(files=(out,))


def convert_to_openface(path: Path, out: Path, *, groups: Collection[str] = (), faces: str = "all") -> Conversion:
    """Write a table in OpenFace 2.2's columns, one file for each source.

    Args:
        path: the table.
        out: a ``.csv`` for the single source of the table, or a folder.
        groups: some of OpenFace's groups of columns; none means all.
        faces: as for `mien.core.FaceSelector.parse`.

    Raises:
        ConfigError: the table has several sources and ``out`` is a file, or an argument is unknown.
        InputError: the table cannot be read.
        OutputError: a file cannot be written.
    """
    table = choose_faces(read_table(path), FaceSelector.parse(faces))
    thresholds = action_unit_thresholds(table.schema) or bundle_thresholds(path)
    messages = []
    if not thresholds and "read_from" not in table_metadata(table.schema):
        messages.append(f"{path}: the bundle that made it is not here; action units count as present from .5")
    sources = pc.unique(table["source"]).to_pylist()
    if is_openface_file(out):
        targets = [out]
        if len(sources) > 1:
            raise ConfigError(f"{path} has {len(sources)} sources, an OpenFace CSV holds one; name a folder for them")
    else:
        targets = [out / f"{name}.csv" for name in _names(sources)]
    for source, target in zip(sources or [None], targets, strict=True):
        own = table if source is None else table.filter(pc.equal(table["source"], source))
        write_openface(own, target, groups=groups, thresholds=thresholds)
    return Conversion(files=tuple(targets), messages=tuple(messages))


def is_openface_file(out: Path) -> bool:
    """Whether OpenFace output is one CSV and not a folder.

    Raises:
        ConfigError: the name ends like something else.
    """
    if out.is_dir() or not out.suffix:
        return False
    if out.suffix.lower() != ".csv":
        raise ConfigError(f"{out}: an OpenFace file ends in .csv; a folder has no ending")
    return True


def _names(sources: list[str]) -> list[str]:
    """A file name for each source: its stem, numbered where that is taken."""
    names: list[str] = []
    for source in sources:
        stem = Path(source).stem
        candidates = (stem if n == 1 else f"{stem}-{n}" for n in count(1))
        names.append(next(name for name in candidates if name.casefold() not in {n.casefold() for n in names}))
    return names
