# SPDX-License-Identifier: Apache-2.0
"""The inventory of written files names every command and every option that writes."""

from collections.abc import Iterator

import click
import pytest

from mien.cli.data_inventory import MEANINGS, WRITES_NOTHING, WRITTEN_FILES, inventory_page
from mien.cli.main import COMMANDS, mien
from tests.helpers.repository import ROOT

# Options with a path that is read.
READ = {
    "--data",
    "--predictions",
    "--head",
    "--features",
    "--list",
    "--crops",
    "--validate",
    "--video",
    "--examples",
    "--audits",
    "--model",
}


def options(command: click.Command) -> Iterator[click.Option]:
    """All options of a command and of its subcommands."""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            child = command.get_command(click.Context(command), name)
            assert child is not None
            yield from options(child)
    yield from (one for one in command.params if isinstance(one, click.Option))


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_that_writes_is_listed(name: str) -> None:
    command = mien.get_command(click.Context(mien), name)
    assert command is not None
    found = {one.opts[0] for one in options(command) if isinstance(one.type, click.Path)} - READ
    found |= {one.opts[0] for one in options(command) if one.opts[0] in ("--forget", "--out")}
    listed = {one.option for one in WRITTEN_FILES if one.command == name}
    assert found == listed
    assert (name in WRITES_NOTHING) == (not listed)


def test_every_content_has_a_meaning_and_the_page_is_current() -> None:
    assert {one.content for one in WRITTEN_FILES} == set(MEANINGS)
    page = (ROOT / "docs/reference/data-inventory.md").read_text("utf-8")
    assert page == inventory_page(), "run: make docs"
