# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import click
import pytest

from mien.cli.research.blend_options import parse_thresholds, parse_weights


@pytest.mark.parametrize(
    ("text", "thresholds"), [(None, ()), ("", ()), ("bundle", "bundle"), ("0.5", (0.5,)), ("0.5,0.4", (0.5, 0.4))]
)
def test_thresholds(text: str | None, thresholds: object) -> None:
    assert parse_thresholds(text) == thresholds


def test_weights_of_several_tasks() -> None:
    assert parse_weights(("va=0.7,0.3", "au=0.5,0.5")) == {"va": (0.7, 0.3), "au": (0.5, 0.5)}
    assert parse_weights(()) == {}


@pytest.mark.parametrize("texts", [("va",), ("0.7,0.3",), ("va=0.7", "va=0.3")])
def test_weights_without_a_task_or_with_one_twice(texts: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter, match="each task once; cannot use"):
        parse_weights(texts)


@pytest.mark.parametrize("text", ["0.5;0.4", "high", "0.5,"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(click.BadParameter, match="--thresholds takes numbers and commas"):
        parse_thresholds(text)
    with pytest.raises(click.BadParameter, match="--weights takes numbers and commas"):
        parse_weights((f"va={text}",))
