# SPDX-License-Identifier: Apache-2.0
"""``mien models`` and ``mien import``: lists, shows and makes bundles."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.main import safe_json, say
from mien.core import DEFAULT_BUNDLE, DEFAULT_LANDMARK_MODEL, GEOMETRY_OUTPUTS, ConfigError, MissingExtraError


@click.group(invoke_without_command=True, short_help="List the bundles, or show the description of one.")
@click.pass_context
def models(ctx: click.Context) -> None:
    """List the bundles that come with mien; ``mien models show NAME`` shows the model card of one."""
    if ctx.invoked_subcommand is not None:
        return
    from mien.inference import list_bundles, list_geometry_bundles, load_geometry, load_spec

    for name in list_bundles():
        spec = load_spec(name)
        tasks = ", ".join(f"{task.task} ({len(task.labels)})" for task in spec.tasks)
        say(f"{name}  version {spec.version}, {spec.input.size_px} px {spec.input.colour}: {tasks}")
    for name in list_geometry_bundles():
        version = load_geometry(name).spec.version
        say(f"{name}  version {version}, 68 landmarks, no pixels: {', '.join(GEOMETRY_OUTPUTS)} (--va geometry)")
    say(
        f"mien analyze uses {DEFAULT_BUNDLE} with {DEFAULT_LANDMARK_MODEL}; --model names another one, and mien bench "
        "CLIP tells how long a video takes with it here"
    )


@models.command(short_help="Show the model card of a bundle.")
@click.argument("model", default="mien-light")
@click.option("--json", "as_json", is_flag=True, help="Print the content of model.json.")
def show(model: str, as_json: bool) -> None:
    """Show the model card of a bundle, by name or folder."""
    from mien.inference import geometry_card, is_geometry, load_geometry, load_spec, model_card

    if is_geometry(model):
        found = load_geometry(model).spec
        content, card = found.to_json(), geometry_card(found)
    else:
        spec = load_spec(model)
        content, card = spec.to_json(), model_card(spec)
    if as_json:
        click.echo(safe_json(content))
    else:
        say(card)


@models.command(short_help="Write model card, data card, audit summary and hashes of bundles.")
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the cards and SHA256SUMS.")
@click.option(
    "--audits",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with MODEL/audit.json of mien audit, for the audit summaries.",
)
def cards(names: tuple[str, ...], out: Path, audits: Path | None) -> None:
    """Write the cards of bundles, all that come with mien if none is named.

    Every card carries the SHA-256 of the weights; an audit of other weights is refused, and a summary of one removed.
    """
    from mien.pipeline import list_all_bundles, write_cards

    for path in write_cards(names or list_all_bundles(), out, audits=audits):
        say(f"wrote {path}")


@click.group("import", short_help="Make a bundle or start weights of published weights (extra: import).")
def import_() -> None:
    """Make a bundle, or start weights of a training, of weights that their authors publish."""


@import_.command(short_help="Make start weights of a published face network (FaceRes, SFace).")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File of start weights to write (.npz).")
def start(file: Path, out: Path) -> None:
    """Make start weights of FILE, a face network as its authors publish it.

    FILE is the tfjs graph model of FaceRes (.json, its weights beside it) or an .onnx file of SFace, also one with
    8-bit blocks. mien downloads nothing: docs/how-to/training.md says where the files are.
    """
    try:
        from mien.training.models.start_files import import_start
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    if out.suffix != ".npz":
        raise ConfigError(f"--out {out}: start weights are an .npz file")
    try:
        trunk = import_start(file, out)
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    n_weights = sum(layer.weight.size for layer in trunk.layers)
    say(f"{out}: {trunk.kind}, {len(trunk.layers)} convolutions with {n_weights} weights")
    say(f'a recipe starts from it with [model] backbone = "mobilenet_v1", start = "{out}"')


def _missing(error: ModuleNotFoundError) -> Exception:
    """The error for a package of the extra that is not there; the error itself where a part of mien is missing."""
    package = (error.name or "onnx").partition(".")[0]
    return error if package == "mien" else MissingExtraError("onnx" if package == "google" else package, "import")


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
        raise _missing(error) from error
    if file.suffix in (".pt", ".pth", ".h5"):
        raise ConfigError(f"{file}: mien reads no pickled or Keras weights; take the .onnx file of the same name")
    spec = import_emotiefflib(file, name or file.stem, out)
    tasks = ", ".join(f"{task.task} ({len(task.labels)})" for task in spec.tasks)
    say(f"{out}: {spec.name}, {spec.input.size_px} px {spec.input.colour}: {tasks}")
    say(f"mien models show {out} describes it; use it with: mien analyze clip.mp4 --out t.csv --model {out}")
