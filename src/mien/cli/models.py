# SPDX-License-Identifier: Apache-2.0
"""``mien models``."""

from __future__ import annotations

import json

import click


@click.group(invoke_without_command=True, short_help="List the bundles, or show what one says of itself.")
@click.pass_context
def models(ctx: click.Context) -> None:
    """List the bundles that come with mien; ``mien models show NAME`` tells everything about one."""
    if ctx.invoked_subcommand is not None:
        return
    from mien.inference import list_bundles, load_spec

    for name in list_bundles():
        spec = load_spec(name)
        tasks = ", ".join(f"{task.task} ({len(task.labels)})" for task in spec.tasks)
        click.echo(f"{name}  version {spec.version}, {spec.input.size_px} px {spec.input.colour}: {tasks}")


@models.command(short_help="Everything that a bundle says of itself.")
@click.argument("model", default="mien-light")
@click.option("--json", "as_json", is_flag=True, help="The content of model.json.")
def show(model: str, as_json: bool) -> None:
    """Show the model card of a bundle, by name or folder."""
    from mien.inference import load_spec, model_card

    spec = load_spec(model)
    click.echo(json.dumps(spec.to_json(), indent=1, ensure_ascii=False) if as_json else model_card(spec))
