# SPDX-License-Identifier: Apache-2.0
"""What the systems of the ABAW challenges are worth on faces that can be had: docs/proofs-abaw.md (``make proofs``).

    python tools/proofs.py --data DATA --work WORK --page docs/proofs-abaw.md

Features and trained heads are kept in WORK; a second run takes them from there.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from line_chart import line_chart
from proof_faces import extract
from proof_heads import OWN, PUBLISHED, Predictions, compare, differences, train_systems
from proof_labels import MIN_FACES, CompoundReport, compounds, six_classes
from proof_videos import HALF_WIDTHS, Point, held, look, make_video, sweep

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
        segment: frames that an expression lasts, on average.
        lost: share of frames without a face.
        held: without interpolation and smoothing.
        points: with interpolation, for each half-width.
    """

    segment: int
    lost: float
    held: Point
    points: tuple[Point, ...]


def sweeps(data: Path, model: str) -> Iterator[Sweep]:
    """A pseudo-video for each pace, and its sweep."""
    samples, analyzer = load_ferplus(data, "valid"), Analyzer(model)
    for segment in _SEGMENTS:
        rng = np.random.default_rng(segment)
        video = make_video(samples, _N_FRAMES, segment, rng)
        seen = look(analyzer, samples, video, rng)
        yield Sweep(
            segment=segment,
            lost=float(video.lost.mean()),
            held=held(samples, video, seen),
            points=tuple(sweep(samples, video, seen)),
        )


def _cell(measure: MetricValue) -> str:
    return f"{measure.value:.4f} [{measure.low:.4f}, {measure.high:.4f}]"


def _table(head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for name, cells in rows.items():
        yield "| " + " | ".join((name, *cells)) + " |"


def heads_part(answers: Predictions) -> Iterator[str]:
    """(a) as a table of systems and one of differences."""
    found = compare(answers)
    head = ["system", *(measure.name for measure in found[OWN])]
    yield from _table(head, {name: [_cell(m) for m in own] for name, own in found.items()})
    yield ""
    pairs = [
        (PUBLISHED, OWN),
        (PUBLISHED, "features"),
        (PUBLISHED, "scores"),
        ("features and scores", "features"),
        ("features and scores", "scores"),
    ]
    rows = {f"{one} minus {two}": [_cell(m) for m in differences(answers, one, two)] for one, two in pairs}
    yield from _table(["difference, on the same faces", *head[1:]], rows)


def videos_part(found: Sequence[Sweep]) -> Iterator[str]:
    """(b) as a table."""
    head = ["d"] + [f"{what}, {own.segment} frames" for own in found for what in ("F1", "CCC")]

    def cells(points: Sequence[Point]) -> list[str]:
        return list(itertools.chain.from_iterable((f"{p.f1:.4f}", f"{p.ccc:.4f}") for p in points))

    rows = {"no interpolation": cells([own.held for own in found])}
    rows |= {f"{d}": cells([own.points[row] for own in found]) for row, d in enumerate(HALF_WIDTHS)}
    yield from _table(head, rows)
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
    """(c) as lines."""
    yield f"- Six classes of LSD: macro F1 {_cell(six)}, n = {six.n}."
    yield (
        f"- Compounds with {MIN_FACES} faces or more: macro F1 {_cell(report.f1)}, n = {report.f1.n}; "
        f"by lot {report.chance:.4f}."
    )
    yield from (f"    - {own.name}: recall {_cell(own)}, n = {own.n}" for own in report.recalls)
    few = ", ".join(f"{name} {n}" for name, n in report.counts.items() if n < MIN_FACES)
    yield f"- Too few faces to say anything: {few}."


def plot(found: Sequence[Sweep]) -> str:
    """The sweep as a chart."""
    series = {
        f"{what}, {own.segment} frames": [getattr(point, name) for point in own.points]
        for own in found
        for what, name in (("F1", "f1"), ("CCC", "ccc"))
    }
    return line_chart("Box smoothing of pseudo-videos", "half-width d, frames on each side", HALF_WIDTHS, series)


def main() -> None:
    """Measure everything and write the page between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--model", default=DEFAULT_BUNDLE)
    arguments = parser.parse_args()
    info = extract(arguments.data, arguments.work / "vectors", arguments.model)
    answers = train_systems(info, arguments.work / "vectors", arguments.work / "systems")
    found = list(sweeps(arguments.data, arguments.model))
    task = next(task for task in Analyzer(arguments.model).spec.tasks if task.task == "expression")
    probabilities = activate(answers.outputs[OWN]["expression"], task).astype(np.float64)
    six = six_classes(answers.truth["expression"].argmax(axis=1), probabilities)
    votes = load_votes(arguments.data / "ferplus/valid.parquet")
    row_of = {name: row for row, name in enumerate(load_pictures(arguments.data / "ferplus/valid.parquet").names)}
    report = compounds(votes[[row_of[name] for name in load_ferplus(arguments.data, "valid").names]], probabilities)
    parts = {"heads": heads_part(answers), "videos": videos_part(found), "labels": labels_part(six, report)}
    _fill(arguments.page, {name: "\n".join(lines) for name, lines in parts.items()})
    (arguments.page.parent / PLOT).write_text(plot(found), encoding="utf-8")


def _fill(page: Path, parts: Mapping[str, str]) -> None:
    """Put each part between its two marks; what people wrote around them stays."""
    text = page.read_text("utf-8")
    for name, content in parts.items():
        first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(first)
        after = rest.partition(last)[2]
        text = f"{before}{first}\n\n{content}\n\n{last}{after}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
