# SPDX-License-Identifier: Apache-2.0
"""Options for predictions of one or several systems, as ``mien evaluate`` and ``mien submit`` take them."""

from __future__ import annotations

from collections.abc import Sequence

import click


def numbers(text: str | None, option: str) -> tuple[float, ...]:
    """``.5,.4`` as numbers; none for None.

    Raises:
        click.BadParameter: something is no number.
    """
    if not text:
        return ()
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{option} takes numbers and commas, got {text!r}") from error


def weights_by_task(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """``("va=.7,.3", "au=.5,.5")`` as task -> weights.

    Raises:
        click.BadParameter: a task is unknown or there twice, or something is no number.
    """
    weights: dict[str, tuple[float, ...]] = {}
    for text in texts:
        task, _, values = text.partition("=")
        if task not in ("va", "expr", "au") or task in weights:
            raise click.BadParameter(f"--weights is va=, expr= or au= with numbers, each once; cannot use {text!r}")
        weights[task] = numbers(values, "--weights")
    return weights
