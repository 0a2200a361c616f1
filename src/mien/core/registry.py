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
    """The fields that a registry needs of its records; the others are facts for listings."""

    @property
    def name(self) -> str:
        """Name that callers use."""

    @property
    def target(self) -> str:
        """Place of the implementation, as ``"package.module:attribute"``."""


RecordT = TypeVar("RecordT", bound=Record)


class Registry(Generic[RecordT]):
    """A read-only table from name to record.

    Args:
        kind: Word for one record in error messages, for example ``"detector"``.
        records: Records in the order in which they are listed.

    Raises:
        ConfigError: Two records have the same name.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Filter:
        ...     name: str
        ...     target: str
        >>> filters = Registry("filter", [Filter("mean", "statistics:mean"), Filter("median", "statistics:median")])
        >>> list(filters)
        ['mean', 'median']
        >>> filters.load("median")([1, 5, 2])
        2
        >>> filters["medain"]
        Traceback (most recent call last):
        mien.core.errors.ConfigError: no filter is named 'medain'; did you mean 'median' or 'mean'?
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
            ConfigError: No record has that name; the message lists near matches, or all names.
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
            ConfigError: No record has that name.
        """
        module, _, attribute = self[name].target.partition(":")
        return getattr(import_module(module), attribute)
