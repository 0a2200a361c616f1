# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with a file that a command reads: an exit code of the contract and a sentence."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.core import printable
from tests.helpers.command_lines import run_line
from tests.helpers.mutated_files import Scenario, damages, write_workspace

CODES = (0, 1, 2, 3, 4, 5)
QUIET: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
CASES = given(data=st.data(), changes=st.lists(damages(), min_size=1, max_size=2))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Scenario]]:
    folder = tmp_path_factory.mktemp("workspace")
    return folder, write_workspace(folder)


def copy_of(workspace: Path, scenario: Scenario, to: Path) -> None:
    """The files of a scenario, and the media of its run, in another folder."""
    for name in {*scenario.folders, *(("media",) if (workspace / "media").is_dir() else ())}:
        shutil.copytree(workspace / name, to / name)
    for word in scenario.words:
        if (workspace / word).is_dir() and not (to / word).exists():
            shutil.copytree(workspace / word, to / word)


def test_every_scenario_works_on_undamaged_files(workspace: tuple[Path, list[Scenario]]) -> None:
    for scenario in workspace[1]:
        with tempfile.TemporaryDirectory() as name:
            copy_of(workspace[0], scenario, Path(name))
            outcome = run_line(list(scenario.words), Path(name))
            assert outcome.code == scenario.code, (scenario.words, outcome.shown)


def check(
    workspace: tuple[Path, list[Scenario]], data: st.DataObject, changes: list[Callable[[Path, st.DataObject], None]]
) -> None:
    scenario = data.draw(st.sampled_from(workspace[1]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of(workspace[0], scenario, folder)
        for change in changes:
            files = sorted(path for each in scenario.folders for path in (folder / each).rglob("*") if path.is_file())
            if files:
                change(data.draw(st.sampled_from(files)), data)
        outcome = run_line(list(scenario.words), folder)
        assert type(outcome.code) is int
        assert outcome.code in CODES
        assert "Traceback" not in outcome.shown
        assert outcome.shown == printable(outcome.shown, keep="\n")
        assert outcome.code == 0 or outcome.shown.strip(), "a reason is given"


@settings(max_examples=250, derandomize=bool(os.environ.get("CI")), **QUIET)
@CASES
def test_damaged_files_end_with_a_code_and_a_sentence(workspace, data, changes) -> None:
    check(workspace, data, changes)


@pytest.mark.slow
@settings(max_examples=6000, **QUIET)
@CASES
def test_many_damaged_files_end_with_a_code_and_a_sentence(workspace, data, changes) -> None:
    check(workspace, data, changes)
