# SPDX-License-Identifier: Apache-2.0
"""The steps from the data to the default bundles are commands that exist, in an order in which each finds its input."""

from importlib import import_module
from pathlib import Path

import click
import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.training.shipped_bundles import BUNDLES, FULL, SMALL, main, steps
from benchmarks.training.small_data import N_FACES
from mien.cli.main import mien
from mien.inference import list_bundles
from mien.training import load_recipe


def test_every_step_is_a_command_with_options_that_it_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in [step for size in (FULL, SMALL) for step in steps(tmp_path / "data", tmp_path / "work", size=size)]:
        name, *arguments = step.arguments
        if name == "benchmarks":
            module, function = BENCHMARKS[arguments[0]].target.split(":")
            with pytest.raises(SystemExit) as ended:
                getattr(import_module(module), function)(["--help"])
            said = capsys.readouterr().out
            assert ended.value.code == 0
            assert all(argument in said for argument in arguments if argument.startswith("--"))
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
    assert len(steps(tmp_path / "data", work, "mien-light")) == len(plan) - 4


def test_a_step_whose_result_is_there_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = tmp_path / "work" / "lite0" / "model.json"
    done.parent.mkdir(parents=True)
    done.write_text('{"metrics": []}')  # a crash came before the evaluation
    assert main(["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--list"]) == 0
    assert "done: " not in capsys.readouterr().out
    done.write_text('{"metrics": [{}]}')
    assert main(["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("done: ") for line in lines] == [True, *[False] * (len(lines) - 1)]
    assert "mien train mien-light" in lines[0]


def test_the_small_mode_runs_the_same_steps_with_less_and_renders_into_its_own_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--small", "--list"]) == 0
    small = capsys.readouterr().out.splitlines()
    assert main(["--data", str(tmp_path / "data"), "--work", str(tmp_path / "work"), "--list"]) == 0
    whole = capsys.readouterr().out.splitlines()
    assert not (tmp_path / "work").exists()
    assert [line.split()[:3] for line in small] == [line.split()[:3] for line in whole]
    assert not any(str(tmp_path / "data") in line for line in small)
    for line in small:
        assert str(tmp_path / "work/small") in line
        assert ("mien train" in line) == ("stages.*.epochs=1" in line)
    assert [line for line in whole if "--set" in line or "--held-out" in line or "--pairs" in line] == []
    rendered = [line for line in small if "synthesize" in line]
    assert [int(line.split("--n ")[1].split()[0]) for line in rendered] == list(SMALL.n_rendered)
    assert all(str(tmp_path / "work/small/data/rendered") in line for line in rendered)


def test_the_changes_of_the_small_mode_fit_the_recipes() -> None:
    changes = dict(text.split("=") for text in SMALL.training if "=" in text)
    for name in ("mien-light", "mien-accurate", "mien-units"):
        recipe = load_recipe(name, {key: int(value) for key, value in changes.items()})
        assert {stage.epochs for stage in recipe.stages} == {1}
        assert 0 < recipe.data.calibration_rows < N_FACES["ferplus/train"]
