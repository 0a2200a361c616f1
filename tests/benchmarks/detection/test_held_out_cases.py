# SPDX-License-Identifier: Apache-2.0
"""Drawn cases have the face where they say, at the size, the turn and the share that they say."""

import numpy as np
import pytest

from benchmarks.detection.held_out_cases import KnownFace, border_cases, hidden_cases, light_cases, on_scene

FACE = KnownFace(np.zeros((100, 80, 3), np.uint8), np.array([20.0, 20.0, 60.0, 80.0]), 0.0)
FACE.image[20:80, 20:60] = 250
SCENE = np.full((200, 300, 3), 60, np.uint8)


@pytest.mark.parametrize("size", [12, 40, 120])
@pytest.mark.parametrize("turn", [0.0, np.pi / 2])
def test_a_face_on_a_scene(size: int, turn: float) -> None:
    case = on_scene(FACE, SCENE, size, turn, ("size", "x"))
    x0, y0, x1, y1 = case.boxes[0]
    assert np.sqrt((x1 - x0) * (y1 - y0)) == pytest.approx(size, rel=0.03)
    assert (x1 - x0 < y1 - y0) == (turn == 0)
    bright = np.argwhere(case.image[..., 0] > 180)
    assert bright[:, 1].min() == pytest.approx(x0, abs=3)
    assert bright[:, 0].max() == pytest.approx(y1, abs=3)


def test_cut_faces_keep_their_share() -> None:
    for case in border_cases([FACE] * 4):
        share = float(case.bins[0])
        x0, y0, x1, y1 = case.boxes[0]
        height, width = case.image.shape[:2]
        inside = (min(x1, width) - max(x0, 0)) * (min(y1, height) - max(y0, 0))
        assert inside / ((x1 - x0) * (y1 - y0)) == pytest.approx(share, abs=0.03)


def test_light_and_hidden_faces() -> None:
    lit = {case.bins[0]: case.image for case in light_cases([FACE])}
    assert lit["dark 0.1"].max() == 25
    assert lit["plain"].max() == 250
    assert lit["side 0.1"][50, 22:58].std() > 50
    assert all(len(case.boxes) == 0 for case in hidden_cases([FACE]))
