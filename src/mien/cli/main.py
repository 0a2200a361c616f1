# SPDX-License-Identifier: Apache-2.0
"""The ``mien`` command, its table of subcommands, and the boundary where errors become exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import MappingProxyType
from typing import NoReturn

import click

from mien._version import __version__
from mien.core import (
    ConfigError,
    DatasetError,
    InputError,
    JobError,
    MienError,
    MissingExtraError,
    ModelError,
    OutputError,
)

EXIT_CODES: MappingProxyType[type[MienError], int] = MappingProxyType(
    {ConfigError: 2, DatasetError: 3, InputError: 3, JobError: 3, OutputError: 3, ModelError: 4, MissingExtraError: 5}
)
"""Error -> exit code. Code 1 is for runs that were done in part, which is not an error but a result."""

INTERRUPTED = 130

# name -> (module:attribute, line for the listing); a command's module is imported when it is called.
COMMANDS = MappingProxyType(
    {
        "analyze": ("mien.cli.recordings.analyze:analyze", "Photos, videos or a camera to a table of affect."),
        "bench": ("mien.cli.recordings.bench:bench", "How fast every stage is on this machine."),
        "blend": ("mien.cli.research.blend:blend", "Search the weights of several systems on labelled data."),
        "compound": ("mien.cli.recordings.compound:compound", "Compound expressions of a table of affect, zero-shot."),
        "convert": ("mien.cli.recordings.convert:convert", "A table in another format, or in OpenFace's columns."),
        "data": ("mien.cli.research.data:data", "List the data sets that mien reads, or check a copy of one."),
        "evaluate": ("mien.cli.research.evaluate:evaluate", "Measure a bundle by a named protocol."),
        "export": ("mien.cli.research.export:export", "Write a smaller variant of a bundle, measured (extra: train)."),
        "features": (
            "mien.cli.recordings.features:features",
            "Embeddings and raw scores of every frame, to train heads on.",
        ),
        "import": ("mien.cli.research.models:import_", "Make a bundle of weights that others publish (extra: import)."),
        "live": ("mien.cli.recordings.live:live", "Watch a camera: in the terminal, or on a page of this machine."),
        "models": ("mien.cli.research.models:models", "List the bundles, or show what one says of itself."),
        "report": ("mien.cli.recordings.report:report", "A page with timelines, key frames and a summary of tables."),
        "smooth": ("mien.cli.recordings.smooth:smooth", "Smooth a table of affect over time."),
        "submit": ("mien.cli.research.submit:submit", "Write or check a challenge submission."),
        "summarize": (
            "mien.cli.recordings.summarize:summarize",
            "Coverage, means, shares, base rates and events of tables.",
        ),
        "tracks": ("mien.cli.recordings.tracks:tracks", "List the tracks of a table, and name persons."),
        "train": ("mien.cli.research.train:train", "Train a recipe and write a measured bundle (extra: train)."),
    }
)


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mien")
def mien() -> None:
    """Reads facial affect in the wild: expression, valence, arousal and action units of every face.

    Works offline. Shows what faces do, not what people feel.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code of the contract."""
    try:
        code = mien.main(arguments, prog_name="mien", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough (``mien models | head -1``). Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MienError as error:
        click.echo(f"mien: {error}", err=True)
        sys.exit(exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)


def exit_code(error: MienError) -> int:
    """The exit code of an error: its own class's, or that of the nearest parent in the table; 1 if there is none."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)
