# SPDX-License-Identifier: Apache-2.0
"""Plain JSON or TOML content to frozen dataclasses, with every key and type checked."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from mien.core.errors import ConfigError

Instance = TypeVar("Instance")


def read_typed(kind: type[Instance], content: object, where: str) -> Instance:
    """An instance of a dataclass from parsed JSON or TOML.

    Understood are bool, int, float (a whole number will do), str, tuples, ``Mapping[str, X]``, dataclasses, and
    unions of these, None among them. A field with metadata ``formerly`` also answers to its old names.

    Args:
        kind: the dataclass; its annotations say what each key may hold.
        content: a mapping of keys to values.
        where: the file and place, for messages.

    Raises:
        ConfigError: a key is unknown, missing or wrongly typed, or the dataclass refuses the values.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} must be an object, got {type(content).__name__}")
    known = typing.get_type_hints(kind)
    content = _renamed(kind, content, where)
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ConfigError(f"{where}: unknown keys {unknown}; known are {sorted(known)}")
    missing = [
        field.name
        for field in fields(kind)  # type: ignore[arg-type]  # every Instance is a dataclass, which no type can say
        if field.default is MISSING and field.default_factory is MISSING and field.name not in content
    ]
    if missing:
        raise ConfigError(f"{where}: keys {missing} are missing")
    values = {key: _value(known[key], value, f"{where}: {key}") for key, value in content.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _renamed(kind: type[Any], content: Mapping[Any, Any], where: str) -> dict[Any, Any]:
    """The content with the current name of every key that a field was formerly called by."""
    current = {old: field.name for field in fields(kind) for old in field.metadata.get("formerly", ())}
    twice = sorted(key for key in content if current.get(key) in content)
    if twice:
        raise ConfigError(f"{where}: {twice} are old names of keys that are there, too; remove them")
    return {current.get(key, key): value for key, value in content.items()}


def _value(expected: Any, value: Any, where: str) -> Any:
    if is_dataclass(expected) and isinstance(expected, type):
        return read_typed(expected, value, where)
    origin, kinds = typing.get_origin(expected), typing.get_args(expected)
    if origin is tuple:
        return _tuple(kinds, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table, got {value!r}")
        return {key: _value(kinds[1], item, f"{where}: {key}") for key, item in value.items()}
    if origin in (types.UnionType, typing.Union):
        return _one_of_several(kinds, value, where)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not expected:
        raise ConfigError(f"{where} must be {expected.__name__}, got {value!r}")
    return value


def _tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where} must be a list, got {type(value).__name__}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ConfigError(f"{where} must have {len(kinds)} entries, got {len(value)}")
    return tuple(_value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _one_of_several(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    wanted = [kind for kind in kinds if kind is not type(None)]
    if value is None and len(wanted) < len(kinds):
        return None
    if len(wanted) == 1:
        return _value(wanted[0], value, where)
    lists = [kind for kind in wanted if typing.get_origin(kind) is tuple]
    if isinstance(value, (list, tuple)) and len(lists) == 1:
        return _value(lists[0], value, where)
    if type(value) not in wanted:
        raise ConfigError(f"{where} must be one of {[kind.__name__ for kind in wanted]}, got {value!r}")
    return value
