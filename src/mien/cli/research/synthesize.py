# SPDX-License-Identifier: Apache-2.0
"""``mien synthesize``."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import click

from mien.cli.main import say
from mien.core import MAX_SEED, MAX_WORKERS, ConfigError, path_exists

_SECONDS_BETWEEN_LINES = 5.0


@click.command(short_help="Draw synthetic faces with exact labels (extra: synthesis).")
@click.option(
    "--recipe",
    required=True,
    metavar="NAME|FILE",
    help="Name of a recipe (units, action-units, turned-faces, lsd, clips) or a TOML file.",
)
@click.option("--n", type=click.IntRange(1, 100_000_000), help="Number of faces, or of clips.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "folder", "lsd", "clips"]),
    default="parquet",
    show_default=True,
    help="Parquet shards, a folder of images, the layout of the LSD challenge, or videos; all with tables of labels.",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Seed in place of that of the recipe.")
@click.option(
    "--workers", type=click.IntRange(1, MAX_WORKERS), default=1, show_default=True, help="Number of processes."
)
@click.option("--engine", default="local", show_default=True, help="Job engine: local, ray or ray=ADDRESS.")
@click.option(
    "--preview",
    "preview_path",
    type=click.Path(path_type=Path),
    help="Image file for a contact sheet of the first 48 faces of the recipe.",
)
@click.option(
    "--preview-units", type=click.Path(path_type=Path), help="Image file for a contact sheet of every action unit."
)
@click.option("--quiet", is_flag=True, help="No progress.")
def synthesize(
    recipe: str,
    n: int | None,
    out: Path | None,
    form: str,
    seed: int | None,
    workers: int,
    engine: str,
    preview_path: Path | None,
    preview_units: Path | None,
    *,
    quiet: bool,
) -> int:
    """Draw faces of a recipe and write them with their labels, or show them on a contact sheet.

    The same recipe, seed and number give the same bytes with any number of workers. An interrupted run
    continues where it stopped when it is started again.
    """
    from mien import synthesis
    from mien.media import save_image

    if (n is None) != (out is None):
        raise ConfigError("give --n together with --out")
    if out is None and preview_path is None and preview_units is None:
        raise ConfigError("nothing to do: give --n and --out, --preview, or --preview-units")
    _check_sheets([("--preview", preview_path), ("--preview-units", preview_units)], recipe)
    chosen = synthesis.load_synthesis_recipe(recipe)
    if seed is not None:
        chosen = dataclasses.replace(chosen, seed=seed)
    if preview_path is not None:
        save_image(preview_path, synthesis.preview(chosen))
    if preview_units is not None:
        save_image(preview_units, synthesis.unit_preview(chosen))
    if out is None or n is None:
        return 0
    started_s = time.monotonic()
    next_line_s = started_s + _SECONDS_BETWEEN_LINES
    first: int | None = None

    def show(done: int, total: int) -> None:
        nonlocal next_line_s, first
        first = done if first is None else first
        now_s = time.monotonic()
        if not quiet and now_s >= next_line_s:
            next_line_s = now_s + _SECONDS_BETWEEN_LINES
            say(f"{done} of {total}, {(done - first) / (now_s - started_s):.1f} per second", err=True)

    form_name: synthesis.Format = form  # type: ignore[assignment]  # one of the choices of the option
    report = synthesis.synthesize(chosen, out, n=n, form=form_name, workers=workers, engine=engine, on_progress=show)
    for name, reason in report.failures:
        say(f"mien: {name}: {reason}", err=True)
    unit = "frames" if form == "clips" else "faces"
    if not quiet:
        say(f"{report.n_faces} {unit} in {out}, {report.n_written} of them new", err=True)
    if report.failures and not report.n_faces:
        return 3
    return 1 if report.failures else 0


def _check_sheets(sheets: list[tuple[str, Path | None]], recipe: str) -> None:
    """Refuse contact sheets that replace one another or the recipe, or that cannot be written."""
    from mien.media import require_image_suffix
    from mien.results import OutputFile, check_outputs

    files = [OutputFile(option, path) for option, path in sheets if path is not None]
    for file in files:
        require_image_suffix(file.path)
    check_outputs(files, [("--recipe", recipe)] if path_exists(recipe) else [])
