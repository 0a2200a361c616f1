# SPDX-License-Identifier: Apache-2.0
"""The page of the detectors and its curves."""

from xml.etree import ElementTree

from benchmarks.detection.detector_race import Tally
from benchmarks.detection.race_page import chart_name, charts, page_lines


def test_curves_of_measures_with_steps() -> None:
    places = {
        "size": {"10 px": Tally(10, 1, 10), "40 px": Tally(10, 8, 10)},
        "share inside": {"0.35": Tally(4, 1, 4), "0.35 left": Tally(1, 1, 1), "0.50": Tally(4, 4, 4)},
        "light": {"plain": Tally(3, 3, 3), "dark 0.1": Tally(3, 1, 3)},
        "no face": {"dogs": Tally(0, 0, 2, [0.6, 0.93])},
    }
    tallies = {"mien-faces": places, "mtcnn": places}
    drawn = charts(tallies)
    assert list(drawn) == ["size", "share inside", "no face"]
    for chart in drawn.values():
        ElementTree.fromstring(chart)
        assert "mtcnn" in chart
    assert "0.35" in drawn["share inside"]
    facts = {"command": "c", "machine": "m", "date": "d", "n": 10, "page": "detection"}
    page = "\n".join(page_lines(tallies, {}, {}, facts))
    for measure in drawn:
        assert f"({chart_name('detection', measure)})" in page
