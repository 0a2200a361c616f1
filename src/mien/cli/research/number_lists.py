# SPDX-License-Identifier: Apache-2.0
"""Option values of ``mien evaluate`` and ``mien submit`` that are more than one word or number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import click


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
