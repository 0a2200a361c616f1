# SPDX-License-Identifier: Apache-2.0
"""The page that the comparison of face detectors writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from benchmarks.line_chart import line_chart
from benchmarks.page import notice, table

if TYPE_CHECKING:
    from benchmarks.detection.detector_race import Tallies, Tally

_LEAST_GROUP = 100
_LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
# Measures whose bins are steps of a number, and the label of its axis.
_CURVES = {
    "size": "side of the face in pixels",
    "share inside": "share of the face inside the picture",
    "roll": "roll in degrees",
    "yaw": "least yaw in degrees",
}
_STEP = re.compile(r"(?:from )?(\d+(?:\.\d+)?)(?: px| degrees| to \d+ degrees)?")


def page_lines(
    tallies: Tallies,
    times: Mapping[str, Mapping[str, float]],
    memory: Mapping[str, tuple[int, float]],
    facts: Mapping[str, object],
) -> Iterator[str]:
    """Lines of the page: recall, false positives, losses, time and memory of each detector.

    Args:
        tallies: Counts of every detector.
        times: Picture -> detector -> milliseconds.
        memory: Detector -> faces found in the crowd of 200, and peak memory in MB.
        facts: Command, machine, date, number of faces of each drawn bin, name of the page without its ending, and
            what `benchmarks.detection.detector_agreement` measures.
    """
    names = list(tallies)
    yield "# Face detection"
    yield ""
    yield notice("detectors", edit="benchmarks/detection")
    yield ""
    yield (
        f"Measured by `{facts['command']}` on {facts['machine']}, {facts['date']}, one thread. Nothing here trained "
        "mien-faces: FairFace val, the test people of LFW, a fifth of the everyday photos, all photos with boxes. A "
        "face is found at an overlap (IoU) of 0.4; the reference of drawn bins is a landmark teacher, none of the "
        f"detectors; {facts['n']} faces a bin. {facts.get('kept', '')}".rstrip()
    )
    drawn = charts(tallies)
    for measure in dict.fromkeys(measure for name in names for measure in tallies[name]):
        yield from _measure(measure, names, tallies)
        if measure in drawn:
            yield ""
            yield f"![Share of faces found by {measure}]({chart_name(str(facts['page']), measure)})"
    if _FALSE in drawn:
        yield ""
        yield f"![Boxes without a face by confidence]({chart_name(str(facts['page']), _FALSE)})"
    if times:
        yield from ("", "## Milliseconds a search", "")
        yield (
            "Least of nine means of five calls, detectors in turns, on a copy of at most 640 px as for videos: the "
            "detector alone, and with the landmark model that confirms what mien-faces proposes. Last, all of "
            "`Analyzer.images` for photos of 224 px, the least of three rounds. Other work on the machine slows all "
            "alike: the ratios count."
        )
        yield ""
        yield from table(
            ["picture", *names], ([place, *(f"{row[n]:.1f}" for n in names)] for place, row in times.items())
        )
    if memory:
        yield from ("", "## A crowd of 200 in 3600 x 2300 px", "")
        yield from table(
            ["detector", "faces", "peak memory of `Analyzer.image` in MB"],
            ([name, str(n_faces), f"{megabytes:.0f}"] for name, (n_faces, megabytes) in memory.items()),
        )
    agreed = facts.get("agreement")
    if isinstance(agreed, Mapping) and agreed:
        yield from _agreement(agreed)
    yield from _targets(tallies, times, memory)
    yield from _losses(tallies)


_FALSE = "no face"

WHOLE_PHOTO = "all of a photo of 224 px"
"""Name of the time of a whole photo among the times of searches."""


def chart_name(page: str, measure: str) -> str:
    """Name of the picture of a measure beside a page of that name.

    Examples:
        >>> chart_name("detection", "share inside")
        'detection-share-inside.svg'
    """
    return f"{page}-{measure.replace(' ', '-')}.svg"


def charts(tallies: Tallies) -> dict[str, str]:
    """Measure -> SVG: share of faces found over the steps of a measure, and boxes without a face over their confidence.

    Args:
        tallies: Counts of every detector.
    """
    found = {}
    first = next(iter(tallies.values()))
    for measure, label in _CURVES.items():
        matches = {place: _STEP.fullmatch(place) for place in first.get(measure, {})}
        steps = {place: float(match[1]) for place, match in matches.items() if match is not None}
        if len(steps) > 1:
            lines = {
                name: [places[measure][place].n_found / max(1, places[measure][place].n_faces) for place in steps]
                for name, places in tallies.items()
            }
            found[measure] = line_chart(f"Share of faces found by {measure}", label, list(steps.values()), lines)
    if _FALSE in first:
        lines = {
            name: [
                sum(sum(one >= level for one in tally.extra) for tally in places[_FALSE].values()) for level in _LEVELS
            ]
            for name, places in tallies.items()
        }
        found[_FALSE] = line_chart("Boxes without a face in all pictures", "least confidence", _LEVELS, lines)
    return found


def _measure(measure: str, names: list[str], tallies: Tallies) -> Iterator[str]:
    yield from ("", f"## {measure[0].upper()}{measure[1:]}", "")
    places = tallies[names[0]][measure]
    shown = {
        place: tally
        for place, tally in places.items()
        if measure != "FairFace val" or place == "all" or tally.n_faces >= _LEAST_GROUP
    }
    if any(tally.n_faces for tally in shown.values()):
        rows = (
            [place, str(tally.n_faces), *(_found(tallies[name][measure][place]) for name in names)]
            for place, tally in shown.items()
        )
        yield from table([measure, "faces", *(f"{name}: found, extra" for name in names)], rows)
        return
    yield "Boxes, none of which is a face, from each confidence on:"
    yield ""
    rows = (
        [place, str(tally.n_images), name, *_above(tallies[name][measure][place])]
        for place, tally in shown.items()
        for name in names
    )
    yield from table([measure, "pictures", "detector", *(f">= {level}" for level in _LEVELS)], rows)


def _found(tally: Tally) -> str:
    return f"{tally.n_found / tally.n_faces:.3f}, {len(tally.extra)}" if tally.n_faces else "-"


def _above(tally: Tally) -> list[str]:
    return [str(sum(one >= level for one in tally.extra)) for level in _LEVELS]


def _agreement(agreed: Mapping[str, float]) -> Iterator[str]:
    """Whether quality and abstaining, which were fitted with MTCNN, hold with mien-faces."""
    yield from ("", "## Quality and abstaining with either detector", "")
    yield (
        "Photos of FairFace val in which MTCNN (first) and mien-faces (second) find one face each. Both go through the "
        "landmark model, which decides on the crop: quality model, limits of abstaining and the constants of the "
        "tracker ([tracking](tracking.md)) are the same for both detectors."
    )
    yield ""
    yield from table(["", ""], ([name, f"{value:.3f}".removesuffix(".000")] for name, value in agreed.items()))


def _targets(
    tallies: Tallies, times: Mapping[str, Mapping[str, float]], memory: Mapping[str, tuple[int, float]]
) -> Iterator[str]:
    """The targets of mien's detector, as far as this run measures them, met or missed."""
    own = tallies.get(_OWN, {})
    rows: list[tuple[str, str, bool]] = []

    def add(name: str, value: str, *, met: bool) -> None:
        rows.append((name, value, met))

    known = own.get("FairFace val", {})
    if known:
        whole = known["all"].n_found / known["all"].n_faces
        groups = {place: one.n_found / one.n_faces for place, one in known.items() if one.n_faces >= _LEAST_GROUP}
        lowest = min(groups, key=lambda place: groups[place])
        add("FairFace val: 0.99 of the faces", f"{whole:.3f}", met=whole >= _COVERAGE)
        add("0.98 in every group of 100", f"{groups[lowest]:.3f} ({lowest})", met=groups[lowest] >= _GROUP_COVERAGE)
    sides = {place: one for place, one in own.get("share inside", {}).items() if place.startswith("0.50 ")}
    if sides:
        shares = {place.removeprefix("0.50 "): one.n_found / one.n_faces for place, one in sides.items()}
        text = ", ".join(f"{side} {share:.2f}" for side, share in shares.items())
        add("half a face is enough on every side", text, met=min(shares.values()) >= _COVERAGE)
    for place, limit in (("640 x 360", 5.0), ("320 x 180", 2.0)):
        if place in times and _OWN in times[place]:
            beside = f", {times[place][_OWN] / times[place]['yunet']:.2f} of YuNet" if "yunet" in times[place] else ""
            add(
                f"at most {limit:g} ms at {place}",
                f"{times[place][_OWN]:.1f} ms{beside}",
                met=times[place][_OWN] <= limit,
            )
    photo = times.get(WHOLE_PHOTO, {})
    if _OWN in photo and "mtcnn" in photo:
        rate = photo["mtcnn"] / photo[_OWN]
        add("photos of 224 px at 2.5 times the rate with MTCNN", f"{rate:.2f}", met=rate >= _PHOTO_RATE)
    if _OWN in memory:
        add("200 faces below 600 MB", f"{memory[_OWN][1]:.0f} MB", met=memory[_OWN][1] < _CROWD_MB)
    for measure, place, name in (
        ("no face", "video", "no false face in no_face.mp4"),
        ("no face", "dogs", "none on the dogs"),
        ("hidden face", "mosaic", "none on pixelated faces"),
    ):
        tally = own.get(measure, {}).get(place)
        if tally is not None:
            add(name, f"{len(tally.extra)}", met=not tally.extra)
    if "mtcnn" in tallies and own:
        lost = sum(1 for _ in _worse(tallies, _OWN, "mtcnn"))
        add("default: no worse than MTCNN in any row of this page", f"worse in {lost} rows", met=not lost)
    if rows:
        yield from ("", "## Targets", "")
        yield from table(["target", "measured", ""], ([n, value, "met" if met else "missed"] for n, value, met in rows))
        yield ""
        yield (
            "The clip in 4K, the panorama and the tight photos are tests (`tests/affect`). MTCNN stays the default as "
            "long as the last row is missed."
        )


_OWN = "mien-faces"
_COVERAGE, _GROUP_COVERAGE, _PHOTO_RATE, _CROWD_MB = 0.99, 0.98, 2.5, 600


def _worse(tallies: Tallies, first: str, other: str) -> Iterator[str]:
    """Where one detector is worse than another: a sentence for each row of the page."""
    for measure, places in tallies[first].items():
        for place, own in places.items():
            if measure == "FairFace val" and own.n_faces < _LEAST_GROUP:
                continue
            theirs = tallies[other][measure][place]
            if own.n_found < theirs.n_found:
                yield f"- {measure}, {place}: finds {own.n_found} of {own.n_faces}, {other} {theirs.n_found}."
            if not own.n_faces and len(own.extra) > len(theirs.extra):
                yield f"- {measure}, {place}: {len(own.extra)} boxes without a face, {other} {len(theirs.extra)}."


def _losses(tallies: Tallies) -> Iterator[str]:
    """Where the first detector is worse than the others."""
    first, *others = tallies
    yield from ("", f"## Where {first} loses", "")
    sentences = [sentence for other in others for sentence in _worse(tallies, first, other)]
    yield from sentences or ["Nowhere in this run."]
