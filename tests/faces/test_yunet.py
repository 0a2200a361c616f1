# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mien.core import ConfigError, ModelError
from mien.faces import FaceDetector, RefiningDetector, create_detector
from mien.faces.boxes import iou

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def detector(shared_data: Path) -> FaceDetector:
    model = shared_data / "models" / "yunet_n_dynamic.onnx"
    if not model.is_file():
        pytest.skip(f"needs a YuNet model: {model} is absent")
    return create_detector("yunet", model=model)


def test_agrees_with_the_default_detector(detector: FaceDetector, astronaut: Image) -> None:
    found, reference = detector.detect(astronaut), create_detector(threads=1).detect(astronaut)
    assert not isinstance(detector, RefiningDetector)
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes, reference.boxes, atol=10)
    np.testing.assert_allclose(found.keypoints, reference.keypoints, atol=6)


def test_large_image_answers_in_its_own_pixels(detector: FaceDetector, astronaut: Image) -> None:
    large = astronaut.repeat(3, axis=0).repeat(3, axis=1)
    assert iou(detector.detect(large).boxes, 3 * detector.detect(astronaut).boxes)[0, 0] > 0.8


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (20, 33), (1, 3000), (40, 4000)])
def test_small_and_narrow_images(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert len(detector.detect(np.full((*shape, 3), 128, np.uint8))) == 0


def test_fifty_faces(detector: FaceDetector, astronaut: Image) -> None:
    assert len(detector.detect(np.tile(astronaut[60:220, 140:300], (5, 10, 1)))) == 50


def test_missing_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model=PATH"):
        create_detector("yunet")
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        create_detector("yunet", model=tmp_path / "absent.onnx")


def test_damaged_model(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        create_detector("yunet", model=str(tmp_path / "bad.onnx"))


@pytest.mark.parametrize("options", [{"min_score": 2}, {"max_side_px": 1}])
def test_options_out_of_range(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        create_detector("yunet", model=tmp_path / "any.onnx", **options)
