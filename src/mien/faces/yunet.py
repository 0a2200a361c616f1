# SPDX-License-Identifier: Apache-2.0
"""The YuNet detector in OpenCV, with an ONNX file that the user provides.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from mien.core import ConfigError, Image, ModelError
from mien.faces.detector import N_KEYPOINTS, Detections, capped, require_rgb
from mien.inference import is_model_file

# The detector's first feature map has a cell per 8 px: smaller images have no cell.
_SMALLEST_SIDE_PX = 8


class YunetDetector:
    """YuNet, a `mien.faces.FaceDetector`. It cannot verify tracked faces, so it runs on every frame of a video.

    Args:
        model: Path of YuNet's ONNX file.
        max_side_px: Longest side in pixels of the copy on which faces are searched; those under about 10 px on that
            copy are not found.
        min_score: Least score of a face, in [0, 1].

    Raises:
        ConfigError: An argument is out of range.
        ModelError: The file is missing, or OpenCV cannot read it.
    """

    def __init__(self, model: Path, *, max_side_px: int = 640, min_score: float = 0.7) -> None:
        if max_side_px < _SMALLEST_SIDE_PX:
            raise ConfigError(f"max_side_px must be at least {_SMALLEST_SIDE_PX}, got {max_side_px}")
        if not 0 <= min_score <= 1:
            raise ConfigError(f"min_score must be within [0, 1], got {min_score}")
        if not is_model_file(model):
            raise ModelError(f"{model}: there is no such YuNet model file; check the path")
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (320, 320), min_score)
        except cv2.error as error:
            raise ModelError(f"{model}: OpenCV {cv2.__version__} cannot read it as YuNet: {error}") from error
        self._model = model
        self._max_side_px = max_side_px
        # OpenCV's object keeps the input size, so two threads must not use it at once.
        self._lock = Lock()

    def detect(self, image: Image) -> Detections:
        """Every face in the image; see `mien.faces.FaceDetector.detect`.

        Raises:
            ModelError: OpenCV cannot run the model.
        """
        require_rgb(image)
        copy, shrink = capped(image, self._max_side_px)
        height, width = copy.shape[:2]
        if min(height, width) < _SMALLEST_SIDE_PX:
            return Detections.empty()
        bgr = cv2.cvtColor(copy, cv2.COLOR_RGB2BGR)
        with self._lock:
            self._net.setInputSize((width, height))
            try:
                _, rows = self._net.detect(bgr)
            except cv2.error as error:
                raise ModelError(f"{self._model}: OpenCV {cv2.__version__} cannot run it: {error}") from error
        if rows is None:
            return Detections.empty()
        # A row is x, y, width, height, five keypoints in the order of `Detections`, score.
        rows = rows[np.argsort(-rows[:, -1], kind="stable")].astype(np.float32)
        scale = np.float32(1 / shrink)
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        keypoints = rows[:, 4:-1].reshape(-1, N_KEYPOINTS, 2)
        return Detections(boxes * scale, np.clip(rows[:, -1], 0, 1), keypoints * scale)


def create_yunet(
    *, model: str | os.PathLike[str] | None = None, max_side_px: int = 640, min_score: float = 0.7
) -> YunetDetector:
    """YuNet with the user's ONNX file.

    Args:
        model: Path of YuNet's ONNX file.
        max_side_px: See `YunetDetector`.
        min_score: See `YunetDetector`.

    Raises:
        ConfigError: No model was named, or an argument is out of range.
        ModelError: The file is missing, or OpenCV cannot read it.
    """
    if model is None:
        raise ConfigError("the detector 'yunet' needs its ONNX file: pass model=PATH")
    return YunetDetector(Path(model), max_side_px=max_side_px, min_score=min_score)
