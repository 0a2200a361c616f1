# SPDX-License-Identifier: Apache-2.0
"""The fit of what decides on doubtful faces: truth by overlap, and weights that let few other places pass."""

import numpy as np
import pytest

from benchmarks.detection.doubt_fit import Doubts, doubts_of, fit_weights
from benchmarks.detection.held_out_cases import Case
from mien.faces import Detections, GridDetector, are_faces, load_landmark_net
from mien.faces.detector import faces_at
from mien.faces.grid_detector import create_mien_faces


def test_weights_separate_what_can_be_separated() -> None:
    rng = np.random.default_rng(0)
    is_face = np.arange(600) % 2 == 0
    evidence = rng.normal(0, 1, (600, 8))
    evidence[:, 3] = 9  # settled by no number alone
    # A face only where the first two agree: no weighted sum of them can tell.
    evidence[:, 1] = evidence[:, 0] * np.where(is_face, 1, -1)
    weights, kept = fit_weights(Doubts(evidence, is_face), 0.02)
    passed = are_faces(evidence, list(weights))
    assert kept > 0.7
    assert passed[is_face].mean() > 0.7
    assert passed[~is_face].mean() == pytest.approx(0.02, abs=0.02)


def test_faces_that_one_number_settles_count_without_weights() -> None:
    rng = np.random.default_rng(0)
    is_face = np.arange(400) % 2 == 0
    evidence = rng.normal(0, 1, (400, 8))
    evidence[:, 3] = 9
    evidence[::4, 1] = 7  # every second face, of which the landmark model is sure
    evidence[1::4, 3] = -9  # every second other place
    weights, kept = fit_weights(Doubts(evidence, is_face), 0.02)
    assert 0.5 <= kept < 0.7
    assert are_faces(evidence, list(weights))[::4].all()
    with pytest.raises(SystemExit, match="counts already"):
        fit_weights(Doubts(evidence, np.arange(400) % 4 == 2), 0.02)


def test_places_that_share_a_part_of_a_face_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = create_mien_faces(threads=1)
    boxes = [[20, 20, 60, 60], [100, 100, 140, 140], [40, 20, 80, 60], [150, 20, 190, 60]]
    found = faces_at(boxes, [0.6, 0.6, 0.6, 0.995])
    monkeypatch.setattr(GridDetector, "propose", lambda *_: found)
    image = np.full((200, 200, 3), 127, np.uint8)
    case = Case("size", ("x",), image, np.array([[20, 20, 60, 60]], np.float32))
    doubts = doubts_of(detector, load_landmark_net(), iter([case]))
    assert doubts.is_face.tolist() == [True, False, False]  # not the third
    assert doubts.evidence.shape == (3, 8)
    assert isinstance(found, Detections)
