# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.cli import main as command_line
from mien.cli.main import COMMANDS, EXIT_CODES, GROUPS, exit_code, result_code
from mien.core import ConfigError, InputError, MienError, MissingExtraError, ModelError, OutputError


def subclasses(kind: type[MienError]) -> Iterator[type[MienError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_error_has_its_exit_code() -> None:
    for kind in set(subclasses(MienError)):
        assert any(parent in EXIT_CODES for parent in kind.__mro__), kind


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (InputError("x"), 3),
        (OutputError("x"), 3),
        (ModelError("x"), 4),
        (MissingExtraError("torch", "train"), 5),
    ],
)
def test_the_codes_of_the_contract(error: MienError, code: int) -> None:
    assert exit_code(error) == code


def test_a_child_takes_its_parents_code() -> None:
    class TinyImageError(InputError):
        pass

    assert exit_code(TinyImageError("x")) == 3


def test_help_lists_every_command(mien) -> None:
    ended = mien("--help")
    assert ended.code == 0
    for name, (_, summary) in COMMANDS.items():
        assert name in ended.out
        assert summary[:30] in ended.out


def test_version(mien) -> None:
    from mien import __version__

    assert mien("--version").out.split()[-1] == __version__


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("analyse", "no such command 'analyse'; did you mean analyze?"),
        ("sumarize", "no such command 'sumarize'; did you mean summarize?"),
        ("xyzzy", "no such command 'xyzzy'\n"),
    ],
)
def test_an_unknown_command_names_a_near_one(mien, name: str, message: str) -> None:
    ended = mien(name)
    assert ended.code == 2
    assert message in ended.err


def test_commands_are_grouped_by_who_uses_them_in_a_stable_order(mien) -> None:
    lines = mien("--help").out.splitlines()
    for heading, commands in GROUPS.items():
        start = lines.index(f"{heading}:") + 1
        assert [line.split()[0] for line in lines[start : start + len(commands)]] == list(commands)
    assert [name for commands in GROUPS.values() for name in commands] == list(COMMANDS)


@pytest.mark.parametrize(
    ("any_done", "complete", "code"), [(True, True, 0), (True, False, 1), (False, False, 3), (False, True, 3)]
)
def test_the_codes_of_results(any_done: bool, complete: bool, code: int) -> None:
    assert result_code(any_done=any_done, complete=complete) == code


@pytest.mark.parametrize("arguments", [("analyse",), ("analyze", "--nonsense"), ("--nonsense",)])
def test_wrong_usage_is_2_and_names_the_help(mien, arguments: tuple[str, ...]) -> None:
    ended = mien(*arguments)
    assert ended.code == 2
    assert "--help" in ended.err


def test_an_error_is_a_sentence_and_not_a_traceback(mien) -> None:
    ended = mien("models", "show", "nonsense")
    assert ended.code == 4
    assert ended.err.startswith("mien: nonsense: no bundle of that name")
    assert ended.err.count("\n") == 1


def test_ctrl_c_anywhere_is_130(mien, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.inference.list_bundles", interrupt)
    ended = mien("models")
    assert (ended.code, ended.err.strip()) == (130, "interrupted")


def test_the_module_is_the_command() -> None:
    ended = subprocess.run([sys.executable, "-m", "mien", "--version"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert ended.stdout.startswith("mien, version ")


def test_a_reader_that_leaves_early_is_no_crash() -> None:
    command = [sys.executable, "-m", "mien", "models", "show", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_listing_commands_imports_none() -> None:
    code = "import sys; from mien.cli.main import mien; mien.main(['--help'], standalone_mode=False); " + (
        "print([name for name in sys.modules if name.startswith('mien.') and 'core' not in name and 'cli' not in name])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "['mien._version']"


def test_a_photo_in_a_pipe_loads_nothing_that_it_does_not_need(photo: Path, tmp_path: Path) -> None:
    arguments = ["analyze", str(photo), "--out", str(tmp_path / "t.csv")]
    code = f"import sys; from mien.cli.main import mien; mien.main({arguments!r}, standalone_mode=False); " + (
        "print({'pandas', 'pyarrow.compute', 'rich', 'mien.pipeline.feature_extraction.extraction'} "
        "& sys.modules.keys())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "set()"


def test_the_door() -> None:
    assert callable(command_line)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["analyze", "a.mp4", "--out", ""], "--out"),
        (["convert", "t.csv", "--to", "openface", "--out="], "--out"),
        (["features", "a.mp4", "--out", ""], "--out"),
        (["tracks", "t.csv", "--thumbnails", ""], "--thumbnails"),
        (["summarize", ""], "an argument"),
    ],
)
def test_an_empty_value_is_refused(
    mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = mien(*arguments)
    assert (ended.code, ended.err) == (2, f"Error: {named} is empty; give it a value, or leave it out\n")
    assert list(tmp_path.iterdir()) == []
