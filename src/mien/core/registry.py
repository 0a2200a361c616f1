# SPDX-License-Identifier: Apache-2.0
"""`Registry`: a table of frozen records, each with a name and a target that is imported only when it is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from importlib import import_module
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from mien.core.errors import ConfigError


class Record(Protocol):
    """What a registry needs to know of its records; the rest are facts for the reader."""

    @property
    def name(self) -> str:
        """The name that callers use."""

    @property
    def target(self) -> str:
        """Where the thing itself lives, as ``"package.module:attribute"``."""


RecordT = TypeVar("RecordT", bound=Record)


class Registry(Generic[RecordT]):
    """A read-only table from name to record.

    Args:
        kind: what the records are, in the singular, for error messages: ``"detector"``.
        records: the table's lines, in the order in which they are listed.

    Raises:
        ConfigError: two records have the same name.
    """

    def __init__(self, kind: str, records: Iterable[RecordT]) -> None:
        table: dict[str, RecordT] = {}
        for record in records:
            if record.name in table:
                raise ConfigError(f"two {kind}s are named {record.name!r}")
            table[record.name] = record
        self._kind = kind
        self._table = MappingProxyType(table)

    def __getitem__(self, name: str) -> RecordT:
        """The record of that name.

        Raises:
            ConfigError: there is none; the message lists near matches, or all names.
        """
        try:
            return self._table[name]
        except KeyError:
            near = difflib.get_close_matches(str(name), self._table, cutoff=0.5)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose from {', '.join(self._table)}"
            raise ConfigError(f"no {self._kind} is named {name!r}; {hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def load(self, name: str) -> Any:
        """The target of the record of that name, imported now.

        Raises:
            ConfigError: no record has that name.
        """
        module, _, attribute = self[name].target.partition(":")
        return getattr(import_module(module), attribute)
