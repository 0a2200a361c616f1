# SPDX-License-Identifier: Apache-2.0
"""Whatever the arguments are: an exit code of the contract and a sentence, never a traceback or control characters."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, example, given, settings

from mien.core import printable
from tests.helpers.command_lines import all_commands, command_lines, make_workspace, run_line

CODES = (0, 1, 2, 3, 4, 5)
LINES = command_lines(all_commands())
QUIET: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}


def check(words: list[str]) -> None:
    # Two levels deep, so that ".." is a folder of the test, too.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        folder.mkdir()
        make_workspace(folder)
        outcome = run_line(words, folder)
        assert type(outcome.code) is int
        assert outcome.code in CODES
        assert "Traceback" not in outcome.shown
        assert outcome.shown == printable(outcome.shown, keep="\n")
        assert outcome.code == 0 or outcome.shown.strip(), "a reason is given"
        assert (folder / "table.csv").exists()


@settings(max_examples=250, derandomize=bool(os.environ.get("CI")), **QUIET)
@given(words=LINES)
@example(words=["analyze", "a\0b", "--out", "t.csv"])
@example(words=["analyze", "missing.mp4", "--out", "\0"])
@example(words=["convert", "table.csv", "--out", "table.csv"])
def test_any_command_line_ends_with_a_code_and_a_sentence(words: list[str]) -> None:
    check(words)


def one_odd_name_each(name: str, command: click.Command, odd: str) -> Iterator[list[str]]:
    """Command lines with an odd name in one argument or option each, and a usual value where another is required."""
    needed = [each for each in command.params if each.required or isinstance(each, click.Argument)]
    for chosen in command.params:
        if isinstance(chosen.type, (click.Choice, click.IntRange, click.FloatRange)) or getattr(
            chosen, "is_flag", False
        ):
            continue
        words = name.split()
        for each in dict.fromkeys([*needed, chosen]):
            is_choice = isinstance(each.type, click.Choice)
            usual = str(each.type.choices[0]) if is_choice else "t.csv" if each.name == "out" else "table.csv"  # type: ignore[attr-defined]
            value = odd if each is chosen else usual
            words += [value] if isinstance(each, click.Argument) else [each.opts[0], value]
        yield words


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_a_name_that_no_file_can_have_is_one_sentence_in_every_place(name: str) -> None:
    for odd in ("é" * 300, "a\0b"):
        for words in one_odd_name_each(name, all_commands()[name], odd):
            check(words)


@pytest.mark.slow
@settings(max_examples=6000, **QUIET)
@given(words=LINES)
def test_any_of_many_command_lines_ends_with_a_code_and_a_sentence(words: list[str]) -> None:
    check(words)
