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
    from mien.inference import load_spec

    spec = load_spec(model)
    if as_json:
        click.echo(json.dumps(spec.to_json(), indent=1, ensure_ascii=False))
        return
    click.echo(f"{spec.name}, version {spec.version}\n{spec.weights_notice}\nMade: {spec.made}\n\nWhat comes out")
    for task in spec.tasks:
        click.echo(f"  {task.task} [{task.low:g}, {task.high:g}], {task.unit}: {', '.join(task.labels)}")
        if task.inferred:
            click.echo(f"    inferred from other actions, not observed: {', '.join(task.inferred)}")
    click.echo("\nTaught by")
    for source in spec.taught_by:
        click.echo(f"  {source.name} (n={source.n}): {source.role}. {source.licence}")
    click.echo("\nMeasured (95 % interval)")
    for figure in spec.figures:
        click.echo(
            f"  {figure.data}, {figure.measure}: {figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}], n={figure.n}"
        )
    for command in dict.fromkeys(figure.command for figure in spec.figures):
        click.echo(f"  measure again: {command}")
    click.echo("\nLimits")
    for limit in spec.limits:
        click.echo(f"  - {limit}")
