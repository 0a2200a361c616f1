# SPDX-License-Identifier: Apache-2.0
"""The photos of canvases: what two detectors agree on, and rendered heads."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ModelError
from mien.training.data.canvases.photos import agreed_weights, load_heads, load_photos


def test_a_dog_is_no_face_and_a_doubtful_face_is_left_open() -> None:
    boxes = np.array([[0, 0, 40, 50], [60, 0, 100, 50], [0, 60, 10, 72]], np.float32)
    confirmed = boxes[:1] + 2
    np.testing.assert_array_equal(agreed_weights(boxes, confirmed, is_animal=True), [1, np.nan, 0])
    np.testing.assert_array_equal(agreed_weights(boxes, confirmed, is_animal=False), [1, 0, 0])
    np.testing.assert_array_equal(agreed_weights(boxes, boxes[:0], is_animal=False), [0, 0, 0])
    assert agreed_weights(boxes[:0], boxes, is_animal=True).shape == (0,)


def test_without_a_teacher_or_heads(tmp_path: Path) -> None:
    assert load_heads(tmp_path / "none") == []
    with pytest.raises(ModelError, match=r"yunet_n_dynamic\.onnx"):
        load_photos(tmp_path)


def test_photos_of_shared_data(shared_data: Path) -> None:
    photos, scenes = load_photos(shared_data, limit=6)
    assert 12 <= len(photos) <= 18
    assert len(scenes) == 6
    for photo in photos:
        eyes, mouth = photo.keypoints[:2].mean(axis=0), photo.keypoints[3:].mean(axis=0)
        assert photo.box[0] < eyes[0] < photo.box[2]
        assert eyes[1] < mouth[1]
