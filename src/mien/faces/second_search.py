# SPDX-License-Identifier: Apache-2.0
"""Searches again where a detector finds no face: dark images, faces that fill a photo, faces that its edge cuts off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from mien.core import Image
from mien.faces.boxes import areas, overlap_of_smaller
from mien.faces.detector import Detections, FaceDetector, LandmarkModel, ProposingDetector, RefiningDetector
from mien.faces.landmark_model import read_new_faces

# Median gray (0 to 255) below which an image is dark: its faces lie in the shade, whatever shines beside them.
_DARK_GRAY = 50.0
# Pixels for a median: more do not change it.
_SAMPLED_SIDE_PX = 256
# Share of the values that a dark image is stretched to show, and contrast limit and tiles of the local equalisation.
_SHOWN = 0.9
_CLIP_LIMIT, _TILES = 2.0, (8, 8)

# Confidence of the landmark model that a face of a second search needs, where the detector was less than sure.
_SURE_LANDMARKS = 0.9
# Confidence of the landmark model from which a doubtful face of a detector is one; the higher one where the detector's
# own is below the last number.
_CONFIRMED, _CONFIRMED_FAINT, _FAINT = 0.8, 0.97, 0.7
# The same for one that it sees only in another quarter turn, as heads upside down and lying, and confidence of the
# detector from which it looks for such heads. With less than these it takes fur, clouds and skirts for them.
_CONFIRMED_TURNED, _TURNED_FROM = 0.998, 0.6

# Five keypoints of a face as fractions of its square image.
_TEMPLATE = np.array([[0.32, 0.385], [0.68, 0.385], [0.5, 0.578], [0.352, 0.768], [0.648, 0.768]])
_SCALES = (1.0, 0.8, 1.3)
# A face that fills a photo: confidence by the landmark model and by the detector's last network, and width of the face
# as a share of the photo's shorter side. None of 684 photos without a face reaches both.
_FILLING_LANDMARKS, _FILLING_CONFIDENCE, _FILLING_WIDTH = 0.99, 0.98, 0.5

# A photo that is so many times as long as wide is a panorama; length of its windows in its shorter sides, their largest
# number, and the share of the smaller of two boxes from which they are one face.
_LONG_ASPECT, _WINDOW_SIDES, _MAX_WINDOWS = 4, 3, 64
_SAME_FACE = 0.5

# Margin about a photo, as a share of its shorter side, in which the hidden part of a face may lie, and its gray.
_MARGIN = 0.25
_MARGIN_GRAY = 127


def is_dark(image: Image) -> bool:
    """Whether an image is so dark that a face in it may be missed.

    Args:
        image: (H, W, 3) RGB or (H, W) gray, uint8.

    Examples:
        >>> is_dark(np.full((90, 120, 3), 20, np.uint8)), is_dark(np.full((90, 120, 3), 120, np.uint8))
        (True, False)
    """
    sample = _sample(image)
    gray = sample if sample.ndim == 2 else cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY)
    return float(np.median(gray)) < _DARK_GRAY


def lightened(image: Image) -> Image:
    """A dark image, RGB or gray, stretched as a whole and then in each part: what is in the shade has contrast.

    Examples:
        >>> dark = np.tile(np.arange(20, dtype=np.uint8), (40, 2))[..., None].repeat(3, axis=2)
        >>> int(lightened(dark).max()) > int(dark.max())
        True
    """
    brightest = max(float(np.quantile(_sample(image), _SHOWN)), 1.0)
    stretched = cv2.convertScaleAbs(image, alpha=255 / brightest)  # saturates
    equalise = cv2.createCLAHE(_CLIP_LIMIT, _TILES).apply
    if image.ndim == 2:
        return np.asarray(equalise(stretched), np.uint8)
    lab = cv2.cvtColor(stretched, cv2.COLOR_RGB2LAB)
    lab[..., 0] = equalise(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _sample(image: Image) -> Image:
    """So many pixels of an image that statistics are those of all."""
    step = max(1, min(image.shape[:2]) // _SAMPLED_SIDE_PX)
    return np.ascontiguousarray(image[::step, ::step])


def search_lightened(
    search: Callable[[Image], Detections], image: Image, landmark_model: LandmarkModel | None = None
) -> Detections:
    """The faces in an image; where there is none and it is dark, those in a lightened copy.

    Args:
        search: Method of a detector, such as its ``detect``.
        image: (H, W, 3) uint8 RGB, or (H, W) gray for a detector that takes it.
        landmark_model: Landmark model that must see the faces of the copy in the image itself; without one there is no
            search in a copy, in which some patterns resemble faces.
    """
    found = search(image)
    if len(found) or landmark_model is None or not is_dark(image):
        return found
    found = search(lightened(image))
    return found[landmark_model.read(image, found.keypoints).confidence >= _SURE_LANDMARKS]


def confirmed_search(detector: FaceDetector, landmark_model: LandmarkModel | None) -> Callable[[Image], Detections]:
    """Function that searches an image for faces; doubtful ones of a detector that gives them count if both see them.

    Args:
        detector: Face detector.
        landmark_model: Landmark model that decides on doubtful faces; without one there are none.
    """
    if landmark_model is None or not isinstance(detector, ProposingDetector):
        return detector.detect

    def search(image: Image) -> Detections:
        found = detector.propose(image)
        doubtful = np.flatnonzero(found.confidence < detector.sure_confidence)
        if not len(doubtful):
            return found
        kept = np.ones(len(found), bool)
        needed = np.where(found.confidence[doubtful] < _FAINT, _CONFIRMED_FAINT, _CONFIRMED)
        kept[doubtful] = landmark_model.read(image, found.keypoints[doubtful]).confidence >= needed
        turned = doubtful[~kept[doubtful] & (found.confidence[doubtful] >= _TURNED_FROM)]
        if len(turned):
            seen = read_new_faces(landmark_model, image, found.keypoints[turned])
            kept[turned] = seen.confidence >= _CONFIRMED_TURNED
        return found[kept]

    return search


def search_photo(detector: FaceDetector, image: Image, landmark_model: LandmarkModel | None = None) -> Detections:
    """The faces of a photo; where the detector finds none, it is searched again.

    First in a lightened copy if it is dark, then as one face that fills the photo, then with a margin, which completes
    faces that its edge cuts off. A panorama is also searched window by window, since its faces vanish on a small copy.

    Args:
        detector: Face detector.
        image: (H, W, 3) uint8 RGB.
        landmark_model: Landmark model that decides what counts; without one there is one search.
    """
    search = confirmed_search(detector, landmark_model)
    found = search_lightened(search, image, landmark_model)
    if max(image.shape[:2]) >= _LONG_ASPECT * min(image.shape[:2]):
        found = _with_faces_of_windows(search, image, found)
    if len(found) or landmark_model is None:
        return found
    found = filling_face(detector, image, landmark_model)
    return found if len(found) else _faces_at_the_edge(detector, image, landmark_model)


def filling_face(detector: FaceDetector, image: Image, landmark_model: LandmarkModel) -> Detections:
    """The face that fills a photo; none where the models are not sure, and with a detector that cannot refine.

    Args:
        detector: Face detector.
        image: (H, W, 3) uint8 RGB.
        landmark_model: Landmark model.
    """
    if not isinstance(detector, RefiningDetector):
        return Detections.empty()
    height, width = image.shape[:2]
    side = min(height, width)
    for scale in _SCALES:
        expected = (_TEMPLATE - 0.5) * (side * scale) + (width / 2 - 0.5, height / 2 - 0.5)
        seen = landmark_model.read(image, expected[None].astype(np.float32))
        seen = landmark_model.read(image, seen.keypoints)
        wide = seen.boxes[:, 2] - seen.boxes[:, 0] >= _FILLING_WIDTH * side
        if not wide[0] or seen.confidence[0] <= _FILLING_LANDMARKS:
            continue
        confidence = detector.refine(image, seen.boxes).confidence
        if confidence[0] > _FILLING_CONFIDENCE:
            return replace(seen, confidence=confidence)
    return Detections.empty()


def _with_faces_of_windows(search: Callable[[Image], Detections], image: Image, found: Detections) -> Detections:
    """The faces of a long photo and of windows of it, in descending order of confidence."""
    length, side = max(image.shape[:2]), min(image.shape[:2])
    window = max(_WINDOW_SIDES * side, length // _MAX_WINDOWS)
    along = int(image.shape[1] == length)  # x for a wide photo
    parts = [found]
    # A window begins one side of the photo before the end of the last: every face is whole in one of them.
    for start in range(0, length - side, window - side):
        part = image[:, start : start + window] if along else image[start : start + window]
        seen = search(np.ascontiguousarray(part))
        offset = np.array([start, 0] if along else [0, start], np.float32)
        parts.append(replace(seen, boxes=seen.boxes + np.tile(offset, 2), keypoints=seen.keypoints + offset))
    both = Detections.concatenated(parts)
    # The faces of the whole photo stay as they are.
    order = np.lexsort((-both.confidence, np.arange(len(both)) >= len(found)))
    shared = overlap_of_smaller(both.boxes[order], both.boxes[order])
    kept: list[int] = []
    for row in range(len(order)):
        if not (shared[row, kept] > _SAME_FACE).any():
            kept.append(row)
    chosen = both[order[kept]]
    return chosen[np.argsort(-chosen.confidence, kind="stable")]


def _faces_at_the_edge(detector: FaceDetector, image: Image, landmark_model: LandmarkModel) -> Detections:
    """The faces that the detector finds in a photo with a margin, and that the landmark model sees without it.

    Their confidence is multiplied by the share of the box that lies in the photo.
    """
    margin = max(1, round(_MARGIN * min(image.shape[:2])))
    wider = cv2.copyMakeBorder(
        image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(_MARGIN_GRAY, _MARGIN_GRAY, _MARGIN_GRAY)
    )
    found = detector.detect(np.asarray(wider, np.uint8))
    if not len(found):
        return found
    offset = np.float32(margin)
    moved = replace(found, boxes=found.boxes - offset, keypoints=found.keypoints - offset)
    seen = landmark_model.read(image, moved.keypoints)
    moved = moved[(seen.confidence > _FILLING_LANDMARKS) & (moved.confidence > _FILLING_CONFIDENCE)]
    visible = np.clip(moved.boxes, 0, np.array([image.shape[1], image.shape[0]] * 2, np.float32))
    return replace(moved, confidence=moved.confidence * areas(visible) / areas(moved.boxes))
