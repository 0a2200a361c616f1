# SPDX-License-Identifier: Apache-2.0
import re
from dataclasses import fields

import numpy as np
import pytest

import mien.faces
from mien.core import AnalyzerConfig, ConfigError, InputError
from mien.faces import DETECTORS, Detections, FaceDetector, RefiningDetector, create_detector
from mien.faces.detector import FakeDetector, FakeRefiningDetector, capped, faces_at, require_rgb


def test_detections_are_read_only_and_checked() -> None:
    found = faces_at([[0, 0, 10, 20], [5, 5, 9, 9]])
    assert len(found) == 2
    with pytest.raises(ValueError, match="read-only"):
        found.boxes[0] = 0
    with pytest.raises(ConfigError, match=r"confidence must have shape \(2,\), got \(1,\)"):
        Detections(found.boxes, found.confidence[:1], found.keypoints)
    with pytest.raises(ConfigError, match=r"keypoints must have shape \(2, 5, 2\)"):
        Detections(found.boxes, found.confidence, found.keypoints[:, :4])


def test_detections_do_not_freeze_the_callers_array() -> None:
    boxes = np.zeros((1, 4), np.float32)
    Detections(boxes, np.zeros(1, np.float32), np.zeros((1, 5, 2), np.float32))
    boxes[0] = 1


def test_choosing_and_joining() -> None:
    found = faces_at([[0, 0, 10, 20], [5, 5, 9, 9], [1, 1, 2, 2]], [0.9, 0.8, 0.7])
    assert found[found.confidence > 0.75].confidence.tolist() == pytest.approx([0.9, 0.8])
    assert found[[2, 0]].confidence.tolist() == pytest.approx([0.7, 0.9])
    assert len(found[[]]) == 0
    assert Detections.concatenated([found, Detections.empty()]).boxes.tolist() == found.boxes.tolist()


def test_an_object_is_a_detector_by_its_methods() -> None:
    plain, refining = FakeDetector(lambda _: Detections.empty()), FakeRefiningDetector(lambda _: Detections.empty())
    assert create_detector(plain) is plain
    assert isinstance(plain, FaceDetector)
    assert not isinstance(plain, RefiningDetector)
    assert isinstance(refining, RefiningDetector)


def test_wrong_detectors() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mtcnn'"):
        create_detector("mtcn")
    with pytest.raises(ConfigError, match="int has none"):
        create_detector(3)  # type: ignore[arg-type]  # the error under test
    with pytest.raises(ConfigError, match="need a detector's name"):
        create_detector(FakeDetector(lambda _: Detections.empty()), min_face_px=20)
    with pytest.raises(ConfigError, match="unexpected keyword argument 'size'; it takes min_face_px"):
        create_detector("mtcnn", size=3)


@pytest.mark.parametrize("name", list(DETECTORS))
def test_every_line_of_the_table_can_be_loaded(name: str) -> None:
    assert callable(DETECTORS.load(name))
    assert DETECTORS[name].summary
    (option,) = (option for option in fields(AnalyzerConfig) if option.name == "detector")
    assert re.search(rf"\b{re.escape(name)}\b", str(option.metadata)), "the help of --detector names every detector"


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["gray", "alpha", "float", "empty"],
)
def test_not_an_image(image: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected"):
        require_rgb(image)


def test_capped() -> None:
    image = np.zeros((300, 600, 3), np.uint8)
    assert capped(image, 600) == (image, 1.0)
    copy, shrink = capped(image, 200)
    assert copy.shape == (100, 200, 3)
    assert shrink == pytest.approx(1 / 3)
    assert capped(np.zeros((1, 4000, 3), np.uint8), 100)[0].shape == (1, 100, 3)


def test_public_names() -> None:
    assert all(hasattr(mien.faces, name) for name in mien.faces.__all__)
