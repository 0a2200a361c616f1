# SPDX-License-Identifier: Apache-2.0
"""Searches again where a detector finds no face: dark images, faces that fill a photo, faces that its edge cuts off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from mien.core import Bools, Float32, Float64, Image, Indices
from mien.faces.boxes import Boxes, areas, iou, overlap_of_smaller
from mien.faces.detector import (
    Detections,
    FaceDetector,
    LandmarkModel,
    ProposingDetector,
    RefiningDetector,
    SecondLookDetector,
)
from mien.faces.landmark_model import SURELY_UPRIGHT, read_new_faces, surest_reading, with_landmarks

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
# Weights of the evidence on a proposed face: of each number, and of each product of two, in the order of
# `doubt_evidence`; the sum of all and the first is above 0 for a face. Logits are limited, see `_logit`.
# Fitted by `python -m benchmarks doubtful-faces`, which prints them.
# fmt: off
_DOUBT_WEIGHTS = (
    1.876, 0.3836, 0.3058, 0.1984, 0.3513, 0.1124, 1.223, -8.767, -0.956, -0.01638, -0.02359, 0.02029,
    -0.04057, 0.005882, -0.2084, -0.05336, 0.04749, -0.01506, -0.002362, -0.03381, 0.01721, 0.1254, -0.4683, 0.01494,
    0.06483, 0.01996, -0.01196, -0.02097, -0.2046, 0.01199, -0.04489, -0.004609, -0.06294, 0.6177, -0.03245, 0.05952,
    0.08776, 0.4469, -0.03487, 0.06583, -0.5338, -0.09442, 0.1774, 1.764, 0.03232,
)
# fmt: on
_LEAST_SURE, _MOST_SURE = 0.004, 1 - 1e-5
# Side of a face from which more pixels are no more evidence.
_LARGE_PX = 100
# A proposed face is one where the landmark model is surely right about it as it is found, and none where the detector's
# logit and the mean of its second looks sum up to less. Of 4,038 places without a face in training pictures, the first
# passes 6 and the second settles 2,897; of 6,643 faces, the first passes 5,250 and the second loses 79.
_LEAST_SEEN = -2.0

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


def confirmed_search(
    detector: FaceDetector, landmark_model: LandmarkModel | None, known: Boxes | None = None
) -> Callable[[Image], Detections]:
    """Function that searches an image for faces; those that a detector proposes count if both models see them.

    Args:
        detector: Face detector.
        landmark_model: Landmark model that decides on proposed faces; without one there are none.
        known: (M, 4) xyxy boxes of faces that the landmark model has seen in this image already; proposed again, they
            count.
    """
    if landmark_model is None or not isinstance(detector, ProposingDetector):
        return detector.detect

    def search(image: Image) -> Detections:
        found = detector.propose(image)
        if not len(found):
            return found
        if isinstance(detector, SecondLookDetector):
            again = np.zeros(len(found), bool)
            if known is not None and len(known):
                again = iou(known, found.boxes).max(axis=0) >= _SAME_FACE
            new = found[~again]
            if len(new):
                evidence, seen = doubt_evidence(detector, landmark_model, image, new)
                new = with_landmarks(new, seen)[are_faces(evidence)]
            both = Detections.concatenated([found[again], new])
            return both[np.argsort(-both.confidence, kind="stable")]
        doubtful = np.flatnonzero(found.confidence < detector.sure_confidence)
        kept = np.ones(len(found), bool)
        if len(doubtful):
            seen = read_new_faces(landmark_model, image, found.keypoints[doubtful])
            kept[doubtful] = seen.confidence >= _CONFIRMED
        return found[kept]

    return search


def doubt_evidence(
    detector: SecondLookDetector, landmark_model: LandmarkModel, image: Image, found: Detections
) -> tuple[Float64, Detections]:
    """What is known of proposed faces, gathered until it settles each: cheap evidence comes first.

    Args:
        detector: Detector that has proposed them.
        landmark_model: Landmark model.
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        found: N proposed faces, at least one.

    Returns:
        (N, 8) evidence, and the faces as the landmark model sees them. The evidence are logits of the confidence of the
        detector, of the landmark model as the face is found and in the quarter turn of which it is surest, mean and
        least logit of the detector's second looks, the cosine of the roll (1 if unknown), the share of the box within
        the image, and the logarithm of the root of its area in pixels, of at most 100. NaN for what was not needed.
    """
    seen = landmark_model.read(image, found.keypoints)
    evidence = np.full((len(found), N_EVIDENCE), np.nan)
    evidence[:, 0], evidence[:, 1] = _logit(found.confidence), _logit(seen.confidence)
    evidence[:, 5] = np.cos(np.nan_to_num(found.pose_rad[:, 2].astype(np.float64)))
    evidence[:, 6] = _visible_share(found.boxes, image)
    evidence[:, 7] = np.log(np.clip(np.sqrt(areas(found.boxes)), 1, _LARGE_PX))
    rows = np.flatnonzero(~_surely_faces(evidence))
    if len(rows):
        evidence[rows, 3:5] = detector.look_again(image, found[rows])
        rows = rows[~_surely_none(evidence[rows])]
    if len(rows):
        surest = surest_reading(landmark_model, image, found.keypoints[rows], seen[rows])
        evidence[rows, 2] = _logit(surest.confidence)
        order = np.arange(len(found))
        order[rows] = len(found) + np.arange(len(rows))
        seen = Detections.concatenated([seen, surest])[order]
    return evidence, seen


N_EVIDENCE = 8
"""Number of values of `doubt_evidence` for each face."""


def _surely_faces(evidence: Float64) -> Bools:
    """(N,) faces of which the landmark model is sure as they are found."""
    return np.asarray(evidence[:, 1] >= _logit(np.array([SURELY_UPRIGHT], np.float32)))


def _surely_none(evidence: Float64) -> Bools:
    """(N,) places at which the detector sees too little, at first and again."""
    return np.asarray(evidence[:, 0] + evidence[:, 3] < _LEAST_SEEN)


def are_faces(evidence: Float64, weights: Sequence[float] = _DOUBT_WEIGHTS) -> Bools:
    """Whether proposed faces are faces: (N,) for (N, 8) of `doubt_evidence`.

    Args:
        evidence: Evidence; NaN as there.
        weights: Weights of `quadratic_terms` for what no single number settles.

    Examples:
        >>> both = [[3.0, 5.0, 6.0, 4.0, 3.0, 1.0, 1.0, 4.0], [1.0, -5.0, -5.0, -1.0, -5.0, 1.0, 1.0, 4.0]]
        >>> are_faces(np.array(both)).tolist()
        [True, False]
    """
    faces = _surely_faces(evidence)
    rows = unsettled(evidence)
    faces[rows] = quadratic_terms(evidence[rows]) @ np.asarray(weights) > 0
    return faces


def unsettled(evidence: Float64) -> Indices:
    """Rows of `doubt_evidence` that need all of it."""
    return np.flatnonzero(~_surely_faces(evidence) & ~_surely_none(evidence))


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
        moved = {name: getattr(seen, name) + offset for name in ("keypoints", "landmarks")}
        parts.append(replace(seen, boxes=seen.boxes + np.tile(offset, 2), **moved))
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
