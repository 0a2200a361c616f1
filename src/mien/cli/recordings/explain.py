# SPDX-License-Identifier: Apache-2.0
"""The command ``mien explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.field_options import field_options, smooth_option
from mien.cli.main import say
from mien.core import AnalyzerConfig, counted, is_folder, printable

if TYPE_CHECKING:
    from mien.affect import Stretch

_MAX_NAME = 200


@click.command(short_help="Why a face got its prediction, or which frames drove a clip's mean.")
@click.argument("source", metavar="IMAGE|TABLE", type=click.Path(path_type=Path))
@click.option(
    "--target",
    metavar="NAME",
    help="Value to explain: an expression, valence, arousal or an action unit such as AU12. [default: the most "
    "probable expression]",
)
@click.option(
    "--face",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    help="Number of the face, counted from the left.",
)
@click.option(
    "--method",
    type=click.Choice(["rise", "occlusion"]),
    default="rise",
    show_default=True,
    help="Saliency by random masks (RISE), or by one square that is blurred at a time.",
)
@click.option(
    "--masks", type=click.IntRange(2, 100_000), default=800, show_default=True, help="Number of masks of RISE."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Image file for the face, its map (red speaks for the value, blue against it) and rendered faces like it.",
)
@smooth_option("before those of a table are explained")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@field_options(AnalyzerConfig, only=("model", "landmark_model", "threads", "adapt"))
def explain(
    source: Path,
    target: str | None,
    face: int,
    method: str,
    masks: int,
    out: Path | None,
    smooth: str,
    *,
    as_json: bool,
    **models: object,
) -> None:
    """Explain a prediction for one face of IMAGE, or the mean of every track of TABLE.

    For an image: what brows, eyes, nose, mouth and the rest of the picture contribute (Shapley values, which add up),
    a saliency map, and the rendered faces that the network finds most similar. For a table: the stretches of time that
    moved the mean away from the usual level.
    """
    from mien.results import TABLE_ENDINGS

    if is_folder(source) or source.suffix.lower() in TABLE_ENDINGS:
        if out is not None:
            raise click.UsageError("--out is for images; the stretches of a table are printed, --json for programs")
        _explain_table(source, target, smooth, as_json=as_json)
        return
    from mien.affect import Analyzer, explain_face
    from mien.media import require_image_suffix, save_image

    if out is not None:
        require_image_suffix(out)
    analyzer = Analyzer(AnalyzerConfig(**models))  # type: ignore[arg-type]  # the options are its fields
    found = explain_face(
        analyzer,
        source,
        face=face,
        target=target,
        method=method,  # type: ignore[arg-type]  # one of the choices
        n_masks=masks,
    )
    if out is not None:
        save_image(out, found.picture())
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1))
        return
    say(str(found))
    say(
        f"deletion: area {found.deletion_area:.2f}, of random orders {found.random_area:.2f} (lower means that the map "
        "finds what the prediction needs)"
    )
    for one in found.prototypes:
        say(f"similar rendered face: {one.expression}, similarity {one.similarity:.2f}")
    if out is not None:
        say(f"wrote {out}")


def _explain_table(path: Path, target: str | None, smooth: str, *, as_json: bool) -> None:
    from mien.pipeline import explain_table

    found = explain_table(path, target, smooth=smooth)
    if as_json:
        click.echo(json.dumps([one.to_dict() for one in found], indent=1))
        return
    for one in found:
        name = printable(one.source, limit=_MAX_NAME)
        track = "" if one.track_id is None else f", track {one.track_id}"
        say(
            f"{name}{track}: mean {one.target} {one.mean:.3f}, usually {one.usual:.3f}, "
            f"{counted(one.n_frames, 'frame')}"
        )
        for stretch in one.stretches:
            say(
                f"  {_when(stretch)}: {stretch.share:.0%} of the difference, {counted(stretch.n_frames, 'frame')}"
                + (f", most at {stretch.peak_s:.2f} s" if stretch.n_frames > 1 else "")
            )


def _when(stretch: Stretch) -> str:
    if stretch.n_frames == 1:
        return f"at {stretch.first_s:.2f} s"
    return f"{stretch.first_s:.2f} to {stretch.last_s:.2f} s"
