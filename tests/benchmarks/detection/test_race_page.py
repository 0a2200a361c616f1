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


def test_targets_are_met_or_missed_by_the_counts() -> None:
    known = {"all": Tally(1000, 995, 1000), "age 3-9": Tally(200, 190, 200), "age 70": Tally(20, 1, 20)}
    own = {
        "FairFace val": known,
        "share inside": {f"0.50 {side}": Tally(10, 10, 10) for side in ("left", "right")},
        "no face": {"video": Tally(0, 0, 19, [0.5]), "dogs": Tally(0, 0, 1)},
    }
    other = {**own, "FairFace val": {**known, "age 3-9": Tally(200, 191, 200)}}
    times = {
        "640 x 360": {"mien-faces": 4.0, "mtcnn": 50.0, "yunet": 8.0},
        "all of a photo of 224 px": {"mien-faces": 10.0, "mtcnn": 20.0, "yunet": 9.0},
    }
    facts = {"command": "c", "machine": "m", "date": "d", "n": 10, "page": "detection"}
    page = list(page_lines({"mien-faces": own, "mtcnn": other}, times, {"mien-faces": (200, 290.0)}, facts))
    expected = (
        "| FairFace val: 0.99 of the faces | 0.995 | met |",
        "| 0.98 in every group of 100 | 0.950 (age 3-9) | missed |",
        "| half a face is enough on every side | left 1.00, right 1.00 | met |",
        "| at most 5 ms at 640 x 360 | 4.0 ms, 0.50 of YuNet | met |",
        "| photos of 224 px at 2.5 times the rate with MTCNN | 2.00 | missed |",
        "| 200 faces below 600 MB | 290 MB | met |",
        "| no false face in no_face.mp4 | 1 | missed |",
        "| none on the dogs | 0 | met |",
        "| default: no worse than MTCNN in any row of this page | worse in 1 rows | missed |",
    )
    assert [line for line in expected if line not in page] == []
    assert "- FairFace val, age 3-9: finds 190 of 200, mtcnn 191." in page
