# SPDX-License-Identifier: Apache-2.0
"""``mien reproduce``."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import click

from mien.core import MissingExtraError


@click.command(short_help="Train every network of the papers under one budget (extra: train).")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the open face sets.")
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of checkpoints and bundles.")
@click.option(
    "--page", required=True, type=click.Path(path_type=Path), help="Markdown file; its records lie beside it as JSON."
)
@click.option("--images", type=click.IntRange(min=1), help="Faces shown to each network. [default: the table's]")
@click.option("--size", "size_px", type=click.IntRange(min=16), help="Side of the crops. [default: the table's]")
@click.option("--batch", type=click.IntRange(min=2), help="Faces a step. [default: the table's]")
@click.option("--rows", multiple=True, metavar="NAME", help="Only this row; may be repeated, and sets the order.")
@click.option("--only", type=click.Choice(["train", "speed", "page"]), help="One pass alone. [default: all]")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Of torch and the runtimes.")
@click.option("--accelerator", type=click.Choice(["cpu", "gpu", "mps", "auto"]), default="cpu", show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), help="Folder of decoded pictures. [default: user's cache]")
def reproduce(
    data: Path,
    work: Path,
    page: Path,
    images: int | None,
    size_px: int | None,
    batch: int | None,
    rows: tuple[str, ...],
    only: str | None,
    threads: int,
    accelerator: str,
    cache: Path | None,
) -> int:
    """Fill the table of results: each network learns from the same faces, is measured, and its speed is taken.

    A row that was trained with the same settings is kept, an interrupted one goes on. The page lists every row; those
    that were not run yet say how. Another budget (--images, --size, --batch) becomes that of the table: rows of the
    old one stay in it, marked, until they are trained anew.
    """
    try:
        from mien.training import reproduction
        from mien.training.run import ComputeSettings
    except ModuleNotFoundError as error:
        package = (error.name or "torch").partition(".")[0]
        if package == "mien":
            raise  # a part of mien itself is missing, which no extra brings
        raise MissingExtraError(package, "train") from error
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("mien").setLevel(logging.INFO)
    given = {"images": images, "size_px": size_px, "batch": batch}
    changes = {name: value for name, value in given.items() if value is not None}
    failures = reproduction.reproduce(
        data,
        work,
        page,
        budget=dataclasses.replace(reproduction.load_budget(page), **changes),
        names=rows,
        passes=(only,) if only else reproduction.PASSES,
        machine=ComputeSettings(threads=threads, accelerator=accelerator, cache=cache),
    )
    for name, reason in failures.items():
        click.echo(f"{name}: {reason}", err=True)
    click.echo(f"{page}" if not failures else f"{page}, without {len(failures)} rows that failed")
    return 1 if failures else 0
