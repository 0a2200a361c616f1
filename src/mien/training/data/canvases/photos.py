# SPDX-License-Identifier: Apache-2.0
"""The photos of canvases: faces with a teacher detector's boxes and keypoints, and scenes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mien.core import Float32
from mien.datasets import is_test_person, load_pictures, load_rendered_faces, load_scenes, picture_file
from mien.faces import FaceDetector, areas, create_detector, iou, keypoints_of
from mien.media import decode_image
from mien.training.data.canvases.canvas import Pixels, ScenePicture
from mien.training.data.canvases.face_targets import FacePatch

TEACHER_FILE = "models/yunet_n_dynamic.onnx"
"""Detector of boxes and keypoints, in the folder of the data sets."""

# Set, split, and most photos of it: small ones say less.
_SETS = (("fairface", "train", None), ("lfw", "train", None), ("fairface", "more", 5000))
_MARGIN = 0.3
_TEACHER_SIDE_PX = 224
_SURE = 0.6
# In scenes the teacher alone is not accepted: it takes dogs for faces. From this overlap on MTCNN has found it, too.
_AGREE_IOU = 0.3
# Without MTCNN a small box may be a face; a larger one is none in a photo of an animal.
_DOUBTFUL_PX = 20.0
# The WordNet offsets of ILSVRC's animals, with which the names of scenes begin.
_FIRST_ANIMAL, _LAST_ANIMAL = "n01440764", "n02510455"
_LEAST_WIDTH = 0.25
_MOST_HEADS = 8000


def load_photos(folder: Path, limit: int | None = None) -> tuple[list[FacePatch], list[ScenePicture]]:
    """Training photos of one face, with the teacher's boxes and keypoints, and training scenes.

    Args:
        folder: Folder that holds the open sets and the teacher.
        limit: Most photos of each set; None for all.

    Raises:
        DatasetError: A file is missing or malformed.
        ModelError: The teacher is missing.
    """
    teacher = create_detector("yunet", model=folder / TEACHER_FILE, max_side_px=_TEACHER_SIDE_PX, min_score=_SURE)
    photos: list[FacePatch] = []
    for name, split, most in _SETS:
        pictures = load_pictures(picture_file(folder, name, split))
        chosen = [row for row, photo in enumerate(pictures.names) if name != "lfw" or not is_test_person(photo)]
        for row in chosen[: most if limit is None else limit]:
            patch = _patch_of(decode_image(pictures.images[row], name=pictures.names[row]), teacher)
            if patch is not None:
                photos.append(patch)
    return photos, _load_scenes(folder, limit)


def load_heads(folder: Path, limit: int | None = None) -> list[FacePatch]:
    """Rendered heads of ``mien synthesize --format parquet``; none where the folder does not exist.

    Raises:
        DatasetError: A file is damaged.
    """
    if not folder.is_dir():
        return []
    faces = load_rendered_faces(folder, "train")
    heads = []
    n = min(len(faces.names), _MOST_HEADS if limit is None else limit)
    for row in np.random.default_rng(0).permutation(len(faces.names))[:n].tolist():
        image = cv2.cvtColor(decode_image(faces.images[row], name=faces.names[row]), cv2.COLOR_RGB2GRAY)
        landmarks = faces.landmarks[row] * image.shape[::-1]
        heads.append(FacePatch(np.asarray(image, np.uint8), _box_of(landmarks), keypoints_of(landmarks)))
    return heads


def _box_of(landmarks: Float32) -> Float32:
    """The teacher's kind of box about 68 landmarks: brows to chin, and a part of the forehead above."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    size = high - low
    return np.array([low[0], low[1] - 0.2 * size[1], high[0], high[1]], np.float32)


def _patch_of(image: Pixels, teacher: FaceDetector) -> FacePatch | None:
    """The photo in gray with its face, which the teacher sees with a margin; None where it finds none in the middle."""
    height, width = image.shape[:2]
    margin = round(_MARGIN * max(height, width))
    wider = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    if max(wider.shape[:2]) < 200:  # small photos: the teacher is surer of larger faces
        wider, factor = cv2.resize(wider, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), 2.0
    else:
        factor = 1.0
    found = teacher.detect(np.asarray(wider, np.uint8))
    if not len(found):
        return None
    row = int(np.argmax(found.boxes[:, 2] - found.boxes[:, 0]))
    box = found.boxes[row] / np.float32(factor) - np.float32(margin)
    keypoints = found.keypoints[row] / np.float32(factor) - np.float32(margin)
    if box[2] - box[0] < _LEAST_WIDTH * width:
        return None
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return FacePatch(np.asarray(gray, np.uint8), box, keypoints)


def _load_scenes(folder: Path, limit: int | None) -> list[ScenePicture]:
    scenes, second = load_scenes(folder, "train"), create_detector("mtcnn", max_side_px=1280)
    pictures = []
    for row in range(len(scenes))[:limit]:
        image = decode_image(scenes.images[row], name=scenes.names[row])
        boxes, weights = scenes.boxes[row], np.ones(len(scenes.boxes[row]), np.float32)
        if len(boxes):
            larger = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            found = second.detect(np.asarray(larger, np.uint8)).boxes / np.float32(2)
            weights = agreed_weights(boxes, found, is_animal=_FIRST_ANIMAL <= scenes.names[row][:9] <= _LAST_ANIMAL)
        kept = ~np.isnan(weights)
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        pictures.append(ScenePicture(gray, boxes[kept], scenes.keypoints[row][kept], weights[kept]))
    return pictures


def agreed_weights(boxes: Float32, second: Float32, *, is_animal: bool) -> Float32:
    """Weight of each face of a teacher: 1 where a second detector agrees, 0 for a doubtful one, NaN for none.

    Args:
        boxes: (N, 4) xyxy by the teacher.
        second: (M, 4) xyxy by the second detector.
        is_animal: Whether the photo is of an animal, whose face is none.

    Examples:
        >>> both = np.array([[0, 0, 40, 50], [60, 0, 100, 50], [0, 60, 10, 72]], np.float32)
        >>> [agreed_weights(both, both[:1], is_animal=is_animal).tolist() for is_animal in (True, False)]
        [[1.0, nan, 0.0], [1.0, 0.0, 0.0]]
    """
    overlaps = iou(boxes, second).max(axis=1, initial=0.0)
    small = np.sqrt(areas(boxes)) < _DOUBTFUL_PX
    doubtful = np.where(small | (not is_animal), np.float32(0), np.float32(np.nan))
    return np.where(overlaps >= _AGREE_IOU, np.float32(1), doubtful)
