# SPDX-License-Identifier: Apache-2.0
"""Text and size of panels."""

from typing import Any

import numpy as np
import pytest

from mien.core import EXPRESSIONS, Faces
from mien.media.panels import draw_panel, lay_out_panels, lay_out_tags, text_width, time_tag


def face(height: float = 120, **changes: Any) -> Faces:
    values: dict[str, Any] = {
        "track_ids": [3],
        "expression": np.float32([[0.05, 0.65, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05]]),
        "expression_labels": EXPRESSIONS,
        "valence": [0.6],
        "arousal": [0.2],
        "action_units": np.float32([[0.9, 0.5, 0.49, np.nan]]),
        "action_unit_labels": ("AU06", "AU12", "AU25", "AU26"),
    }
    return Faces(boxes=np.float32([[0, 0, height, height]]), **(values | changes))


def test_the_panel_says_what_is_known() -> None:
    named, codes = lay_out_panels(face(), 640, 480)
    assert named.title == codes.title == "#3 happiness 0.65"
    assert named.lines == ("AU06 cheek raiser", "AU12 lip corner puller")  # 0.49 and unknown are not present
    assert codes.lines == ("AU06 AU12",)
    assert named.dot == pytest.approx((0.6, 0.2))


def test_thresholds_of_the_bundle_decide_which_units_are_shown() -> None:
    thresholds = {"AU06": 0.95, "AU25": 0.2, "AU26": 0.0}
    assert lay_out_panels(face(), 640, 480, thresholds)[1].lines == ("AU12 AU25",)


def test_a_photo_has_numbers_in_place_of_tracks() -> None:
    titles = [tag.title for tag in lay_out_tags(face(track_ids=[-1]), 640, 480)]
    assert titles == ["1 happiness 0.65", "1"]
    assert [tag.title for tag in lay_out_tags(face(expression=np.full((1, 8), np.nan)), 640, 480)] == ["#3"]


def test_what_is_unknown_has_no_panel() -> None:
    assert lay_out_panels(Faces(boxes=np.float32([[0, 0, 9, 9]])), 640, 480) == []
    (codes, *_) = lay_out_panels(face(valence=[np.nan]), 640, 480)
    assert codes.dot is None


def test_text_follows_the_face_within_what_is_legible() -> None:
    sizes = [lay_out_tags(face(height), 1920, 1440)[0].line_px for height in (20, 200, 400, 1400)]
    assert sizes == [14, 26, 52, 56]
    assert lay_out_tags(face(400), 480, 360)[0].line_px == 16  # a face that fills a small photo


def test_many_units_stay_in_a_panel_of_bounded_height() -> None:
    units = tuple(f"AU{number:02d}" for number in range(1, 46))
    many = face(action_units=np.ones((1, 45)), action_unit_labels=units)
    assert len(lay_out_panels(many, 4000, 4000)[0].lines) == 8


def test_a_panel_is_drawn_inside_its_size() -> None:
    for panel in (*lay_out_panels(face(), 640, 480), *lay_out_tags(face(), 640, 480), time_tag(3661.25, 640, 480)):
        canvas = np.full((480, 640, 3), 255, np.uint8)
        draw_panel(canvas, panel, 100, 50, (255, 0, 0))
        rows, columns = np.nonzero((canvas != 255).any(axis=2))
        assert (rows.min(), rows.max()) == (50, 50 + panel.height - 1)
        assert (columns.min(), columns.max()) == (100, 100 + panel.width - 1)
        assert all(text_width(line, panel.line_px) < panel.width for line in (panel.title, *panel.lines))
