# SPDX-License-Identifier: Apache-2.0
"""Options that ``mien evaluate`` and ``mien submit`` share: heads, post-processing and weights of a blend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

_OPTIONS = (
    click.option(
        "--head",
        "heads",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of a head over clips; give one per head of a blend.",
    ),
    click.option(
        "--features",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of feature shards that --head reads; give every folder.",
    ),
    click.option(
        "--smooth",
        metavar="SETTINGS",
        help="Half-widths in frames of the smoothing, such as expr=50,va=50,au=3, or bundle for those of the bundle. "
        "[default: none]",
    ),
    click.option(
        "--thresholds",
        metavar="P,...",
        help="Probability from which each action unit counts as present, or bundle for those of the bundle. "
        "[default: 0.5 for each]",
    ),
    click.option(
        "--weights",
        multiple=True,
        metavar="TASK=W,...",
        help="Weight of each model of a blend, such as va=0.7,0.3; give one per task. [default: equal weights]",
    ),
)


def blend_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --head, --features, --smooth, --thresholds and --weights to a command, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def parse_thresholds(text: str | None) -> tuple[float, ...] | Literal["bundle"]:
    """``0.5,0.4`` as numbers, the word ``bundle`` as itself, None as no number.

    Raises:
        click.BadParameter: A part is not a number.
    """
    return "bundle" if text == "bundle" else _numbers(text, "--thresholds") if text else ()


def parse_weights(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """``("va=0.7,0.3", "au=0.5,0.5")`` as task or emotion -> weights.

    Raises:
        click.BadParameter: A name is given twice, or a part is not a number.
    """
    weights: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or name in weights:
            raise click.BadParameter(f"--weights is TASK=W,W,... with each task once; cannot use {text!r}")
        weights[name] = _numbers(values, "--weights")
    return weights


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{option} takes numbers and commas, got {text!r}") from error
