# SPDX-License-Identifier: Apache-2.0
"""Agreement of the analysis with two detectors."""

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.detection.detector_agreement import agreement
from mien.faces.detector import FakeDetector, faces_at


def test_boxes_that_differ_little_change_little(astronaut: npt.NDArray[np.uint8]) -> None:
    photos = [astronaut, np.ascontiguousarray(astronaut[:, ::-1]), np.full_like(astronaut, 120)]

    def beside(offset: int) -> FakeDetector:
        def faces(image: npt.NDArray[np.uint8]) -> list[list[int]]:
            x = 180 if image[0, 0, 0] == astronaut[0, 0, 0] else 512 - 270
            return [] if (image == 120).all() else [[x + offset, 60, x + 90 + offset, 180]]

        return FakeDetector(lambda image: faces_at(np.array(faces(image), np.float32)))

    same = agreement(beside(0), beside(0), photos)
    assert same["photos with one face by both"] == 2
    assert same["same top expression"] == 1
    assert same["mean difference of quality"] == same["only one abstains"] == 0
    moved = agreement(beside(0), beside(6), photos)
    assert 0 < moved["mean difference of quality"] < 0.1
    assert moved["mean quality, first"] == pytest.approx(same["mean quality, first"])
