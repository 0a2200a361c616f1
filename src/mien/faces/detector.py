# SPDX-License-Identifier: Apache-2.0
"""The detector port: interfaces of detectors and landmark models, the table of detectors, and fakes for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np

from mien.core import Bools, ConfigError, Float32, Image, Indices, InputError, Registry
from mien.faces.boxes import Boxes, iou

Index = slice | Bools | Indices | list[int]

N_KEYPOINTS = 5
N_LANDMARKS = 68

_SHAPES: dict[str, tuple[int, ...]] = {
    "boxes": (4,),
    "confidence": (),
    "keypoints": (N_KEYPOINTS, 2),
    "landmarks": (N_LANDMARKS, 2),
    "pose_rad": (3,),
    "eyes_open": (2,),
}

# Stands for "not given": replaced by NaN of the right shape before anyone can see it.
_FILL: Any = None


@dataclass(frozen=True, eq=False)
class Detections:
    """The N >= 0 faces detected in one image, as read-only float32 arrays.

    Arrays that a detector does not give (most often the last three) are NaN.

    Attributes:
        boxes: (N, 4) xyxy in pixels of the image; may leave the image.
        confidence: (N,) in [0, 1].
        keypoints: (N, 5, 2) pixels: eye at the image's left, eye at its right, nose tip, mouth corner at the
            image's left, mouth corner at its right.
        landmarks: (N, 68, 2) pixels in 300-W order.
        pose_rad: (N, 3) pitch, yaw, roll in radians (see `mien.core.rotation_matrices`).
        eyes_open: (N, 2) in [0, 1], 1 for wide open, of the eye at the image's left and the one at its right.

    Examples:
        >>> found = Detections(np.array([[10, 10, 50, 60]]), np.array([0.9]), np.full((1, 5, 2), 30))
        >>> len(found), np.isnan(found.landmarks).all()
        (1, np.True_)
        >>> len(found[found.confidence > 0.95])
        0
    """

    boxes: Float32
    confidence: Float32
    keypoints: Float32
    landmarks: Float32 = _FILL
    pose_rad: Float32 = _FILL
    eyes_open: Float32 = _FILL

    def __post_init__(self) -> None:
        n_faces = len(self.boxes)
        for name, tail in _SHAPES.items():
            shape, value = (n_faces, *tail), getattr(self, name)
            array = np.full(shape, np.nan, np.float32) if value is None else np.asarray(value, dtype=np.float32)
            if array.shape != shape:
                raise ConfigError(f"{name} must have shape {shape}, got {array.shape}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def empty(cls) -> Detections:
        """No face."""
        return cls(*(np.empty((0, *tail), np.float32) for tail in _SHAPES.values()))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Index) -> Detections:
        """The selected faces, in the order of the index."""
        return Detections(*(getattr(self, name)[index] for name in _SHAPES))

    def enlarged(self, factor: float) -> Detections:
        """The same faces in pixels of an image with ``factor`` times as many pixels along each axis.

        Examples:
            >>> found = Detections(np.array([[1, 2, 3, 4]]), np.array([0.9]), np.full((1, 5, 2), 2.0))
            >>> found.enlarged(2).boxes.tolist(), found.enlarged(2).keypoints[0, 0].tolist()
            ([[2.0, 4.0, 6.0, 8.0]], [4.5, 4.5])
        """
        # Boxes have corners of pixels, points the middles of them.
        points = {name: (getattr(self, name) + 0.5) * factor - 0.5 for name in ("keypoints", "landmarks")}
        return replace(self, boxes=self.boxes * np.float32(factor), **points)

    @classmethod
    def concatenated(cls, parts: Sequence[Detections]) -> Detections:
        """The faces of all parts, in order."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _SHAPES))


@runtime_checkable
class FaceDetector(Protocol):
    """Detects faces in an image."""

    def detect(self, image: Image) -> Detections:
        """Every face in the image, in descending order of confidence.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            InputError: The array is not such an image.
        """


@runtime_checkable
class RefiningDetector(FaceDetector, Protocol):
    """A detector that can also verify faces at expected places, at a fraction of the cost of a detection."""

    def refine(self, image: Image, boxes: Float32) -> Detections:
        """The face in each of these boxes: row i belongs to box i, and low confidence means that there is no face.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) float32 xyxy in pixels, each about one face, with an offset of up to a fifth of its side.

        Raises:
            InputError: The array is not such an image.
        """


@runtime_checkable
class SearchingDetector(RefiningDetector, Protocol):
    """A detector that can also search for new faces at lower cost while others are known."""

    def search(self, image: Image, known: Float32) -> Detections:
        """The faces in an image, in descending order of confidence; small new ones may be missing.

        Args:
            image: (H, W, 3) uint8 RGB.
            known: (N, 4) float32 xyxy in pixels, each about one face of the previous frame. A face that is still there
                is in the result, whatever its size.

        Raises:
            InputError: The array is not such an image.
        """


