# SPDX-License-Identifier: Apache-2.0
"""The fit of what decides on doubtful faces: truth by overlap, and weights that let few other places pass."""

import numpy as np
import pytest

from benchmarks.detection.doubt_fit import Doubts, doubts_of, fit_weights
from benchmarks.detection.held_out_cases import Case
from mien.faces import Detections, GridDetector, load_landmark_net, quadratic_terms
from mien.faces.detector import faces_at
from mien.faces.grid_detector import create_mien_faces


def test_weights_separate_what_can_be_separated() -> None:
    rng = np.random.default_rng(0)
    is_face = np.arange(600) % 2 == 0
    evidence = rng.normal(0, 1, (600, 6))
    # A face only where the first two agree: no weighted sum of them can tell.
    evidence[:, 1] = evidence[:, 0] * np.where(is_face, 1, -1)
    weights, kept = fit_weights(Doubts(evidence, is_face), 0.02)
    passed = quadratic_terms(evidence) @ weights > 0
    assert kept > 0.7
    assert passed[is_face].mean() > 0.7
    assert passed[~is_face].mean() == pytest.approx(0.02, abs=0.02)


def test_places_that_share_a_part_of_a_face_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = create_mien_faces(threads=1)
    boxes = [[20, 20, 60, 60], [100, 100, 140, 140], [40, 20, 80, 60], [150, 20, 190, 60]]
    found = faces_at(boxes, [0.6, 0.6, 0.6, 0.995])
    monkeypatch.setattr(GridDetector, "propose", lambda *_: found)
    image = np.full((200, 200, 3), 127, np.uint8)
    case = Case("size", ("x",), image, np.array([[20, 20, 60, 60]], np.float32))
    doubts = doubts_of(detector, load_landmark_net(), iter([case]))
    assert doubts.is_face.tolist() == [True, False]  # neither the third, nor the sure one
    assert doubts.evidence.shape == (2, 7)
    assert isinstance(found, Detections)
