# SPDX-License-Identifier: Apache-2.0
"""Describes the fields of options classes: help text, flag and effect on rows, and what is derived from them."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from numbers import Integral, Real
from typing import Any, TypeVar, TypeVarTuple

from mien.core.errors import ConfigError
from mien.core.typed import read_typed

Options = TypeVar("Options")
Kinds = TypeVarTuple("Kinds")
_INFO = "option"


@dataclass(frozen=True, kw_only=True)
class OptionInfo:
    """Description of one field of an options class.

    Attributes:
        help: One sentence that says what the option does, with its unit.
        flag: Name on the command line, such as ``--from``; ``--frames/--no-frames`` for a switch with both forms.
        metavar: Placeholder of the value in help texts; empty for a switch.
        minimum: Smallest number that is allowed; None for no limit.
        maximum: Largest number that is allowed; None for no limit.
        changes_rows: Whether rows of a table depend on the option; resume analyses an input again where one differs.
    """

    help: str
    flag: str
    metavar: str = ""
    minimum: float | None = None
    maximum: float | None = None
    changes_rows: bool = True


def option(help_text: str, flag: str, *, formerly: tuple[str, ...] = (), **facts: Any) -> dict[str, Any]:
    """Metadata of a field of an options class.

    Args:
        help_text: One sentence that says what the option does, with its unit.
        flag: Name on the command line, such as ``--from``.
        formerly: Names of the field in manifests of earlier versions.
        **facts: Further attributes of `OptionInfo`.

    Examples:
        >>> option("Analyse only every N-th frame.", "--every", metavar="N")["option"].metavar
        'N'
    """
    return {_INFO: OptionInfo(help=help_text, flag=flag, **facts), "formerly": formerly}


def option_info(one: Field[Any]) -> OptionInfo:
    """The description of a field of an options class."""
    info = one.metadata[_INFO]
    if not isinstance(info, OptionInfo):
        raise TypeError(f"{one.name} was not made by option()")
    return info


def described(kind: type[Options]) -> type[Options]:
    """Add the help text of every field to the docstring of an options class."""
    lines = [f"    {one.name}: {option_info(one).help}" for one in fields(kind)]  # type: ignore[arg-type]
    kind.__doc__ = "\n".join([inspect.cleandoc(kind.__doc__ or ""), "", "Attributes:", *lines])
    return kind


class CheckedOptions:
    """Base of the options classes: numbers are checked against the limits of their fields."""

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            info, value = option_info(one), getattr(self, one.name)
            if value is None or (info.minimum is None and info.maximum is None):
                continue
            check_number(one.name, value, info.minimum, info.maximum, whole="int" in str(one.type))


def check_number(name: str, value: Any, minimum: float | None, maximum: float | None, *, whole: bool = True) -> None:
    """Refuse a number that is out of its limits, no number, or not finite.

    Args:
        name: Name of the number, for the message.
        value: Number that the user gave.
        minimum: Smallest number that is allowed; None for no limit.
        maximum: Largest number that is allowed; None for no limit.
        whole: Whether only whole numbers are allowed.

    Raises:
        ConfigError: The number is refused.

    Examples:
        >>> check_number("repeats", 0, 1, 1000)
        Traceback (most recent call last):
            ...
        mien.core.errors.ConfigError: repeats must be from 1 to 1,000, got 0
    """
    low = float("-inf") if minimum is None else minimum
    high = float("inf") if maximum is None else maximum
    kind = Integral if whole else Real
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:  # type: ignore[operator]
        a_whole = "a whole number " if whole and isinstance(value, float) else ""
        limits = f"at least {low:g}" if maximum is None else f"from {low:g} to {high:,.15g}"
        raise ConfigError(f"{name} must be {a_whole}{limits}, got {value!r}")


def with_shortcuts(shortcuts: Mapping[str, Any], *options: *Kinds) -> tuple[*Kinds]:
    """Options with keyword shortcuts put in; each keyword goes to the options that have a field of its name.

    Args:
        shortcuts: Field name -> value.
        *options: Instances of options classes.

    Returns:
        The options in the same order.

    Raises:
        TypeError: No options have a field of that name.
        ConfigError: A value is refused.

    Examples:
        >>> from mien.core import AnalyzerConfig, VideoOptions
        >>> with_shortcuts({"every": 2, "threads": 1}, AnalyzerConfig(), VideoOptions())[1].every
        2
        >>> with_shortcuts({"evry": 2}, VideoOptions())
        Traceback (most recent call last):
            ...
        TypeError: unknown option 'evry'; did you mean 'every'?
    """
    given: tuple[Any, ...] = options
    names = [{one.name for one in fields(each)} for each in given]
    known = set().union(*names)
    for name in shortcuts:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
            raise TypeError(f"unknown option {name!r}; {hint}")
    changed: Any = tuple(
        replace(each, **{name: value for name, value in shortcuts.items() if name in has})
        for each, has in zip(given, names, strict=True)
    )
    return changed  # type: ignore[no-any-return]  # the same classes in the same order


def refuse_unused(options: object, used: tuple[str, ...], user: str) -> None:
    """Refuse options that a function would ignore.

    Args:
        options: Instance of an options class.
        used: Names of the fields that have an effect.
        user: Name of the function, for the message.

    Raises:
        ConfigError: Another field differs from its default.
    """
    for one, value in _values(options):
        if one.name not in used and value != one.default:
            raise ConfigError(f"{user} has no use for {one.name}={value!r}; leave it out")


def options_json(*options: object) -> dict[str, Any]:
    """Field name -> value that JSON can hold, as the run manifest stores options.

    Settings such as `mien.affect.Smoothing` become their text, other objects the name of their class.

    Examples:
        >>> from mien.core import JobOptions
        >>> options_json(JobOptions(workers=2))
        {'workers': 2, 'engine': 'local'}
    """
    return {one.name: _plain(value) for each in options for one, value in _values(each)}


def row_options(*options: object) -> dict[str, Any]:
    """The part of `options_json` that rows of a table depend on."""
    return {
        one.name: _plain(value) for each in options for one, value in _values(each) if option_info(one).changes_rows
    }


def read_options(kind: type[Options], arguments: Mapping[str, Any]) -> Options:
    """Options as the ``arguments`` of a run manifest hold them, also under the names of earlier versions.

    Args:
        kind: Options class.
        arguments: Field name -> JSON value; names of other options are passed over.

    Raises:
        ConfigError: A value is not of its field's type or is refused.

    Examples:
        >>> from mien.core import AnalyzerConfig
        >>> read_options(AnalyzerConfig, {"points": "none", "every": 2}).landmark_model
        'none'
    """
    names = {name for one in fields(kind) for name in (one.name, *one.metadata["formerly"])}  # type: ignore[arg-type]
    return read_typed(kind, {name: arguments[name] for name in arguments if name in names}, "the arguments of the run")


def _values(options: object) -> Iterator[tuple[Field[Any], Any]]:
    for one in fields(options):  # type: ignore[arg-type]  # options are dataclasses
        yield one, getattr(options, one.name)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value) if is_dataclass(value) else type(value).__name__