@runtime_checkable
class GrayDetector(FaceDetector, Protocol):
    """A detector that sees no colours: ``detect`` also takes (H, W) gray images, with the same result."""

    takes_gray: bool


@runtime_checkable
class ProposingDetector(FaceDetector, Protocol):
    """A detector that also gives places of doubtful faces, for a landmark model that says whether there is one."""

    @property
    def sure_confidence(self) -> float:
        """Confidence in [0, 1] from which a face needs no such second opinion."""

    def propose(self, image: Image) -> Detections:
        """Faces and doubtful faces in an image, in descending order of confidence.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            InputError: The array is not such an image.
        """


@runtime_checkable
class SecondLookDetector(ProposingDetector, Protocol):
    """A detector that runs once more on its doubtful faces, each in copies that show it at a common size."""

    def look_again(self, image: Image, found: Detections) -> Float32:
        """How surely it sees each face in copies about it, in which the head is upright.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
            found: N faces that it has proposed in the image, with their roll in ``pose_rad``.

        Returns:
            (N, 2) logits of its confidence: their mean over the copies, and the least.

        Raises:
            InputError: The array is not such an image.
        """


@runtime_checkable
class LandmarkModel(Protocol):
    """Predicts landmarks, pose and confidence of faces whose approximate place is known."""

    def read(self, image: Image, keypoints: Float32) -> Detections:
        """The face at each place: row i belongs to place i, and low confidence means that there is no face.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
            keypoints: (N, 5, 2) pixels, five approximate keypoints per place, from the previous frame or a detector.

        Raises:
            InputError: The array is not such an image.
        """


@dataclass(frozen=True, kw_only=True)
class DetectorInfo:
    """One line of the table of detectors.

    Attributes:
        name: Name that callers use.
        target: Factory as ``"module:function"``; it takes the detector's own keyword arguments and returns a
            `FaceDetector`.
        summary: One line for listings.
        needs_model: Whether the user must name a model file (``model=PATH``).
        licence: SPDX identifier of the model's licence.
    """

    name: str
    target: str
    summary: str
    needs_model: bool
    licence: str


DETECTORS = Registry(
    "detector",
    (
        DetectorInfo(
            name="mtcnn",
            target="mien.faces.mtcnn:create_mtcnn",
            summary="MTCNN cascade (Zhang et al. 2016); installed with mien; verifies tracked faces at low cost",
            needs_model=False,
            licence="MIT",
        ),
        DetectorInfo(
            name="mien-faces",
            target="mien.faces.grid_detector:create_mien_faces",
            summary="mien's own network: one pass over the picture, faces at any roll; in the wheel",
            needs_model=False,
            licence="Apache-2.0",
        ),
        DetectorInfo(
            name="yunet",
            target="mien.faces.yunet:create_yunet",
            summary="YuNet in OpenCV (Wu et al. 2023), with an ONNX file that you provide",
            needs_model=True,
            licence="Apache-2.0",
        ),
    ),
)
"""Name -> `DetectorInfo`; the first is the default."""


def parse_detector(text: str) -> tuple[str, dict[str, str]]:
    """Name and ``model`` option of a detector that is written as ``NAME`` or ``NAME=FILE``.

    Raises:
        ConfigError: The name is unknown, or a file is missing where one is needed or given where none is.

    Examples:
        >>> parse_detector("mtcnn"), parse_detector("yunet=face.onnx")
        (('mtcnn', {}), ('yunet', {'model': 'face.onnx'}))
        >>> parse_detector("yunet")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: the detector yunet needs a model of your own: write yunet=FILE.onnx
    """
    name, separator, file = text.partition("=")
    if DETECTORS[name].needs_model:
        if not file:
            raise ConfigError(f"the detector {name} needs a model of your own: write {name}=FILE.onnx")
        return name, {"model": file}
    if separator:
        raise ConfigError(f"the detector {name} brings its own model; write {name} alone")
    return name, {}


def create_detector(detector: str | FaceDetector = "mtcnn", **options: Any) -> FaceDetector:
    """A detector by name with its options, or the given object unchanged.

    Args:
        detector: Name in `DETECTORS`, or any object with the method ``detect``.
        options: Keyword arguments of the named detector: see `mien.faces.mtcnn.create_mtcnn` and
            `mien.faces.yunet.create_yunet`.

    Raises:
        ConfigError: The name or an option is unknown, or options were given with an object.
        ModelError: The detector's model is missing or damaged.

    Examples:
        >>> detector = create_detector("mtcnn", min_face_px=40, threads=1)
        >>> len(detector.detect(np.zeros((90, 120, 3), np.uint8)))
        0
    """
    if not isinstance(detector, str):
        if options:
            raise ConfigError(f"options {sorted(options)} need a detector's name, not a ready detector")
        if not isinstance(detector, FaceDetector):
            raise ConfigError(f"a detector has a method detect(image), {type(detector).__name__} has none")
        return detector
    create = DETECTORS.load(detector)
    try:
        signature(create).bind(**options)
    except TypeError as error:
        raise ConfigError(
            f"detector {detector!r}: {error}; it takes {', '.join(signature(create).parameters)}"
        ) from error
    built: FaceDetector = create(**options)
    return built


