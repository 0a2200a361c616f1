# SPDX-License-Identifier: Apache-2.0
"""Searches again where a detector finds no face: dark images, faces that fill a photo, faces that its edge cuts off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from mien.core import Bools, Float32, Float64, Image
from mien.faces.boxes import Boxes, areas, overlap_of_smaller
from mien.faces.detector import (
    Detections,
    FaceDetector,
    LandmarkModel,
    ProposingDetector,
    RefiningDetector,
    SecondLookDetector,
)
from mien.faces.landmark_model import read_new_faces, surest_reading

# Median gray (0 to 255) below which an image is dark: its faces lie in the shade, whatever shines beside them.
_DARK_GRAY = 50.0
# Pixels for a median: more do not change it.
_SAMPLED_SIDE_PX = 256
# Share of the values that a dark image is stretched to show, and contrast limit and tiles of the local equalisation.
_SHOWN = 0.9
_CLIP_LIMIT, _TILES = 2.0, (8, 8)

# Confidence of the landmark model that a face of a second search needs, where the detector was less than sure.
_SURE_LANDMARKS = 0.9
# The same for a doubtful face of a detector that takes no second look.
_CONFIRMED = 0.97
# Weights of the evidence on a doubtful face: of each number, and of each product of two, in the order of
# `doubt_evidence`; the sum of all and the first is above 0 for a face. Logits are limited, see `_logit`.
# Fitted by `python -m benchmarks doubtful-faces`, which prints them.
# fmt: off
_DOUBT_WEIGHTS = (
    0.815, 0.08452, 0.07362, 0.1471, 0.1705, 0.1347, 2.944, -5.273, -0.02838, -0.00895, 0.003007, 0.009989,
    -0.008962, 0.2491, 0.2307, 0.007187, 0.003727, -0.03379, -0.02652, 0.02353, -0.3056, 0.07783, 0.01265,
    -0.01566, 0.07677, -0.158, -0.0572, -0.002307, 0.1042, 0.2542, 0.05947, 0.08982, 0.3291, 0.03109, -4.444,
    2.805,
)
# fmt: on
_LEAST_SURE, _MOST_SURE = 0.004, 1 - 1e-5

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
        if isinstance(detector, SecondLookDetector):
            kept[doubtful] = are_faces(doubt_evidence(detector, landmark_model, image, found[doubtful]))
        else:
            seen = read_new_faces(landmark_model, image, found.keypoints[doubtful])
            kept[doubtful] = seen.confidence >= _CONFIRMED
        return found[kept]

    return search


def doubt_evidence(
    detector: SecondLookDetector, landmark_model: LandmarkModel, image: Image, found: Detections
) -> Float64:
    """What is known of doubtful faces.

    Args:
        detector: Detector that has proposed them.
        landmark_model: Landmark model.
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        found: N doubtful faces.

    Returns:
        (N, 7): logits of the confidence of the detector, of the landmark model as the face is found and in the quarter
        turn of which it is surest, mean and least logit of the detector's second looks, the cosine of the roll (1 if
        unknown), and the share of the box within the image.
    """
    as_found = landmark_model.read(image, found.keypoints)
    surest = surest_reading(landmark_model, image, found.keypoints, as_found)
    looks = detector.look_again(image, found)
    roll = np.nan_to_num(found.pose_rad[:, 2].astype(np.float64))
    sides = [looks.astype(np.float64), np.cos(roll), _visible_share(found.boxes, image)]
    return np.column_stack([*(_logit(each.confidence) for each in (found, as_found, surest)), *sides])


def are_faces(evidence: Float64, weights: Sequence[float] = _DOUBT_WEIGHTS) -> Bools:
    """Whether doubtful faces are faces: (N,) for (N, 7) of `doubt_evidence`.

    Examples:
        >>> are_faces(np.array([[3.0, 6.0, 6.0, 4.0, 3.0, 1.0, 1.0], [0.0, -5.0, -5.0, 0.0, -2.0, 1.0, 1.0]])).tolist()
        [True, False]
    """
    return np.asarray(quadratic_terms(evidence) @ np.asarray(weights) > 0)


def quadratic_terms(evidence: Float64) -> Float64:
    """The number 1, the K numbers of each row and the product of each two of them: (N, 1 + K + K (K + 1) / 2)."""
    first, second = np.triu_indices(evidence.shape[1])
    return np.column_stack([np.ones(len(evidence)), evidence, evidence[:, first] * evidence[:, second]])


def _logit(confidence: Float32) -> Float64:
    limited = np.clip(confidence.astype(np.float64), _LEAST_SURE, _MOST_SURE)
    return np.asarray(np.log(limited / (1 - limited)))


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
    return replace(moved, confidence=moved.confidence * _visible_share(moved.boxes, image))


def _visible_share(boxes: Boxes, image: Image) -> Float32:
    """Share (N,) of each box that lies in the image."""
    visible = np.clip(boxes, 0, np.array([image.shape[1], image.shape[0]] * 2, np.float32))
    return np.asarray(areas(visible) / areas(boxes), np.float32)
