# SPDX-License-Identifier: Apache-2.0
"""What the table of results shows, in sentences: groups that seeds cannot swap, start weights, sizes, own recipes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from benchmarks.results.plan import SIZES_PX, Row
from benchmarks.results.records import Trained
from mien.core import MetricValue
from mien.metrics import rank_correlation

ACCURACY = "accuracy, plurality"

N_SEEDS = 3
"""Number of seeds of a complete row."""

_AFFECTNET = ("accuracy", "AffectNet validation, 8 classes")
_MIN_PUBLISHED = 4


def seeds_metric(runs: Sequence[Trained], measure: str) -> MetricValue | None:
    """Mean of a metric over seeds, with the lowest and highest end of their intervals; None where it is missing."""
    found = [metric for run in runs if (metric := run.metric(measure)) is not None]
    if not found:
        return None
    return dataclasses.replace(
        found[0],
        value=fmean(metric.value for metric in found),
        low=min(metric.low for metric in found),
        high=max(metric.high for metric in found),
    )


def seed_difference(rows: Mapping[str, Sequence[Trained]]) -> float:
    """Largest difference of accuracy between two seeds of one row; 0 where no row has two seeds."""
    found = [[run.metric(ACCURACY) for run in runs] for runs in rows.values()]
    values = [[metric.value for metric in metrics if metric is not None] for metrics in found]
    return max((max(own) - min(own) for own in values if len(own) > 1), default=0.0)


def accuracy_intervals(rows: Mapping[str, Sequence[Trained]]) -> dict[str, MetricValue]:
    """Name -> accuracy of a row, whose interval contains what another seed would change.

    That of one seed is widened on both sides by half of the largest difference between two seeds of a row.

    Args:
        rows: name -> trainings of the row, seed by seed; rows without any are left out.
    """
    wider = seed_difference(rows) / 2
    found = {}
    for name, runs in rows.items():
        own = seeds_metric(runs, ACCURACY)
        if own is not None:
            more = wider if len(runs) == 1 else 0.0
            found[name] = dataclasses.replace(own, low=own.low - more, high=own.high + more)
    return found


def places_of(intervals: Mapping[str, MetricValue]) -> dict[str, str]:
    """Name -> its possible places: from one more than the rows wholly above to all that are not wholly below."""
    found = {}
    for name, own in intervals.items():
        others = [other for key, other in intervals.items() if key != name]
        best = 1 + sum(other.low > own.high for other in others)
        worst = len(intervals) - sum(other.high < own.low for other in others)
        found[name] = f"{best}" if best == worst else f"{best} to {worst}"
    return found


def groups_of(intervals: Mapping[str, MetricValue]) -> list[list[str]]:
    """Names in groups, best first: every interval of a group is wholly above all intervals of the groups after it."""
    order = sorted(intervals, key=lambda name: -intervals[name].value)
    groups: list[list[str]] = []
    for position, name in enumerate(order):
        above = min((intervals[other].low for other in order[:position]), default=0.0)
        if position == 0 or max(intervals[other].high for other in order[position:]) < above:
            groups.append([])
        groups[-1].append(name)
    return groups


def summary_lines(
    rows: Mapping[str, Row], runs: Mapping[str, Sequence[Trained]], own: Mapping[str, Trained]
) -> list[str]:
    """Lines of the section on what the table shows; none where no row was trained.

    Args:
        rows: name -> row.
        runs: name -> trainings under the current budget, seed by seed.
        own: name -> training by the row's own recipe.
    """
    intervals = accuracy_intervals({name: found for name, found in runs.items() if not rows[name].compares_sizes})
    if not intervals:
        return []
    sentences = [*_group_sentences(intervals), *_start_sentences(rows, intervals), *_size_sentences(rows, runs)]
    sentences += [*_own_sentences(intervals, own), *_published_sentences(rows, intervals)]
    return ["## What the table shows", "", *sentences, ""]


def _group_sentences(intervals: Mapping[str, MetricValue]) -> Iterator[str]:
    places = places_of(intervals)
    yield "Accuracy and possible places, in groups that another seed or other faces would not swap. Where places of a"
    yield "group overlap, no order is decided."
    yield ""
    for number, group in enumerate(groups_of(intervals), start=1):
        names = ", ".join(f"`{name}` {intervals[name].value:.3f} ({places[name]})" for name in group)
        yield f"{number}. {names}"
    yield ""


def _start_sentences(rows: Mapping[str, Row], intervals: Mapping[str, MetricValue]) -> Iterator[str]:
    scratch = [name for name in intervals if rows[name].start == "scratch"]
    for name, row in rows.items():
        other = name.removesuffix(f"-{row.start}")
        if row.start == "scratch" or not {name, other} <= intervals.keys():
            continue
        gain = intervals[name].value - intervals[other].value
        spread = max(intervals[each].value for each in scratch) - min(intervals[each].value for each in scratch)
        than = "more than" if gain > spread else "and"
        yield (
            f"- **Start weights**: ImageNet weights move `{other}` from {intervals[other].value:.3f} to "
            f"{intervals[name].value:.3f}, {than} the {spread:.3f} between the best and the worst network from random "
            "weights."
        )


def _size_sentences(rows: Mapping[str, Row], runs: Mapping[str, Sequence[Trained]]) -> Iterator[str]:
    found = accuracy_intervals({name: own for name, own in runs.items() if rows[name].compares_sizes})
    small, large = (f"-{size}px" for size in SIZES_PX)
    for name in found:
        other = name.removesuffix(small) + large
        if name.endswith(small) and other in found:
            one, two = found[name], found[other]
            apart = "wholly apart" if one.high < two.low or two.high < one.low else "not apart"
            yield (
                f"- **Size of the crops**: {rows[name].note.rpartition(',')[0]}, the same {rows[name].images:,} faces: "
                f"{one.value:.3f} at {SIZES_PX[0]} px, {two.value:.3f} at {SIZES_PX[1]} px (intervals {apart}). The "
                f"faces have {SIZES_PX[0]} px, so the larger crop has no more detail."
            )


def _own_sentences(intervals: Mapping[str, MetricValue], own: Mapping[str, Trained]) -> Iterator[str]:
    for name, run in own.items():
        metric = run.metric(ACCURACY)
        if metric is not None and name in intervals:
            yield f"- **Own recipe**: `{name}` {metric.value:.3f}; under the common budget {intervals[name].value:.3f}."


def _published_sentences(rows: Mapping[str, Row], intervals: Mapping[str, MetricValue]) -> Iterator[str]:
    published = {}
    for name in intervals:
        values = [own.value for _, own in rows[name].published if (own.metric, own.data) == _AFFECTNET]
        if values:
            published[name] = max(values)
    if len(published) >= _MIN_PUBLISHED:
        agreement = rank_correlation(list(published.values()), [intervals[name].value for name in published])
        best = sorted(published, key=lambda name: -published[name])
        values = ", ".join(f"`{name}` {published[name]:.3f}" for name in best)
        yield (
            f"- **The published order** on AffectNet, where all start from faces ({values}): rank correlation "
            f"{agreement:+.2f} with the order here, of {len(best)} networks."
        )