def require_rgb(image: Image) -> None:
    """Check that an array is a colour image.

    Raises:
        InputError: The array is not (H, W, 3) uint8 with H, W >= 1.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"expected a (H, W, 3) uint8 RGB image, got {image.shape} {image.dtype}")


def require_image(image: Image) -> None:
    """Check that an array is an image in colour or gray.

    Raises:
        InputError: The array is neither (H, W, 3) nor (H, W) uint8 with H, W >= 1.
    """
    if image.ndim != 2:
        require_rgb(image)
    elif image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"expected a (H, W) uint8 gray image, got {image.shape} {image.dtype}")


def capped(image: Image, max_side_px: int) -> tuple[Image, float]:
    """The image, shrunk if its longer side is above the cap, and the factor in (0, 1] of its longer side.

    Examples:
        >>> copy, factor = capped(np.zeros((300, 600, 3), np.uint8), 200)
        >>> copy.shape, round(factor, 3)
        ((100, 200, 3), 0.333)
    """
    height, width = image.shape[:2]
    shrink = min(1.0, max_side_px / max(height, width))
    if shrink == 1.0:
        return image, shrink
    return resized(image, (max(1, round(height * shrink)), max(1, round(width * shrink)))), shrink


def resized(image: Image, shape: tuple[int, int]) -> Image:
    """The image at another (height, width); each new pixel is the mean of those it covers."""
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def faces_at(boxes: Boxes, confidence: list[float] | None = None) -> Detections:
    """Detections for tests: these (N, 4) boxes, keypoints in proportion, and a confidence of 0.99 unless given."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    keypoints = boxes[:, None, :2] + places * (boxes[:, 2:] - boxes[:, :2])[:, None]
    return Detections(boxes, np.array([0.99] * len(boxes) if confidence is None else confidence, np.float32), keypoints)


class FakeDetector:
    """A `mien.faces.FaceDetector` for tests that detects what a function of the image returns.

    Args:
        faces: Function from the image to its faces.

    Attributes:
        n_detections: Number of detections so far.
    """

    def __init__(self, faces: Callable[[Image], Detections]) -> None:
        self._faces = faces
        self.n_detections = 0

    def detect(self, image: Image) -> Detections:
        """The faces of this image."""
        self.n_detections += 1
        return self._faces(image)


class FakeRefiningDetector(FakeDetector):
    """A `mien.faces.RefiningDetector` for tests: in each box it sees the face that overlaps it most, if one does.

    Args:
        faces: Function from the image to its faces.

    Attributes:
        n_refinements: Number of calls of ``refine`` so far.
    """

    def __init__(self, faces: Callable[[Image], Detections]) -> None:
        super().__init__(faces)
        self.n_refinements = 0

    def refine(self, image: Image, boxes: Boxes) -> Detections:
        """One row for each box; confidence 0 and the box itself where there is no face."""
        self.n_refinements += 1
        faces = self._faces(image)
        seen, confidence = np.array(boxes, np.float32), np.zeros(len(boxes), np.float32)
        keypoints = np.zeros((len(boxes), N_KEYPOINTS, 2), np.float32)
        overlaps = iou(boxes, faces.boxes)
        for row in np.flatnonzero(overlaps.any(axis=1)):
            face = int(overlaps[row].argmax())
            seen[row], confidence[row], keypoints[row] = (
                faces.boxes[face],
                faces.confidence[face],
                faces.keypoints[face],
            )
        return Detections(seen, confidence, keypoints)


class FakeSearchingDetector(FakeRefiningDetector):
    """A `mien.faces.SearchingDetector` for tests: a search misses new faces that are narrower than ``smallest_px``.

    Args:
        faces: Function from the image to its faces.
        smallest_px: Width in pixels from which a search finds new faces.

    Attributes:
        n_searches: Number of searches so far.
    """

    def __init__(self, faces: Callable[[Image], Detections], smallest_px: float = 0) -> None:
        super().__init__(faces)
        self._smallest_px = smallest_px
        self.n_searches = 0

    def search(self, image: Image, known: Boxes) -> Detections:
        """The faces that are wide enough or overlap a known one."""
        self.n_searches += 1
        faces = self._faces(image)
        wide = faces.boxes[:, 2] - faces.boxes[:, 0] >= self._smallest_px
        return faces[wide | iou(faces.boxes, known).any(axis=1)]
