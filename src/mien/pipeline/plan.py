# SPDX-License-Identifier: Apache-2.0
"""Which inputs go into which table, decided before anything is opened."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mien.core import ConfigError, InputError
from mien.media import MediaInput, find_inputs
from mien.results import TABLE_ENDINGS, InputFailure

DEFAULT_ENDING = ".parquet"

PathName = str | os.PathLike[str]


@dataclass(frozen=True)
class TablePlan:
    """One table and what goes into it, in order.

    Attributes:
        table: its path.
        inputs: at least one.
        failures: names that should have gone into it but that nothing answered to.
    """

    table: Path
    inputs: tuple[MediaInput, ...]
    failures: tuple[InputFailure, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A whole run.

    Attributes:
        tables: at least one input each.
        failures: names that nothing answered to.
    """

    tables: tuple[TablePlan, ...]
    failures: tuple[InputFailure, ...]

    @property
    def inputs(self) -> tuple[MediaInput, ...]:
        """All inputs in order."""
        return tuple(media for table in self.tables for media in table.inputs)

    @property
    def n_named(self) -> int:
        """Inputs found and names that nothing answered to."""
        return len(self.inputs) + len(self.failures)


def make_plan(patterns: Sequence[PathName], out: PathName) -> Plan:
    """Resolve inputs and outputs.

    ``out`` with a table's ending is one table for everything (its column ``source`` tells inputs apart). An existing
    folder, a name that ends with ``/`` and a name without ending are a folder with one Parquet table per input, named
    after the input. Nothing is created yet.

    Raises:
        ConfigError: no input was named, or ``out`` has the ending of something else.
    """
    if not patterns:
        raise ConfigError("no input given; name files, folders, glob patterns or a camera number")
    is_folder = _is_folder(out)
    found: dict[object, MediaInput] = {}
    failures = []
    for pattern in patterns:
        # One at a time, so that one bad name does not stop the others.
        try:
            for media in find_inputs([pattern]):
                identity = media.camera if media.path is None else media.path.resolve()
                found.setdefault(identity, media)
        except InputError as error:
            failures.append(InputFailure(path=os.fspath(pattern), reason=str(error)))
    inputs = tuple(found.values())
    if not is_folder:
        tables = [TablePlan(Path(out), inputs, tuple(failures))] if inputs else []
    else:
        tables = [
            TablePlan(Path(out, name), (media,)) for media, name in zip(inputs, _table_names(inputs), strict=True)
        ]
    return Plan(tuple(tables), tuple(failures))


def _is_folder(out: PathName) -> bool:
    name, path = os.fspath(out), Path(out)
    if path.is_dir() or name.endswith(("/", os.sep)) or not path.suffix:
        return True
    if path.suffix.lower() not in TABLE_ENDINGS:
        raise ConfigError(
            f"{name}: a table ends in one of {', '.join(TABLE_ENDINGS)}; if this shall be a folder, write {name}/"
        )
    return False


def _table_names(inputs: Sequence[MediaInput]) -> list[str]:
    """A file name per input: its stem where that is unique in this run, else with its ending, then with its folders."""
    spellings = [_spellings(media) for media in inputs]
    n_uses = [Counter(map(_key, level)) for level in zip(*spellings, strict=True)]
    names: list[str] = []
    taken: set[str] = set()
    for spelling in spellings:
        unique = (name for name, uses in zip(spelling, n_uses, strict=True) if uses[_key(name)] == 1)
        name = next(unique, spelling[-1])
        # Unique among spellings of one kind is not unique among all: "a_b/c.mp4" beside "a/b_c.mp4".
        numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
        name = next(each for each in numbered if _key(each) not in taken)
        taken.add(_key(name))
        names.append(name + DEFAULT_ENDING)
    return names


def _spellings(media: MediaInput) -> tuple[str, str, str, str]:
    """Names for an input, shortest first."""
    if media.path is None:
        name = media.name.replace(" ", "-")
        return (name, name, name, name)
    path = media.path
    everything = "_".join(part for part in path.absolute().parts if part != path.absolute().anchor)
    return (path.stem, path.name, "_".join(path.absolute().parts[-2:]), everything)


def _key(name: str) -> str:
    """What file systems that fold case or compose characters take for the same name."""
    return unicodedata.normalize("NFC", name).casefold()
