# SPDX-License-Identifier: Apache-2.0
"""The steps from the data to the default bundles are commands that exist, in an order in which each finds its input."""

from pathlib import Path

import click
import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.training.shipped_bundles import BUNDLES, main, steps
from mien.cli.main import mien
from mien.inference import list_bundles


def test_every_step_is_a_command_with_options_that_it_knows(tmp_path: Path) -> None:
    for step in steps(tmp_path / "data", tmp_path / "work"):
        name, *arguments = step.arguments
        if name == "benchmarks":
            assert arguments[0] in BENCHMARKS
            continue
        command = mien.get_command(click.Context(mien), name)
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_each_step_finds_what_an_earlier_one_made(tmp_path: Path) -> None:
    work, made = tmp_path / "work", set()
    plan = steps(tmp_path / "data", work)
    for step in plan:
        named = dict(zip(step.arguments, step.arguments[1:], strict=False))
        for option in ("--model", "--join"):
            if option in named:
                assert named[option] in made
        if step.result is not None and "--out" in named:
            made.add(named["--out"])
    assert set(BUNDLES) <= set(list_bundles("affect"))
    assert {str(work / "shipped" / name) for name in BUNDLES} <= made
    assert len(steps(tmp_path / "data", work, "mien-light")) == len(plan) - 3


def test_a_step_whose_result_is_there_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = tmp_path / "work" / "lite0" / "model.json"
    done.parent.mkdir(parents=True)
    done.write_text("{}")
    assert main(["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("done: ") for line in lines] == [True, *[False] * (len(lines) - 1)]
    assert "mien train mien-light" in lines[0]
