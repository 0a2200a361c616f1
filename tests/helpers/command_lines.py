# SPDX-License-Identifier: Apache-2.0
"""Random command lines for every command: odd values, missing and damaged files, options that clash."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from click.testing import CliRunner
from hypothesis import strategies as st

from mien.cli.main import COMMANDS, main, mien
from tests.helpers.affect_tables import NOBODY, faces, write_frames

FILES = (
    "tiny.png",
    "text.mp4",
    "empty.mp4",
    "noise.parquet",
    "table.csv",
    "headeronly.csv",
    "deep.json",
    "folder",
    "folder/sub",
    "loop",
    "locked/t.csv",
    "missing.mp4",
    "missing/t.csv",
    "tiny.png/t.csv",
)
ODD = (
    *("", " ", "\0", "a\0b", "\x1b[2J\x07", "\r", "\N{RIGHT-TO-LEFT OVERRIDE}", "caf\udce9.mp4", "é" * 300, "x" * 5000),
    *(
        "-",
        "--",
        "-1",
        "0",
        "1",
        "7",
        "nan",
        "inf",
        "-inf",
        "1e308",
        "9" * 20,
        "0x10",
        "½",
        "1,2,3",
        "1:2",
        "a=b",
        "=",
        "0.5",
    ),
    *(
        "*",
        "[",
        "~",
        ".",
        "..",
        "/dev",
        "/dev/null",
        "file:///etc/passwd",
        "http://127.0.0.1:9/x.mp4",
        "%s%n",
        "{}",
        "true",
    ),
    *(
        "0.5",
        "json",
        "none",
        "local=here",
        "openface",
        "person",
        "all",
        "largest",
        "va",
        "expr",
        "au",
        "mtl",
        "lfw",
        "t.csv",
    ),
)
# Models and recipes that exist are left out where they start long work.
_NO_MODEL = ("export", "bench", "train", "synthesize")
_HOLDS_FEWER_WORKERS = {"--workers": ("0", "-1", "1", "x", "9" * 20), "--threads": ("0", "-1", "1", "x", "9" * 20)}


@dataclass(frozen=True)
class Outcome:
    """How a command line ended.

    Attributes:
        code: Exit code.
        shown: What was printed, both streams.
    """

    code: object
    shown: str


def all_commands() -> dict[str, click.Command]:
    """Words of a command -> the command, subcommands included."""
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = mien.get_command(click.Context(mien), name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {word}": each for word, each in command.commands.items()}
    return found


def make_workspace(folder: Path) -> None:
    """Writes `FILES` into a folder."""
    cv2.imencode(".png", np.full((1, 1, 3), 7, np.uint8))[1].tofile(folder / "tiny.png")
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").touch()
    (folder / "noise.parquet").write_bytes(b"PAR1" + bytes(range(256)) + b"PAR1")
    write_frames(folder / "table.csv", {"clip.mp4": [(0.0, faces((1, "happiness", 0.5, 0.9))), (0.1, NOBODY)]})
    header = (folder / "table.csv").read_text().splitlines()[0]
    (folder / "headeronly.csv").write_text(header + "\n")
    (folder / "deep.json").write_text("[" * 3000)
    (folder / "folder" / "sub").mkdir(parents=True)
    (folder / "loop").symlink_to("loop")
    (folder / "locked").mkdir(mode=0o500)


def command_lines(commands: Mapping[str, click.Command]) -> st.SearchStrategy[list[str]]:
    """Command lines of any of the commands, most of them with all that is required."""
    return st.sampled_from(sorted(commands)).flatmap(lambda name: _lines(name, commands[name]))


@st.composite
def _lines(draw: st.DrawFn, name: str, command: click.Command) -> list[str]:
    words = name.split()
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            n = draw(st.sampled_from((1, 1, 1, 0, 2)))
            words += [draw(_values(name, parameter)) for _ in range(n)]
    options = [each for each in command.params if isinstance(each, click.Option)]
    needed = [each for each in options if each.required and draw(st.integers(0, 9)) > 0]
    more = draw(st.lists(st.sampled_from(options), max_size=4)) if options else []
    for option in (*needed, *more):
        words.append(draw(st.sampled_from((*option.opts, *option.secondary_opts))))
        if not option.is_flag:
            words.append(draw(_values(name, option)))
    if draw(st.integers(0, 7)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(st.sampled_from(ODD) | st.text(max_size=6)))
    return words


def _values(name: str, parameter: click.Parameter) -> st.SearchStrategy[str]:
    if parameter.opts[0] in _HOLDS_FEWER_WORKERS:
        return st.sampled_from(_HOLDS_FEWER_WORKERS[parameter.opts[0]])
    if isinstance(parameter.type, click.Choice):
        fitting: tuple[str, ...] = tuple(map(str, parameter.type.choices))
    elif isinstance(parameter.type, (click.IntRange, click.FloatRange)) or parameter.type in (click.INT, click.FLOAT):
        fitting = ("1", "2", "3")
    elif parameter.opts[0] == "--model" and name not in _NO_MODEL:
        fitting = ("mien-light", *FILES)
    else:
        fitting = FILES
    return st.sampled_from(fitting) | st.sampled_from(ODD) | st.sampled_from(fitting) | st.text(max_size=6)


def run_line(words: list[str], folder: Path) -> Outcome:
    """Run a command line in this process and in a folder.

    Raises:
        Exception: Whatever comes out of it that is no exit code.
    """
    before = Path.cwd()
    os.chdir(folder)
    try:
        with CliRunner().isolation(input="") as streams:
            code: object = None
            try:
                main(words)
            except SystemExit as ended:
                code = ended.code
            sys.stdout.flush()
            sys.stderr.flush()
            shown = streams[0].getvalue() + streams[1].getvalue()
    finally:
        os.chdir(before)
    return Outcome(code, shown.decode("utf-8", "backslashreplace"))
