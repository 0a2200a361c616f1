# SPDX-License-Identifier: Apache-2.0
"""Options that ``mien evaluate`` and ``mien submit`` share: heads, post-processing and weights of a blend."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from mien.evaluation import PostProcessing

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
        multiple=True,
        metavar="[TASK=]P,...",
        help="Probability from which each action unit counts as present (au=, or without a name), or bundle for those "
        "of the bundle; expr=P: probability above which --confident decides. [default: 0.5 for each; expr=0.7]",
    ),
    click.option(
        "--weights",
        multiple=True,
        metavar="TASK=W,...",
        help="Weight of each model of a blend, such as va=0.7,0.3, or of the first of two, such as va=0.8 expr=0.5; or "
        "bundle for those that a model names. The order is --model, --predictions, --head. [default: equal weights]",
    ),
    click.option(
        "--blend-on",
        type=click.Choice(["probabilities", "logits"]),
        help="What is averaged over the models. [default: probabilities]",
    ),
    click.option(
        "--confident",
        metavar="NAME",
        help="Pretrained bundle, its folder, or folder of its affect tables, which decides the expression where it is "
        "certain.",
    ),
    click.option(
        "--compound-mean",
        type=click.Choice(["arithmetic", "geometric", "harmonic"]),
        help="Mean of two probabilities that scores a compound expression (ce). [default: arithmetic]",
    ),
)

_NAMED_WEIGHT = re.compile(r"[A-Za-z][\w -]*=[\d.,]+")


class BlendCommand(click.Command):
    """A command whose ``--weights`` takes several values after one name: ``--weights va=0.8 expr=0.5 au=0.5``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the name of the option before each further weight."""
        spread: list[str] = []
        in_weights = False
        for word in args:
            is_value = spread[-1:] == ["--weights"]
            if in_weights and not is_value and _NAMED_WEIGHT.fullmatch(word):
                spread.append("--weights")
            in_weights = word == "--weights" or is_value or spread[-1:] == ["--weights"]
            spread.append(word)
        return super().parse_args(ctx, spread)


def blend_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --head, --features, --smooth, --thresholds, --weights, --blend-on and the others to a command, in order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def post_processing(given: Mapping[str, Any]) -> PostProcessing:
    """The settings of `blend_options`.

    Raises:
        click.BadParameter: A threshold or a weight is malformed.
        ConfigError: A setting is unknown.
    """
    from mien.evaluation import PostProcessing

    thresholds, confidence = parse_thresholds(given["thresholds"])
    if confidence is not None and given["confident"] is None:
        raise click.UsageError("--thresholds expr=P is for --confident; name the pretrained model")
    return PostProcessing(
        smoothing=given["smooth"],
        thresholds=thresholds,
        weights=parse_weights(given["weights"]),
        blend_on=given["blend_on"] or "probabilities",
        confident=given["confident"],
        compound_mean=given["compound_mean"] or "arithmetic",
        **({} if confidence is None else {"confidence": confidence}),
    )


def parse_thresholds(texts: Sequence[str]) -> tuple[tuple[float, ...] | Literal["bundle"], float | None]:
    """``("au=0.5,0.4", "expr=0.8")`` as thresholds of action units and confidence; the name ``au`` may be left out.

    Raises:
        click.BadParameter: A name is unknown or given twice, or a part is not a number.
    """
    found: dict[str, tuple[float, ...] | Literal["bundle"]] = {}
    for text in texts:
        name, equals, values = text.rpartition("=")
        task = name if equals else "au"
        if task not in ("au", "expr") or task in found:
            raise click.BadParameter(f"--thresholds is for au and expr, each once; cannot use {text!r}")
        found[task] = "bundle" if values == "bundle" and task == "au" else _numbers(values, "--thresholds")
    confidence = found.get("expr")
    if confidence is not None and len(confidence) != 1:
        raise click.BadParameter("--thresholds expr takes one number")
    return found.get("au", ()), None if confidence is None else float(confidence[0])


def parse_weights(texts: Sequence[str]) -> dict[str, tuple[float, ...]] | Literal["bundle"]:
    """``("va=0.7,0.3", "au=0.5,0.5")`` as task or emotion -> weights; the word ``bundle`` alone as itself.

    Raises:
        click.BadParameter: A name is given twice, or a part is not a number.
    """
    if list(texts) == ["bundle"]:
        return "bundle"
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
