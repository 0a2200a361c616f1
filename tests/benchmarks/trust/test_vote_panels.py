# SPDX-License-Identifier: Apache-2.0
"""Agreement of two panels on pictures with the same pixels, on votes whose answers are known."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.trust import vote_panels as panels
from tests.helpers.open_face_sets import write_open_sets


def encoded(level: int, kind: str = ".png") -> bytes:
    return cv2.imencode(kind, np.full((8, 8), level, np.uint8))[1].tobytes()


def votes(*rows: tuple[int, int, int]) -> np.ndarray:
    """Votes for neutral, happiness and "unknown"."""
    out = np.zeros((len(rows), 10), np.int64)
    out[:, [0, 1, 8]] = rows
    return out


def everything(n: int) -> np.ndarray:
    return np.arange(n)


def test_pairs_are_the_first_two_of_the_same_pixels_whatever_the_file() -> None:
    images = [encoded(10), encoded(20), encoded(10, ".bmp"), encoded(30), encoded(20), encoded(10)]
    assert panels.copies(images).tolist() == [[0, 2], [1, 4]]
    assert panels.copies([encoded(1), encoded(2)]).shape == (0, 2)


def test_a_panel_is_measured_as_a_reader_of_the_other_in_both_directions() -> None:
    one = votes((9, 1, 0), (2, 8, 0), (5, 5, 0), (10, 0, 0))
    two = votes((8, 2, 0), (3, 7, 0), (2, 8, 0), (4, 6, 0))
    found = panels.panel_statistics(one, two)
    accuracy, n = found["accuracy, plurality"]
    assert (accuracy(everything(4)), n) == (0.5, 4)  # the tie counts as neutral, as in the protocol
    official, n = found["accuracy, official majority"]
    # Clear: three of the first panel (two agree), all four of the second (two agree).
    assert (official(everything(4)), n) == (pytest.approx(4 / 7), 4)
    # Each way neutral and happiness have one hit and two confusions; the other six expressions count 0.
    f1, _ = found["macro F1, plurality"]
    assert f1(everything(4)) == pytest.approx((0.5 + 0.5) / 8)


def test_reliability_counts_each_pair_in_both_orders() -> None:
    first, second = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])
    assert panels.reliability(first, second)(everything(3)) == pytest.approx(1)
    assert panels.reliability(first, second + 1)(everything(3)) < 1  # a panel that rates higher agrees less


def test_intervals_hold_the_value() -> None:
    hits = np.array([1.0] * 75 + [0.0] * 25)
    value, low, high = panels.interval(lambda rows: float(hits[rows].mean()), 100)
    assert value == 0.75
    assert 0.6 < low < value < high < 0.9


def test_the_page_says_what_panels_of_a_set_reach(tmp_path: Path) -> None:
    text = "\n".join(panels.panels_page(write_open_sets(tmp_path), ()))
    # Pictures with the same pixels have the same votes in the helper's set.
    assert "| accuracy, plurality | 1.000 | 1.000 to 1.000 |" in text
    assert "100% of the pairs have the same votes" in text
