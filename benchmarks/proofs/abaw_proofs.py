# SPDX-License-Identifier: Apache-2.0
"""Designs of the ABAW challenge systems on FER+ faces; completes docs/research/proofs-abaw.md and its plot (an hour).

    python -m benchmarks proofs --data DATA --work WORK --page docs/research/proofs-abaw.md

Features and trained heads are kept in WORK; a second run loads them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import create_parser
from benchmarks.line_chart import line_chart
from benchmarks.page import replace_between, table
from benchmarks.proofs.frozen_features import extract
from benchmarks.proofs.label_proofs import MIN_FACES, CompoundReport, compounds, six_classes
from benchmarks.proofs.pseudo_videos import (
    HALF_WIDTHS,
    Point,
    make_video,
    predict_frames,
    sweep,
    without_interpolation,
)
from benchmarks.proofs.slice_heads import OWN, PUBLISHED, SystemOutputs, compare, differences, train_systems
from mien.affect import Analyzer, activate
from mien.core import MetricValue
from mien.datasets import load_ferplus, load_pictures, load_votes
from mien.inference import DEFAULT_BUNDLE

PLOT = "d-sweep.svg"

_SEGMENTS = (50, 200)
_N_FRAMES = 4_000


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Smoothing of one pseudo-video.

    Attributes:
        segment: mean number of frames that an expression lasts.
        lost: share of frames without a face.
        raw: without interpolation and smoothing.
        points: with interpolation, for each half-width.
    """

    segment: int
    lost: float
    raw: Point
    points: tuple[Point, ...]


def sweeps(data: Path, model: str) -> Iterator[Sweep]:
    """Yield the sweep of a pseudo-video for each mean length of an expression."""
    samples, analyzer = load_ferplus(data, "valid"), Analyzer(model)
    for segment in _SEGMENTS:
        rng = np.random.default_rng(segment)
        video = make_video(samples, _N_FRAMES, segment, rng)
        predictions = predict_frames(analyzer, samples, video, rng)
        yield Sweep(
            segment=segment,
            lost=float(video.lost.mean()),
            raw=without_interpolation(samples, video, predictions),
            points=tuple(sweep(samples, video, predictions)),
        )


def _cell(metric: MetricValue) -> str:
    return f"{metric.value:.4f} [{metric.low:.4f}, {metric.high:.4f}]"


def heads_part(outputs: SystemOutputs) -> Iterator[str]:
    """Lines of part (a): a table of systems and one of differences."""
    found = compare(outputs)
    heading = ["system", *(metric.name for metric in found[OWN])]
    yield from table(heading, [[name, *map(_cell, own)] for name, own in found.items()])
    yield ""
    pairs = [
        (PUBLISHED, OWN),
        (PUBLISHED, "features"),
        (PUBLISHED, "scores"),
        ("features and scores", "features"),
        ("features and scores", "scores"),
    ]
    rows = [[f"{one} minus {two}", *map(_cell, differences(outputs, one, two))] for one, two in pairs]
    yield from table(["difference, on the same faces", *heading[1:]], rows)


def videos_part(found: Sequence[Sweep]) -> Iterator[str]:
    """Lines of part (b): a table, and the best half-widths."""
    heading = ["d"] + [f"{what}, {own.segment} frames" for own in found for what in ("F1", "CCC")]

    def cells(points: Sequence[Point]) -> list[str]:
        return list(itertools.chain.from_iterable((f"{p.f1:.4f}", f"{p.ccc:.4f}") for p in points))

    rows = [["no interpolation", *cells([own.raw for own in found])]]
    rows += [[f"{d}", *cells([own.points[row] for own in found])] for row, d in enumerate(HALF_WIDTHS)]
    yield from table(heading, rows)
    yield ""
    for own in found:
        start = own.points[0]
        for what in ("f1", "ccc"):
            best = max(own.points, key=lambda point, what=what: getattr(point, what))
            hurts = [
                p.half_width
                for p in own.points
                if p.half_width > best.half_width and getattr(p, what) < getattr(start, what)
            ]
            worse = f"worse than no filter from d = {hurts[0]}" if hurts else "never worse than no filter up to d = 120"
            yield (
                f"- Expressions that last {own.segment} frames, {own.lost:.1%} of frames lost: {what.upper()} "
                f"{getattr(start, what):.4f} without a filter, best {getattr(best, what):.4f} "
                f"at d = {best.half_width}, {worse}."
            )


def labels_part(six: MetricValue, report: CompoundReport) -> Iterator[str]:
    """Lines of part (c)."""
    yield f"- Six classes of LSD: macro F1 {_cell(six)}, n = {six.n}."
    yield (
        f"- Compounds with {MIN_FACES} faces or more: macro F1 {_cell(report.f1)}, n = {report.f1.n}; "
        f"at random {report.chance:.4f}."
    )
    yield from (f"    - {own.name}: recall {_cell(own)}, n = {own.n}" for own in report.recalls)
    few = ", ".join(f"{name} {n}" for name, n in report.counts.items() if n < MIN_FACES)
    yield f"- Too few faces to measure: {few}."


def plot(found: Sequence[Sweep]) -> str:
    """The sweeps as an SVG chart."""
    series = {
        f"{what}, {own.segment} frames": [getattr(point, name) for point in own.points]
        for own in found
        for what, name in (("F1", "f1"), ("CCC", "ccc"))
    }
    return line_chart("Box smoothing of pseudo-videos", "half-width d, frames on each side", HALF_WIDTHS, series)


def with_parts(page: str, parts: Mapping[str, Iterator[str]]) -> str:
    """The text of the page with each part between its two marks; the text around them stays."""
    marks = {
        (f"<!-- {name} -->", f"<!-- end of {name} -->"): "\n\n" + "\n".join(lines) + "\n\n"
        for name, lines in parts.items()
    }
    return replace_between(page, marks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, and write the page between its marks."""
    parser = create_parser("proofs", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets")
    parser.add_argument("--work", type=Path, required=True, help="folder of features and heads, kept between runs")
    parser.add_argument(
        "--page", type=Path, required=True, help="Markdown file with the marks; the plot lies beside it"
    )
    parser.add_argument("--model", default=DEFAULT_BUNDLE, help="bundle that gives the features (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    info = extract(chosen.data, chosen.work / "vectors", chosen.model)
    outputs = train_systems(info, chosen.work / "vectors", chosen.work / "systems")
    found = list(sweeps(chosen.data, chosen.model))
    task = next(task for task in Analyzer(chosen.model).spec.tasks if task.task == "expression")
    probabilities = activate(outputs.outputs[OWN]["expression"], task).astype(np.float64)
    six = six_classes(outputs.truth["expression"].argmax(axis=1), probabilities)
    votes = load_votes(chosen.data / "ferplus/valid.parquet")
    row_of = {name: row for row, name in enumerate(load_pictures(chosen.data / "ferplus/valid.parquet").names)}
    report = compounds(votes[[row_of[name] for name in load_ferplus(chosen.data, "valid").names]], probabilities)
    parts = {"heads": heads_part(outputs), "videos": videos_part(found), "labels": labels_part(six, report)}
    chosen.page.write_text(with_parts(chosen.page.read_text("utf-8"), parts), encoding="utf-8")
    (chosen.page.parent / PLOT).write_text(plot(found), encoding="utf-8")
    return 0
