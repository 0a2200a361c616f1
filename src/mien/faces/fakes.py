# SPDX-License-Identifier: Apache-2.0
"""Detectors for tests that need no model: they answer with a function and count what they were asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mien.faces.boxes import Boxes, iou
from mien.faces.detector import N_LANDMARKS, Detections, Image


def faces_at(boxes: Boxes, scores: list[float] | None = None) -> Detections:
    """Detections with these (N, 4) boxes, landmarks where a face has them, and scores of 0.99 unless given."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    landmarks = boxes[:, None, :2] + places * (boxes[:, 2:] - boxes[:, :2])[:, None]
    return Detections(boxes, np.array([0.99] * len(boxes) if scores is None else scores, np.float32), landmarks)


class FakeDetector:
    """A `mien.faces.FaceDetector` that answers with a function of the image.

    Attributes:
        n_detections: full detections so far.
    """

    def __init__(self, answer: Callable[[Image], Detections]) -> None:
        self._answer = answer
        self.n_detections = 0

    def detect(self, image: Image) -> Detections:
        """The answer to this image."""
        self.n_detections += 1
        return self._answer(image)


class FakeRefiningDetector(FakeDetector):
    """A `mien.faces.RefiningDetector`: in each box it sees the face of the answer that overlaps it most, if one does.

    Attributes:
        n_looks: second looks so far.
    """

    def __init__(self, answer: Callable[[Image], Detections]) -> None:
        super().__init__(answer)
        self.n_looks = 0

    def refine(self, image: Image, boxes: Boxes) -> Detections:
        """One row for each box; score 0 and the box itself where there is no face."""
        self.n_looks += 1
        faces = self._answer(image)
        seen, scores = np.array(boxes, np.float32), np.zeros(len(boxes), np.float32)
        landmarks = np.zeros((len(boxes), N_LANDMARKS, 2), np.float32)
        overlaps = iou(boxes, faces.boxes)
        for row in np.flatnonzero(overlaps.any(axis=1)):
            face = int(overlaps[row].argmax())
            seen[row], scores[row], landmarks[row] = faces.boxes[face], faces.scores[face], faces.landmarks[face]
        return Detections(seen, scores, landmarks)


class FakeSearchingDetector(FakeRefiningDetector):
    """A `mien.faces.SearchingDetector`: a search misses new faces that are narrower than ``smallest_px``.

    Attributes:
        n_searches: searches so far.
    """

    def __init__(self, answer: Callable[[Image], Detections], smallest_px: float = 0) -> None:
        super().__init__(answer)
        self._smallest_px = smallest_px
        self.n_searches = 0

    def search(self, image: Image, known: Boxes) -> Detections:
        """The answer's faces that are wide enough or overlap a known one."""
        self.n_searches += 1
        faces = self._answer(image)
        wide = faces.boxes[:, 2] - faces.boxes[:, 0] >= self._smallest_px
        return faces[wide | iou(faces.boxes, known).any(axis=1)]
