# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from mien.cli.research.blend_options import BlendCommand, parse_thresholds, parse_weights


@pytest.mark.parametrize(
    ("texts", "thresholds", "confidence"),
    [
        ((), (), None),
        (("bundle",), "bundle", None),
        (("au=bundle", "expr=0.8"), "bundle", 0.8),
        (("0.5,0.4",), (0.5, 0.4), None),
        (("expr=0.9", "au=0.5"), (0.5,), 0.9),
    ],
)
def test_thresholds_of_several_tasks(texts: tuple[str, ...], thresholds: object, confidence: float | None) -> None:
    assert parse_thresholds(texts) == (thresholds, confidence)


@pytest.mark.parametrize("texts", [("va=0.5",), ("0.5", "au=0.4"), ("expr=0.5,0.4",)])
def test_thresholds_of_no_task(texts: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter, match="--thresholds"):
        parse_thresholds(texts)


@pytest.mark.parametrize(
    "words",
    [
        ["--weights", "va=0.8", "expr=0.5", "au=0.5"],
        ["--weights", "va=0.8", "--weights", "expr=0.5", "au=0.5"],
        ["--weights", "va=0.8", "expr=0.5", "--weights", "au=0.5"],
    ],
)
def test_one_name_of_the_option_takes_several_weights(words: list[str]) -> None:
    @click.command(cls=BlendCommand)
    @click.argument("protocol")
    @click.option("--weights", multiple=True)
    @click.option("--split")
    def command(protocol: str, weights: tuple[str, ...], split: str | None) -> None:
        click.echo(f"{protocol} {parse_weights(weights)} {split}")

    done = CliRunner().invoke(command, ["mtl", *words, "--split", "valid"])
    assert done.output.strip() == "mtl {'va': (0.8,), 'expr': (0.5,), 'au': (0.5,)} valid"
    refused = CliRunner().invoke(command, ["mtl", *words, "what"])
    assert refused.exit_code == 2


def test_weights_of_several_tasks() -> None:
    assert parse_weights(("va=0.7,0.3", "au=0.5,0.5")) == {"va": (0.7, 0.3), "au": (0.5, 0.5)}
    assert parse_weights(()) == {}
    assert parse_weights(("bundle",)) == "bundle"


@pytest.mark.parametrize("texts", [("va",), ("0.7,0.3",), ("va=0.7", "va=0.3")])
def test_weights_without_a_task_or_with_one_twice(texts: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter, match="each task once; cannot use"):
        parse_weights(texts)


@pytest.mark.parametrize("text", ["0.5;0.4", "high", "0.5,"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(click.BadParameter, match="--thresholds takes numbers and commas"):
        parse_thresholds((text,))
    with pytest.raises(click.BadParameter, match="--weights takes numbers and commas"):
        parse_weights((f"va={text}",))
