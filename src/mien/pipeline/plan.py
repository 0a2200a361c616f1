# SPDX-License-Identifier: Apache-2.0
"""Which inputs go into which table, decided before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.core import ConfigError, InputError
from mien.media import MediaInput, find_inputs
from mien.results import TABLE_ENDINGS, InputFailure

DEFAULT_ENDING = ".parquet"


@dataclass(frozen=True)
class TablePlan:
    """One table and what goes into it, in order."""

    table: Path
    inputs: tuple[MediaInput, ...]


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


def make_plan(patterns: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Plan:
    """Resolve inputs and outputs.

    ``out`` with a table's ending is one table for everything (its column ``source`` tells inputs apart); anything else
    is a folder with one Parquet table per input, named after the input.

    Raises:
        ConfigError: no input was named, or ``out`` has the ending of something else.
    """
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    if not patterns:
        raise ConfigError("no input given; name files, folders, glob patterns or a camera number")
    found: dict[str, MediaInput] = {}
    failures = []
    for pattern in patterns:
        try:
            found |= {media.name: media for media in find_inputs([pattern])}
        except InputError as error:
            failures.append(InputFailure(path=os.fspath(pattern), reason=str(error)))
    inputs = tuple(found.values())
    out = Path(out)
    if out.suffix.lower() in TABLE_ENDINGS and not out.is_dir():
        return Plan((TablePlan(out, inputs),) if inputs else (), tuple(failures))
    if out.suffix and not out.is_dir() and len(inputs) == 1:
        raise ConfigError(f"{out}: the ending must be one of {', '.join(TABLE_ENDINGS)}, or name a folder")
    names = _table_names(inputs)
    return Plan(tuple(TablePlan(out / names[media.name], (media,)) for media in inputs), tuple(failures))


def _table_names(inputs: Sequence[MediaInput]) -> dict[str, str]:
    """A file name per input: its stem where that is unique in this run, else with suffix, else with its folders too."""
    spellings = [
        [media.path.stem, media.path.name, "_".join(media.path.parts[-2:]), _flat(media.path)]
        if media.path is not None
        else [media.name.replace(" ", "-")] * 4
        for media in inputs
    ]
    chosen = {}
    for media, spelling in zip(inputs, spellings, strict=True):
        for level, name in enumerate(spelling):
            if sum(other[level].casefold() == name.casefold() for other in spellings) == 1:
                break
        chosen[media.name] = name + DEFAULT_ENDING
    return chosen


def _flat(path: Path) -> str:
    return "_".join(part for part in path.absolute().parts if part != path.anchor)
