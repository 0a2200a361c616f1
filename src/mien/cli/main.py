# SPDX-License-Identifier: Apache-2.0
"""Defines the ``mien`` command and its subcommands, and turns errors into exit codes."""

from __future__ import annotations

import difflib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType
from typing import NoReturn

import click

from mien._version import __version__
from mien.cli.json_log import JsonLog, wants_json, write_event
from mien.core import (
    ConfigError,
    DatasetError,
    InputError,
    JobError,
    MienError,
    MissingExtraError,
    ModelError,
    OutputError,
    printable,
)

EXIT_CODES: MappingProxyType[type[MienError], int] = MappingProxyType(
    {ConfigError: 2, DatasetError: 3, InputError: 3, JobError: 3, OutputError: 3, ModelError: 4, MissingExtraError: 5}
)
"""Error -> exit code. Code 1 is for runs that were done in part, which is not an error but a result."""

INTERRUPTED = 130

# name -> (module:attribute, line of the list); a command's module is imported when it is called.
_RECORDINGS = {
    "analyze": ("mien.cli.recordings.analyze:analyze", "Photos, videos or a camera to a table of affect."),
    "live": ("mien.cli.recordings.live:live", "Watch a camera: in the terminal, or on a page of this machine."),
    "summarize": (
        "mien.cli.recordings.summarize:summarize",
        "Coverage, means, shares, base rates and events of tables.",
    ),
    "report": ("mien.cli.recordings.report:report", "A page with timelines, key frames and a summary of tables."),
    "explain": ("mien.cli.recordings.explain:explain", "Why a face got its prediction, or a clip its mean."),
    "smooth": ("mien.cli.recordings.smooth:smooth", "Smooth a table of affect over time."),
    "tracks": ("mien.cli.recordings.tracks:tracks", "List the tracks of a table, name persons, or forget them."),
    "compound": ("mien.cli.recordings.compound:compound", "Compound expressions of a table of affect, zero-shot."),
    "convert": (
        "mien.cli.recordings.convert:convert",
        "A table for other programs: CSV, Excel, SPSS, OpenFace, ELAN.",
    ),
    "bench": ("mien.cli.recordings.bench:bench", "Speed of every stage on this machine."),
}
_RESEARCH = {
    "models": ("mien.cli.research.models:models", "List the bundles, or show the description of one."),
    "data": ("mien.cli.research.data:data", "List the data sets that mien reads, or check a copy of one."),
    "features": (
        "mien.cli.recordings.features:features",
        "Embeddings and raw scores of every frame, to train heads on.",
    ),
    "synthesize": (
        "mien.cli.research.synthesize:synthesize",
        "Draw synthetic faces with exact labels (extra: synthesis).",
    ),
    "upscale": ("mien.cli.research.upscale:upscale", "Super-resolution of training images (extra: upscale)."),
    "train": ("mien.cli.research.train:train", "Train a recipe and write a measured bundle (extra: train)."),
    "evaluate": ("mien.cli.research.evaluate:evaluate", "Measure a bundle by a named protocol."),
    "utterances": (
        "mien.cli.research.utterances:utterances",
        "Emotion, sentiment and sarcasm of a table of utterances.",
    ),
    "audit": ("mien.cli.research.audit:audit", "Audit a bundle over groups of people, pairs and corruptions."),
    "adapt": ("mien.cli.research.adapt:adapt", "Correct a model for one person or one site from a few faces."),
    "blend": ("mien.cli.research.blend:blend", "Search the weights of several models on labelled data."),
    "submit": ("mien.cli.research.submit:submit", "Write or check a challenge submission."),
    "export": ("mien.cli.research.export:export", "Write a smaller variant of a bundle, measured (extra: train)."),
    "import": (
        "mien.cli.research.models:import_",
        "Make a bundle or start weights of published weights (extra: import).",
    ),
}

GROUPS: MappingProxyType[str, dict[str, tuple[str, str]]] = MappingProxyType(
    {"Recordings": _RECORDINGS, "Research": _RESEARCH}
)
"""Heading of the help -> its commands, in the order of the work."""

COMMANDS: MappingProxyType[str, tuple[str, str]] = MappingProxyType({**_RECORDINGS, **_RESEARCH})
"""Name of a command -> where it is, and its line in the help."""


class _LazyGroup(click.Group):
    """Lists all commands without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"no such command {args[0]!r}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, COMMANDS))
        for heading, commands in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), summary) for name, (_, summary) in commands.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mien")
def mien() -> None:
    """Predicts facial affect: expression, valence, arousal and action units of every face.

    Works offline. Shows what faces do, not what people feel.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    if wants_json(sys.argv[1:] if arguments is None else arguments):
        with JsonLog():
            try:
                _run(arguments, _complain_in_json)
            except Exception:  # noqa: BLE001 - a bug, whose traceback must not be the one thing that is no JSON
                _complain_in_json("crash", traceback.format_exc(), 1)
                sys.exit(1)
    _run(arguments, _complain)


def _run(arguments: list[str] | None, complain: Callable[[str, str, int], None]) -> NoReturn:
    try:
        if any("\0" in argument for argument in arguments or ()):  # only Python can pass one; click fails on it
            raise click.UsageError("an argument holds a NUL character, which no name can have")
        _refuse_empty(sys.argv[1:] if arguments is None else arguments)
        code = mien.main(arguments, prog_name="mien", standalone_mode=False)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        complain("error", text.getvalue().rstrip("\n"), error.exit_code)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted", "interrupted", INTERRUPTED)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The other end of the pipe is closed (``mien models | head -1``). Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MienError as error:
        complain("error", f"mien: {error}", exit_code(error))
        sys.exit(exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)


def _complain(_event: str, message: str, _code: int) -> None:
    say(message, err=True)


def _complain_in_json(event: str, message: str, code: int) -> None:
    write_event(event, {"message": message, "exit_code": code})


def say(text: str, *, err: bool = False) -> None:
    """Prints a line in which names from files cannot steer the terminal, see `mien.core.printable`."""
    click.echo(printable(text, keep="\n"), err=err)


def safe_json(content: object) -> str:
    """JSON for people to read, in which names from files cannot steer the terminal.

    Letters beyond ASCII stay as they are, unless one of them is a sign that a terminal obeys.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return text if printable(text, keep="\n") == text else json.dumps(content, indent=1)


def _refuse_empty(arguments: list[str]) -> None:
    """Refuses empty values, such as ``--out ""`` of a script with a variable that is not set; none has a meaning.

    Raises:
        click.UsageError: An argument is empty.
    """
    for before, argument in zip([None, *arguments], arguments, strict=False):
        if argument == "" or (argument.startswith("--") and argument.endswith("=")):
            name = argument.rstrip("=") or (before if before is not None and before.startswith("-") else "an argument")
            raise click.UsageError(f"{name} is empty; give it a value, or leave it out")


def exit_code(error: MienError) -> int:
    """Exit code of an error: that of its class, or of the nearest parent in `EXIT_CODES`; 1 if there is none."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)


def result_code(*, any_done: bool, complete: bool) -> int:
    """Exit code of a run: 0 all done, 1 some inputs failed or were read in part, 3 none could be read."""
    if not any_done:
        return 3
    return 0 if complete else 1
