# SPDX-License-Identifier: Apache-2.0
"""The summary groups rows by intervals that contain the seeds, and compares starts, sizes and own recipes."""

import dataclasses
from collections.abc import Mapping

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.results.plan import list_rows
from benchmarks.results.records import Trained
from benchmarks.results.results_summary import (
    accuracy_intervals,
    groups_of,
    places_of,
    seed_difference,
    summary_lines,
)
from mien.core import MetricValue
from tests.helpers.results_rows import trained

ROWS = list_rows()


def interval(value: float, half: float = 0.01) -> MetricValue:
    return MetricValue(name="accuracy", data="", n=10, value=value, low=value - half, high=value + half)


def runs_of(name: str, *values: float, half: float = 0.01) -> list[Trained]:
    found = []
    for seed, value in enumerate(values, start=1):
        run = trained(ROWS[name], value=value)
        metrics = tuple(dataclasses.replace(each, low=value - half, high=value + half) for each in run.metrics)
        found.append(dataclasses.replace(run, seed=seed, metrics=metrics))
    return found


def text_of(runs: Mapping[str, list[Trained]], own: Mapping[str, Trained] | None = None) -> str:
    return "\n".join(summary_lines(ROWS, runs, own or {}))


def test_one_seed_is_widened_by_what_seeds_differ() -> None:
    rows = {"mobilenet": runs_of("mobilenet", 0.50, 0.54, 0.52), "ddamfn": runs_of("ddamfn", 0.6)}
    assert seed_difference(rows) == pytest.approx(0.04)
    assert seed_difference({"ddamfn": rows["ddamfn"]}) == 0
    found = accuracy_intervals({**rows, "mtanet": []})
    assert sorted(found) == ["ddamfn", "mobilenet"]
    assert (found["mobilenet"].value, found["mobilenet"].low) == (pytest.approx(0.52), pytest.approx(0.49))
    assert (found["ddamfn"].low, found["ddamfn"].high) == (pytest.approx(0.57), pytest.approx(0.63))


def test_a_group_is_wholly_above_the_next() -> None:
    # b touches both a and c, so the three are one group although a and c are apart.
    chain = {"c": interval(0.56), "a": interval(0.60), "b": interval(0.58, 0.015), "low": interval(0.40)}
    assert groups_of(chain) == [["a", "b", "c"], ["low"]]
    assert groups_of({}) == []
    assert places_of({"a": interval(0.6), "b": interval(0.59, 0.02), "c": interval(0.4)}) == {
        "a": "1 to 2",
        "b": "1 to 2",
        "c": "3",
    }


def test_nothing_is_said_of_nothing() -> None:
    assert summary_lines(ROWS, {name: [] for name in ROWS}, {}) == []


def test_the_summary_compares_starts_sizes_and_own_recipes() -> None:
    runs = {
        "mien-light": runs_of("mien-light", 0.5),
        "mobilenet": runs_of("mobilenet", 0.45),
        "mien-light-imagenet": runs_of("mien-light-imagenet", 0.7),
        "mobilenet-10k-48px": runs_of("mobilenet-10k-48px", 0.4),
        "mobilenet-10k-112px": runs_of("mobilenet-10k-112px", 0.5),
        "mien-light-imagenet-10k-48px": runs_of("mien-light-imagenet-10k-48px", 0.60),
        "mien-light-imagenet-10k-112px": runs_of("mien-light-imagenet-10k-112px", 0.61),
    }
    text = text_of(runs, {"mobilenet": runs_of("mobilenet", 0.1)[0]})
    assert "1. `mien-light-imagenet` 0.700 (1)\n2. `mien-light` 0.500 (2)\n3. `mobilenet` 0.450 (3)" in text
    assert "move `mien-light` from 0.500 to 0.700, more than the 0.050 between" in text
    assert "0.400 at 48 px, 0.500 at 112 px (intervals wholly apart)" in text
    assert "0.600 at 48 px, 0.610 at 112 px (intervals not apart)" in text
    assert "`mobilenet` 0.100; under the common budget 0.450" in text
    assert "published order" not in text  # too few networks with a published accuracy


def test_the_published_order_is_compared_by_rank() -> None:
    order = ("ddamfn", "emotieffnet-b2", "mt-emotimobilevit", "mt-emotimobilefacenet")
    same = {name: runs_of(name, 0.6 - 0.1 * place) for place, name in enumerate(order)}
    assert "rank correlation +1.00 with the order here, of 4 networks" in text_of(same)
    turned = {name: runs_of(name, 0.3 + 0.1 * place) for place, name in enumerate(order)}
    assert "rank correlation -1.00 with the order here, of 4 networks" in text_of(turned)
