# SPDX-License-Identifier: Apache-2.0
"""Builds options of the command line from the fields of the options dataclasses in `mien.core`."""

from __future__ import annotations

import os
import re
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, fields
from types import MappingProxyType
from typing import Any, TypeVar

import click

from mien.core import DISPLAY_SMOOTHING, AnalyzerConfig, JobOptions, Outputs, VideoOptions, option_info, private_files

Command = TypeVar("Command", bound=Callable[..., Any])


def log_option(command: Command) -> Command:
    """Decorator of commands that report progress and events: ``--log``, and ``--quiet`` in short."""
    quiet = click.option("--quiet", "-q", "log", flag_value="quiet", help="Print only what went wrong.")
    form = click.option(
        "--log",
        type=click.Choice(["text", "json", "quiet"]),
        default="text",
        show_default=True,
        help="Form of messages on standard error: text, one JSON object per line for programs, or quiet.",
    )
    return quiet(form(command))


def smooth_option(when: str) -> Callable[[Command], Command]:
    """Decorator of commands that show values of tables: ``--smooth``, lightly if not given.

    Args:
        when: Which values are smoothed, and when, as the end of a sentence.
    """
    return click.option(
        "--smooth",
        default=DISPLAY_SMOOTHING,
        show_default=True,
        metavar="SETTINGS",
        help=f"Smooth the values over time {when}: a half-width such as 0.4s, settings as for analyze --smooth, or "
        "none.",
    )


def _close_to_others(context: click.Context, _: click.Parameter, private: bool) -> None:
    context.with_resource(private_files(private=private))


private_option = click.option(
    "--private",
    is_flag=True,
    expose_value=False,
    callback=_close_to_others,
    help="Close all files and folders that are written to other users of this machine.",
)
"""Decorator of commands over tables: whatever they write has the modes 0600 and 0700."""


def field_options(
    *kinds: type,
    only: Collection[str] = (),
    without: Collection[str] = (),
    required: Collection[str] = (),
    help_texts: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[Command], Command]:
    """A decorator that gives a command one option per field; their values arrive as keywords of the field's name.

    Args:
        *kinds: Options classes, in the order of the help.
        only: Names of the fields to offer; empty for all.
        without: Names of the fields to leave out.
        required: Names of the fields that must be given.
        help_texts: Field name -> help text of this command, where the general one does not fit.
    """
    chosen = [
        (one, typing.get_type_hints(kind)[one.name], _HEADINGS.get(kind))
        for kind in kinds
        for one in fields(kind)
        if (not only or one.name in only) and one.name not in without
    ]

    def decorate(command: Command) -> Command:
        for one, hint, heading in reversed(chosen):  # the last decorator comes first in the help
            help_text = help_texts.get(one.name, option_info(one).help)
            command = _option(one, hint, help_text, heading, required=one.name in required)(command)
        return command

    return decorate


_HEADINGS: Mapping[type, str] = MappingProxyType(
    {Outputs: "Output", VideoOptions: "Videos", AnalyzerConfig: "Models", JobOptions: "Workers"}
)
"""Options class -> heading of its options in the help."""


class _GroupedOption(click.Option):
    """An option that knows its heading in the help."""

    def __init__(self, *arguments: Any, heading: str | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.heading = heading


class GroupedCommand(click.Command):
    """A command whose help lists its options under the headings of `field_options`, the others last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of every heading."""
        groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in _HEADINGS.values()}
        others = groups.setdefault("Other", [])
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.get(getattr(parameter, "heading", None) or "", others).append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class TimeRange(click.FloatRange):
    """A time as seconds, ``62.5``, or with minutes and hours, ``1:02.5`` and ``1:02:03``; the value is in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The time in seconds, within the limits."""
        text = str(value)
        if ":" in text:
            if not _TIME.fullmatch(text):
                self.fail(f"{text!r} is no time; write seconds, 1:02.5 or 1:02:03", param, ctx)
            seconds = 0.0
            for part in text.split(":"):
                seconds = 60 * seconds + float(part)
            value = seconds
        return float(super().convert(value, param, ctx))


_TIME = re.compile(r"(\d+:)?[0-5]?\d:[0-5]?\d(\.\d*)?|\d+:[0-5]?\d(\.\d*)?", re.ASCII)


def _option(
    one: Field[Any], hint: Any, help_text: str, heading: str | None, *, required: bool
) -> Callable[[Command], Command]:
    info = option_info(one)
    grouped: dict[str, Any] = {"cls": _GroupedOption, "heading": heading}
    if hint is bool:
        is_pair = "/" in info.flag
        return click.option(
            info.flag, one.name, is_flag=True, default=one.default, show_default=is_pair, help=help_text, **grouped
        )
    # click takes a default of None for a value that is given, and then requires nothing.
    default: dict[str, Any] = {} if one.default is None else {"default": one.default, "show_default": True}
    return click.option(
        info.flag,
        one.name,
        type=_type(hint, info.minimum, info.maximum, info.metavar),
        **default,
        **grouped,
        required=required,
        metavar=info.metavar,
        help=help_text,
    )


def _type(hint: Any, minimum: float | None, maximum: float | None, unit: str | None = None) -> Any:
    """The click type of a field's annotation."""
    kinds = {hint, *typing.get_args(hint)}
    if unit == "SECONDS":
        return TimeRange(minimum, maximum)
    if int in kinds:
        low, high = (None if limit is None else int(limit) for limit in (minimum, maximum))
        return click.IntRange(low, high)
    if float in kinds:
        return float if minimum is None and maximum is None else click.FloatRange(minimum, maximum)
    if os.PathLike in {typing.get_origin(kind) for kind in kinds}:
        return click.Path()  # text, since a slash at the end means a folder; the type lets shells complete names
    return str
