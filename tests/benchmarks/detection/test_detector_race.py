# SPDX-License-Identifier: Apache-2.0
"""The comparison of detectors counts faces and boxes without one, and its page says where the first one loses."""

import numpy as np

from benchmarks.detection.detector_race import Tally, card_metrics, count, crowd, milliseconds
from benchmarks.detection.held_out_cases import Case
from benchmarks.detection.race_page import page_lines
from mien.core import Image
from mien.faces.detector import FakeDetector, faces_at

IMAGE: Image = np.zeros((100, 100, 3), np.uint8)
NONE = np.empty((0, 4), np.float32)
UNKNOWN = np.full((1, 4), np.nan, np.float32)
CASES = [
    Case("size", ("20 px",), IMAGE, np.array([[10, 10, 30, 30]], np.float32)),
    Case("FairFace val", ("all", "age 3-9"), IMAGE, UNKNOWN),
    Case("no face", ("dogs",), IMAGE, NONE),
]


def seen(boxes: list[list[float]], confidence: list[float]) -> object:
    return lambda _: (np.array(boxes, np.float32).reshape(-1, 4), np.array(confidence, np.float32))


def test_counts() -> None:
    tallies = count({"a": seen([[11, 10, 30, 31], [30, 30, 70, 70]], [0.9, 0.8]), "b": seen([], [])}, iter(CASES))  # type: ignore[dict-item]
    size, fairface, dogs = (tallies["a"][measure] for measure in ("size", "FairFace val", "no face"))
    assert (size["20 px"].n_found, size["20 px"].n_faces) == (1, 1)
    np.testing.assert_allclose(size["20 px"].extra, [0.8])
    assert fairface["all"].n_found == fairface["age 3-9"].n_found == 1
    np.testing.assert_allclose(fairface["all"].extra, [0.9])  # a small box in a corner is not the face
    assert len(dogs["dogs"].extra) == 2
    assert tallies["b"]["size"]["20 px"].n_found == 0
    page = "\n".join(
        page_lines(
            tallies,
            {"p": {"a": 1.0, "b": 2.0}},
            {"a": (3, 100.0)},
            dict.fromkeys(("command", "machine", "date", "n", "page"), "x"),
        )
    )
    assert "| 20 px | 1 | 1.000, 1 | 0.000, 0 |" in page
    assert "- no face, dogs: 2 boxes without a face, b 0." in page
    assert "size, 20 px: finds" not in page


def test_metrics_of_a_card() -> None:
    tallies = {"FairFace val": {"all": Tally(200, 190), "race X": Tally(120, 108), "race Y": Tally(80, 8)}}
    every, lowest = card_metrics(tallies, "command")
    assert (every.value, every.n) == (0.95, 200)
    assert every.low < 0.95 < every.high
    assert (lowest.name, lowest.value) == ("faces found: lowest group, race X", 0.9)


def test_times_and_crowds() -> None:
    times = milliseconds({"a": FakeDetector(lambda _: faces_at([])).detect}, {"p": IMAGE})
    assert times["p"]["a"] >= 0
    assert crowd(IMAGE, 3, 2).shape == (200, 300, 3)
