# SPDX-License-Identifier: Apache-2.0
"""Every number of every command has limits: an absurd one is exit code 2 and a sentence, before any work."""

import math
from pathlib import Path
from typing import Any

import click
import pytest

from mien.affect import AdaptiveRate, Smoothing, box_mean
from mien.core import MAX_SECONDS, MAX_STRIDE, ConfigError, FaceSelector
from mien.jobs import create_engine
from mien.pipeline import bench
from mien.results import summarize_table
from tests.helpers.command_lines import all_commands, make_workspace, run_line

_ABSURD = ("-1", "1e18", "nan", "inf", "-inf", "9" * 30, "x", "0x10")
_ALWAYS_GIVEN = {
    "--out": "out.csv",
    "--recipe": "units",
    "--data": "folder",
    "--model": "folder",
    "--variant": "int8",
    "--list": "text.mp4",
    "--predictions": "folder",
    "--examples": "folder",
}
# Numbers in texts: command line -> what stands before the number.
_IN_TEXTS = (
    ("analyze tiny.png --out out.csv --smooth", "expr="),
    ("analyze tiny.png --out out.csv --smooth", "au=3,sigma="),
    ("analyze tiny.png --out out.csv --adaptive", ""),
    ("analyze tiny.png --out out.csv --faces", "track="),
    ("convert table.csv --out out.csv --faces", "track="),
    ("evaluate va --data folder --smooth", "va="),
    ("blend va --data folder --predictions folder --smooth", "va="),
    ("submit va --list text.mp4 --predictions folder --out out.txt --smooth", "va="),
)


def _numeric() -> list[tuple[str, click.Option]]:
    kinds = (click.IntRange, click.FloatRange, type(click.INT), type(click.FLOAT))
    return [
        (name, option)
        for name, command in all_commands().items()
        for option in command.params
        if isinstance(option, click.Option) and isinstance(option.type, kinds) and not option.is_flag
    ]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    make_workspace(tmp_path)
    return tmp_path


def _refused(words: list[str], folder: Path) -> None:
    outcome = run_line(words, folder)
    assert outcome.code == 2, (words, outcome)
    assert "Traceback" not in outcome.shown
    assert outcome.shown.strip()
    assert not list(folder.glob("out*")), words


def test_there_are_numbers_to_test() -> None:
    names = {(name, option.opts[0]) for name, option in _numeric()}
    assert {("analyze", "--every"), ("bench", "--repeats"), ("synthesize", "--n"), ("train", "--seed")} <= names
    assert len(names) > 25


@pytest.mark.parametrize(
    ("name", "option"), [pytest.param(*each, id=f"{each[0]}{each[1].opts[0]}") for each in _numeric()]
)
def test_an_absurd_number_is_refused(name: str, option: click.Option, workspace: Path) -> None:
    command = all_commands()[name]
    words = name.split()
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.required:
            words.append("va" if parameter.name in ("task", "protocol") else "table.csv")
        elif isinstance(parameter, click.Option) and parameter.required:
            words += [parameter.opts[0], _ALWAYS_GIVEN[parameter.opts[0]]]
    for number in _ABSURD:
        _refused([*words, f"{option.opts[0]}={number}"], workspace)


@pytest.mark.parametrize(("line", "before"), _IN_TEXTS)
def test_an_absurd_number_in_a_text_is_refused(line: str, before: str, workspace: Path) -> None:
    *words, option = line.split()
    for number in (*_ABSURD, "1" + "0" * 16):
        _refused([*words, f"{option}={before}{number}"], workspace)


@pytest.mark.parametrize("number", [-1, 10**18, math.nan, math.inf, True, "3"])
def test_python_refuses_the_same_numbers(number: Any, tmp_path: Path) -> None:
    for call in (
        lambda: Smoothing(expr=number),
        lambda: Smoothing(au=3, sigma=-1.0 if number is True else number),
        lambda: AdaptiveRate(strides=(number, 1)),
        lambda: box_mean([0.0, 1.0], number),
        lambda: bench(tmp_path / "missing.mp4", repeats=number),
        lambda: create_engine("local", workers=number if number is not True else 0),
    ):
        with pytest.raises((ConfigError, TypeError)):
            call()


def test_the_largest_numbers_are_allowed(tmp_path: Path) -> None:
    assert Smoothing(va=MAX_STRIDE).va == MAX_STRIDE
    assert FaceSelector.parse("track=999999999").track_id == 999_999_999
    assert box_mean([0.0, 1.0], MAX_STRIDE).tolist() == [0.5, 0.5]
    make_workspace(tmp_path)
    assert len(summarize_table(tmp_path / "table.csv", window_s=MAX_SECONDS).windows)
    with pytest.raises(ConfigError, match="at most 100,000,000 s"):
        summarize_table(tmp_path / "table.csv", window_s=2 * MAX_SECONDS)
