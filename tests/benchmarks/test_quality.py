# SPDX-License-Identifier: Apache-2.0
"""The scripts that fit quality and score tracks do what their pages say, on made-up numbers."""

import runpy
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from mien.evaluation.protocols.quality_ranking import DegradedPredictions
from mien.faces import SIGNALS

from ..conftest import REPOSITORY  # noqa: TID252 - tests have no absolute name


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(REPOSITORY / "tools" / f"{name}.py"))


def test_the_fit_finds_the_signal_that_counts() -> None:
    rng = np.random.default_rng(0)
    signals = rng.normal(3, 2, (4000, len(SIGNALS))).astype(np.float32)
    chance = 1 / (1 + np.exp(-(1 + (signals[:, 4] - 3) / 2 * -2)))
    correct = rng.random(4000) < chance
    nothing = np.zeros(4000, np.float32)
    readings = DegradedPredictions(
        kinds=np.full(4000, "none"),
        names=np.full(4000, "a"),
        signals=signals,
        quality=nothing,
        scores=nothing,
        confidence=nothing,
        correct=correct,
    )
    model = script("quality")["fit"](readings, "bundle", "command")
    assert model.weights["turn"] == pytest.approx(-2, abs=0.25)
    assert all(abs(model.weights[name]) < 0.15 for name in SIGNALS if name != "turn")
    assert model.intercept == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(model(signals).mean(), correct.mean(), atol=0.005)


def test_a_chart_is_a_picture_with_its_lines_inside() -> None:
    lines = {"one": [(0.0, 0.0), (1.0, 0.42)], "two": [(0.5, 0.1)]}
    root = ElementTree.fromstring(script("quality")["curve_svg"]("title", "x", "y", lines))
    drawn = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(drawn) == 2
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    for element in drawn:
        for point in element.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 < x < width
            assert 0 < y < height


def test_tenths_go_from_worst_to_best() -> None:
    quality = np.linspace(0, 1, 100)
    points = script("quality")["binned"](quality, quality > 0.5)
    assert points[0] == (pytest.approx(quality[:10].mean()), 0)
    assert points[-1] == (pytest.approx(quality[-10:].mean()), 1)


def test_scores_of_several_clips_are_made_from_their_sums() -> None:
    one = {"name": "a", "n": 10, "tracks": 1, "given": 1, "switches": 1, "missed": 2, "false": 1, "mota": 0.6}
    one |= {"idf1": 0.5, "idtp": 5, "idfp": 4, "idfn": 6}
    other = one | {"n": 30, "switches": 0, "missed": 0, "false": 0, "idtp": 30, "idfp": 0, "idfn": 0}
    line = script("tracking")["row"]("both", [one, other])
    assert line == f"| both | 40 | 2 | 2 | 1 | 2 | 1 | {1 - 4 / 40:.3f} | {70 / (70 + 4 + 6):.3f} |"
