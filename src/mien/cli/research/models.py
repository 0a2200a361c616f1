# SPDX-License-Identifier: Apache-2.0
"""``mien models`` and ``mien import``: lists, shows and makes bundles."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mien.cli.main import say
from mien.core import ConfigError, MissingExtraError


@click.group(invoke_without_command=True, short_help="List the bundles, or show the description of one.")
@click.pass_context
def models(ctx: click.Context) -> None:
    """List the bundles that come with mien; ``mien models show NAME`` shows the model card of one."""
    if ctx.invoked_subcommand is not None:
        return
    from mien.inference import list_bundles, load_spec

    for name in list_bundles():
        spec = load_spec(name)
        tasks = ", ".join(f"{task.task} ({len(task.labels)})" for task in spec.tasks)
        say(f"{name}  version {spec.version}, {spec.input.size_px} px {spec.input.colour}: {tasks}")


@models.command(short_help="Show the model card of a bundle.")
@click.argument("model", default="mien-light")
@click.option("--json", "as_json", is_flag=True, help="Print the content of model.json.")
def show(model: str, as_json: bool) -> None:
    """Show the model card of a bundle, by name or folder."""
    from mien.inference import load_spec, model_card

    spec = load_spec(model)
    click.echo(json.dumps(spec.to_json(), indent=1, ensure_ascii=False) if as_json else model_card(spec))


@click.group("import", short_help="Make a bundle of published weights (extra: import).")
def import_() -> None:
    """Make a bundle of weights that their authors publish."""


@import_.command(short_help="Make a bundle of an ONNX file of EmotiEffLib (HSEmotion).")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--name",
    metavar="NAME",
    help="Published name of the weights, such as enet_b0_8_va_mtl. [default: FILE without its ending]",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new bundle.")
def emotiefflib(file: Path, name: str | None, out: Path) -> None:
    """Make a bundle of FILE, an .onnx file that EmotiEffLib publishes.

    mien downloads nothing: fetch the file from its authors. No pickle is read.
    """
    try:
        from mien.training.export.emotiefflib import import_emotiefflib
    except ModuleNotFoundError as error:
        package = (error.name or "onnx").partition(".")[0]
        if package == "mien":
            raise  # a part of mien itself is missing, which no extra brings
        raise MissingExtraError("onnx" if package == "google" else package, "import") from error
    if file.suffix in (".pt", ".pth", ".h5"):
        raise ConfigError(f"{file}: mien reads no pickled or Keras weights; take the .onnx file of the same name")
    spec = import_emotiefflib(file, name or file.stem, out)
    tasks = ", ".join(f"{task.task} ({len(task.labels)})" for task in spec.tasks)
    say(f"{out}: {spec.name}, {spec.input.size_px} px {spec.input.colour}: {tasks}")
    say(f"mien models show {out} describes it; use it with: mien analyze clip.mp4 --out t.csv --model {out}")
