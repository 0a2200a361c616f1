# SPDX-License-Identifier: Apache-2.0
"""Reads parsed JSON or TOML into frozen dataclasses, with every key, type and choice checked."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from mien.core.errors import ConfigError, ModelError

Instance = TypeVar("Instance")

_LONGEST_NAME = 200
_LONGEST_SHOWN = 200


def read_typed(kind: type[Instance], content: object, where: str) -> Instance:
    """An instance of a dataclass from parsed JSON or TOML.

    Supported annotations are bool, int, float (which accepts whole numbers), str, ``Literal``, tuples,
    ``Mapping[str, X]``, dataclasses, and unions of these and None. In a union of dataclasses the key ``name`` selects
    the one whose field ``name`` has that default. A field with metadata ``formerly`` also reads its old names.

    Args:
        kind: Dataclass whose annotations say what each key may hold.
        content: Mapping of keys to values.
        where: File and place, for messages.

    Raises:
        ConfigError: A key is unknown, missing or wrongly typed, or the dataclass refuses the values.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Crop:
        ...     size_px: int
        ...     shrink: Literal["area", "bilinear"] = "area"
        >>> read_typed(Crop, {"size_px": 80}, "crop.toml")
        Crop(size_px=80, shrink='area')
        >>> read_typed(Crop, {"size_px": 80, "shrink": "nearest"}, "crop.toml")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: crop.toml: shrink must be one of 'area', 'bilinear', got 'nearest'
        >>> read_typed(Crop, {"size": 80}, "crop.toml")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: crop.toml: unknown keys ['size']; known are ['shrink', 'size_px']
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} must be an object, got {type(content).__name__}")
    known = _annotations(kind)
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


def read_versioned(kind: type[Instance], content: object, key: str, version: int, where: str) -> Instance:
    """An instance of a dataclass from the parsed JSON of a model's file, whose layout has one version.

    Args:
        kind: As for `read_typed`.
        content: Mapping of keys to values.
        key: Key of the version.
        version: The version that this mien reads.
        where: File, for messages.

    Raises:
        ModelError: The version is another one, or a key is unknown, missing or wrongly typed.
    """
    found = content.get(key) if isinstance(content, Mapping) else None
    if found != version:
        raise ModelError(f"{key} {found!r} is not {version}; this mien cannot read it, update mien")
    try:
        return read_typed(kind, content, where)
    except ConfigError as error:
        raise ModelError(str(error)) from error


def check_choices(instance: object) -> None:
    """Check every field of a dataclass whose annotation is a ``Literal``; for ``__post_init__``.

    Args:
        instance: Instance of a dataclass.

    Raises:
        ConfigError: A value is not among the choices of its field.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Kernel:
        ...     name: Literal["mean", "median"] = "mean"
        ...
        ...     def __post_init__(self) -> None:
        ...         check_choices(self)
        >>> Kernel("mode")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: name must be one of 'mean', 'median', got 'mode'
    """
    for name, annotation in _annotations(type(instance)).items():
        value, kinds = getattr(instance, name), typing.get_args(annotation)
        if typing.get_origin(annotation) in (types.UnionType, typing.Union) and kinds[1:] == (type(None),):
            annotation = kinds[0] if value is not None else None
        if typing.get_origin(annotation) is Literal:
            _choice(typing.get_args(annotation), value, name)
        elif typing.get_origin(annotation) is tuple and typing.get_origin(kinds[0]) is Literal:
            for item in value:
                _choice(typing.get_args(kinds[0]), item, name)


def check_finite(instance: object) -> None:
    """Check that no number of a dataclass is infinite or NaN, also in tuples; for ``__post_init__``.

    Args:
        instance: Instance of a dataclass.

    Raises:
        ConfigError: A number is not finite.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Scale:
        ...     std: tuple[float, ...]
        ...
        ...     def __post_init__(self) -> None:
        ...         check_finite(self)
        >>> Scale((1.0, float("nan")))
        Traceback (most recent call last):
        mien.core.errors.ConfigError: std must be finite, got (1.0, nan)
    """
    for one in fields(instance):  # type: ignore[arg-type]  # every caller is a dataclass
        value = getattr(instance, one.name)
        if not all(math.isfinite(number) for number in _numbers(value)):
            raise ConfigError(f"{one.name} must be finite, got {value!r}")


def check_text(name: str, value: str) -> None:
    """Check that a name is short printable text, which tables, file names and terminals can show.

    Args:
        name: Name of the field, for the message.
        value: Text to check.

    Raises:
        ConfigError: The text is empty, longer than 200 characters, or has control characters or surrounding spaces.

    Examples:
        >>> check_text("name", "mien-light")
        >>> check_text("name", " mien")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: name must be 1 to 200 printable characters, got ' mien'
    """
    if not 0 < len(value) <= _LONGEST_NAME or not value.isprintable() or value != value.strip():
        raise ConfigError(f"{name} must be 1 to {_LONGEST_NAME} printable characters, got {_shown(value)}")


def _numbers(value: Any) -> Iterator[float]:
    """The floats in a value, also those in nested tuples and mappings."""
    if isinstance(value, (tuple, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(item)
    elif isinstance(value, float):
        yield value


def _shown(value: Any) -> str:
    """A value in error messages, shortened."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _annotations(kind: Any) -> dict[str, Any]:
    return _cached_annotations(kind)


@cache
def _cached_annotations(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


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
    if origin is Literal:
        return _choice(kinds, value, where)
    if origin is tuple:
        return _tuple(kinds, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table, got {_shown(value)}")
        return {key: _value(kinds[1], item, f"{where}: {key}") for key, item in value.items()}
    if origin in (types.UnionType, typing.Union):
        named = tuple(kind for kind in kinds if kind is not type(None))
        if len(named) > 1 and all(is_dataclass(kind) for kind in named) and (value is not None or named == kinds):
            return read_typed(_named_kind(named, value, where), value, where)
        return _one_of_several(kinds, value, where)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{where} is too large, got {_shown(value)}") from None
    if type(value) is not expected:
        raise ConfigError(f"{where} must be {expected.__name__}, got {_shown(value)}")
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ConfigError(f"{where} must be Unicode text, got {_shown(value)}")
    return value


def _choice(allowed: tuple[Any, ...], value: Any, where: str) -> Any:
    """The value, if it equals one of the choices in value and type."""
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise ConfigError(f"{where} must be one of {', '.join(map(repr, allowed))}, got {_shown(value)}")
    return value


def _named_kind(kinds: tuple[Any, ...], value: Any, where: str) -> type[Any]:
    """The dataclass of a union whose field ``name`` has the value's ``name`` as default."""
    own = {str(field.default): kind for kind in kinds for field in fields(kind) if field.name == "name"}
    name = value.get("name") if isinstance(value, Mapping) else None
    if name not in own:
        raise ConfigError(f"{where}: name must be one of {sorted(own)}, got {name!r}")
    return typing.cast(type[Any], own[name])


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
        raise ConfigError(f"{where} must be one of {[kind.__name__ for kind in wanted]}, got {_shown(value)}")
    return value
