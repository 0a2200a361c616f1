# SPDX-License-Identifier: Apache-2.0
"""Plans a run: finds the inputs and gives each its table, before any of them is opened."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

from mien.core import ConfigError, InputError, is_folder, shortened_name, source_name
from mien.media import MediaInput, find_inputs, input_identity
from mien.pipeline.resume import ResumeIndex
from mien.pipeline.shards import shard_names, split_photos
from mien.results import TABLE_ENDINGS, InputFailure

DEFAULT_ENDING = ".parquet"

PathName = str | os.PathLike[str]


@dataclass(frozen=True)
class TablePlan:
    """One table and its inputs, in order.

    Attributes:
        table: Path of the table.
        inputs: Inputs of the table, at least one.
        first_number: Number of its first input among the inputs of the run, from 0.
        failures: Names of the table's inputs that no file has.
        is_shard: Whether it is a shard of photos, see `mien.pipeline.shards`.
    """

    table: Path
    inputs: tuple[MediaInput, ...]
    first_number: int = 0
    failures: tuple[InputFailure, ...] = ()
    is_shard: bool = False


@dataclass(frozen=True)
class Plan:
    """Tables of a whole run.

    Attributes:
        tables: Tables with at least one input each.
        failures: Names that no file has.
        folder: Folder of the tables; None where all inputs go into one table.
        earlier: Tables that are in that folder already.
        not_read: Files of named folders that are no photos or videos by their suffix.
    """

    tables: tuple[TablePlan, ...]
    failures: tuple[InputFailure, ...]
    folder: Path | None = None
    earlier: ResumeIndex = field(default_factory=ResumeIndex)
    not_read: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[MediaInput, ...]:
        """All inputs, in order."""
        return tuple(media for table in self.tables for media in table.inputs)

    @property
    def n_named(self) -> int:
        """Number of inputs found and of names that no file has."""
        return len(self.inputs) + len(self.failures)


def make_plan(
    patterns: Sequence[PathName], out: PathName, *, network: bool = False, shard_size: int | None = None
) -> Plan:
    """Resolve inputs and outputs.

    ``out`` with a table's ending is one table for all inputs, with the name of each in its column ``source``. An
    existing folder, a name that ends with ``/`` and a name without ending are a folder with one Parquet table per
    input, named after the input. An input that has a table there from an earlier run keeps its name, and no other
    input gets it as long as that input exists. With ``shard_size``, photos share tables of that number in such a folder
    instead. Nothing is created yet.

    Args:
        patterns: Names that the user gave.
        out: Table or folder.
        network: Whether network addresses may be among the names.
        shard_size: Number of photos per table of a folder; None for a table each.

    Raises:
        ConfigError: No input was named, an address is not allowed, ``out`` has an ending of no table, or a single table
            shall have shards.
    """
    if not patterns:
        raise ConfigError("no input given; name files, folders, glob patterns or a camera number")
    in_folder = _names_folder(out)
    not_read: list[str] = []
    found, failures = find_all(patterns, not_read.append, network=network)
    inputs = tuple(found.values())
    if not in_folder:
        if shard_size is not None:
            raise ConfigError(f"--shard-size is for a folder of tables, and {os.fspath(out)} is a single one")
        tables = [TablePlan(Path(out), inputs, failures=tuple(failures))] if inputs else []
        return Plan(tuple(tables), tuple(failures), not_read=tuple(not_read))
    photos = tuple(media for media in inputs if shard_size is not None and media.kind == "image")
    inputs = tuple(media for media in inputs if media not in photos) if photos else inputs
    earlier = ResumeIndex.load(Path(out))
    kept = {number: name for number, media in enumerate(inputs) if (name := earlier.name_for(media)) is not None}
    names = _table_names(inputs, kept, earlier.names_in_use)
    tables = [
        TablePlan(Path(out, name), (media,), number)
        for number, (media, name) in enumerate(zip(inputs, names, strict=True))
    ]
    tables += shards_of(photos, shard_size or 1, Path(out), first_number=len(inputs))
    return Plan(tuple(tables), tuple(failures), Path(out), earlier, tuple(not_read))


def shards_of(
    photos: Sequence[MediaInput], size: int, folder: Path, *, first_number: int, in_use: Collection[str] = ()
) -> list[TablePlan]:
    """Shards of photos with free names.

    Args:
        photos: Photos in order.
        size: Number of photos per shard.
        folder: Folder of the tables.
        first_number: Number of the first photo among the inputs of the run.
        in_use: Names of tables that stay.
    """
    parts = split_photos(photos, size)
    names = shard_names(len(parts), in_use)
    return [
        TablePlan(folder / name, part, first_number + size * number, is_shard=True)
        for number, (name, part) in enumerate(zip(names, parts, strict=True))
    ]


def find_all(
    patterns: Sequence[PathName], on_other: Callable[[str], None] | None = None, *, network: bool = False
) -> tuple[dict[object, MediaInput], list[InputFailure]]:
    """Every input of the names once, by `mien.media.input_identity`, and what cannot be read among them.

    Args:
        patterns: Names that the user gave.
        on_other: Called for files of named folders that are no photos or videos.
        network: Whether network addresses may be among the names.
    """
    found: dict[object, MediaInput] = {}
    failures: list[InputFailure] = []

    def refuse(name: str, error: InputError) -> None:
        failures.append(InputFailure(path=name, reason=source_name(str(error)), error=type(error).__name__))

    for pattern in patterns:
        # One at a time, so that one bad name does not stop the others.
        try:
            for media in find_inputs([pattern], refuse, on_other, network=network):
                found.setdefault(input_identity(media), media)
        except InputError as error:
            refuse(source_name(pattern), error)
    return found, failures


def _names_folder(out: PathName) -> bool:
    name, path = os.fspath(out), Path(out)
    if is_folder(path) or name.endswith(("/", os.sep)) or not path.suffix:
        return True
    if path.suffix.lower() not in TABLE_ENDINGS:
        raise ConfigError(f"{name}: a table ends in one of {', '.join(TABLE_ENDINGS)}; for a folder, write {name}/")
    return False


def _table_names(inputs: Sequence[MediaInput], kept: Mapping[int, str], in_use: Collection[str]) -> list[str]:
    """A file name per input: its stem where that is unique in this run, else with its ending, then with its folders.

    Args:
        inputs: Inputs of the run.
        kept: Number of an input -> name of the table that it has already.
        in_use: Further names that no other input may get.
    """
    spellings = [tuple(map(shortened_name, _spellings(media))) for media in inputs]
    n_uses = [Counter(map(_key, level)) for level in zip(*spellings, strict=True)]
    names: list[str] = []
    taken = {_key(name.removesuffix(DEFAULT_ENDING)) for name in (*kept.values(), *in_use)}
    for number, spelling in enumerate(spellings):
        if number in kept:
            names.append(kept[number])
            continue
        # Unique among spellings of one kind is not unique among all: "a_b/c.mp4" beside "a/b_c.mp4".
        free = (
            name
            for name, uses in zip(spelling, n_uses, strict=True)
            if uses[_key(name)] == 1 and _key(name) not in taken
        )
        numbered = (f"{spelling[-1]}-{n}" for n in count(2))
        name = next(each for each in chain(free, [spelling[-1]], numbered) if _key(each) not in taken)
        taken.add(_key(name))
        names.append(name + DEFAULT_ENDING)
    return names


def _spellings(media: MediaInput) -> tuple[str, str, str, str]:
    """Names for an input, shortest first."""
    if media.path is None:
        name = re.sub(r"[^\w.-]+", "-" if media.address is None else "_", media.name)
        return (name, name, name, name)
    path = Path(media.name)  # printable, whatever bytes the file's own name has
    everything = "_".join(part for part in path.absolute().parts if part != path.absolute().anchor)
    return (path.stem, path.name, "_".join(path.absolute().parts[-2:]), everything)


def _key(name: str) -> str:
    """A key that is equal for names that a file system may take for the same, by case or composed characters."""
    return unicodedata.normalize("NFC", name).casefold()
