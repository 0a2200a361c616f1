# SPDX-License-Identifier: Apache-2.0
"""The detector port: what every face detector takes and returns, the table of detectors, and fakes for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, InputError, Registry
from mien.faces.boxes import Boxes, iou

Image = npt.NDArray[np.uint8]
Index = slice | npt.NDArray[np.bool_] | npt.NDArray[np.intp] | list[int]

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
    """The N >= 0 faces that were found in one image, as read-only float32 arrays.

    What a detector does not give (the last three, most often) is NaN.

    Attributes:
        boxes: (N, 4) xyxy in pixels of the image; may leave the image.
        confidence: (N,) in [0, 1].
        keypoints: (N, 5, 2) pixels: eye at the image's left, eye at its right, nose tip, mouth corner at the
            image's left, mouth corner at its right.
        landmarks: (N, 68, 2) pixels in 300-W order.
        pose_rad: (N, 3) pitch, yaw, roll (`mien.core.rotation_matrices` says what they mean).
        eyes_open: (N, 2) in [0, 1], 1 for wide open, of the eye at the image's left and the one at its right.
    """

    boxes: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    keypoints: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32] = _FILL
    pose_rad: npt.NDArray[np.float32] = _FILL
    eyes_open: npt.NDArray[np.float32] = _FILL

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
        """The chosen faces, in the order of the index."""
        return Detections(*(getattr(self, name)[index] for name in _SHAPES))

    @classmethod
    def concatenated(cls, parts: Sequence[Detections]) -> Detections:
        """The faces of all parts, in order."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _SHAPES))


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces in an image."""

    def detect(self, image: Image) -> Detections:
        """Every face in the image, best score first.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            InputError: the array is not such an image.
        """


@runtime_checkable
class RefiningDetector(FaceDetector, Protocol):
    """A detector that can also look again, cheaply, at places where it expects a face."""

    def refine(self, image: Image, boxes: npt.NDArray[np.float32]) -> Detections:
        """What is in each of these boxes: row i answers box i, and a low score says that there is no face.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) float32, xyxy in pixels, each about one face; an offset of a fifth of the side is fine.

        Raises:
            InputError: the array is not such an image.
        """


@runtime_checkable
class SearchingDetector(RefiningDetector, Protocol):
    """A detector that can also look for new faces cheaply while it knows of others."""

    def search(self, image: Image, known: npt.NDArray[np.float32]) -> Detections:
        """The faces in an image, best score first: of the new ones those that are not too small.

        Args:
            image: (H, W, 3) uint8 RGB.
            known: (N, 4) float32, xyxy in pixels, each about one face that was seen a moment ago. Where there still is
                one, however small, it is among the answers.

        Raises:
            InputError: the array is not such an image.
        """


@runtime_checkable
class LandmarkModel(Protocol):
    """Reads a face whose rough place is known: its points, its pose, and whether it is a face at all."""

    def read(self, image: Image, keypoints: npt.NDArray[np.float32]) -> Detections:
        """What is seen at each place: row i answers place i, and a low score says that there is no face.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
            keypoints: (N, 5, 2) pixels, five points each where a face was a moment ago or where a detector sees it.

        Raises:
            InputError: the array is not such an image.
        """


@dataclass(frozen=True, kw_only=True)
class DetectorInfo:
    """One line of the table of detectors.

    Attributes:
        name: what callers write.
        target: ``"module:function"``, which takes the detector's own keyword arguments and returns a `FaceDetector`.
        summary: one line for listings.
        needs_model: whether the user must name a model file (``model=PATH``).
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
            summary="MTCNN cascade (Zhang et al. 2016); installed with mien; re-reads followed faces cheaply",
            needs_model=False,
            licence="MIT",
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
    """What people write for a detector, ``NAME`` or ``NAME=FILE``, as a name and its ``model`` option.

    Raises:
        ConfigError: the name is unknown, or a file is missing where one is needed or given where none is.
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
    """A detector by name with its options, or the given object as it is.

    Args:
        detector: a name in `DETECTORS`, or any object with ``detect``.
        options: keyword arguments of the named detector: see `mien.faces.mtcnn.create_mtcnn` and
            `mien.faces.yunet.create_yunet`.

    Raises:
        ConfigError: the name or an option is unknown, or options were given with an object.
        ModelError: the detector's model is missing or damaged.
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
    """Check that an array is an image as detectors take it.

    Raises:
        InputError: it is not (H, W, 3) uint8 with H, W >= 1.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"expected a (H, W, 3) uint8 RGB image, got {image.shape} {image.dtype}")


def require_picture(image: Image) -> None:
    """Check that an array is an image in colour or gray.

    Raises:
        InputError: it is neither (H, W, 3) nor (H, W) uint8 with H, W >= 1.
    """
    if image.ndim != 2:
        require_rgb(image)
    elif image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"expected a (H, W) uint8 gray image, got {image.shape} {image.dtype}")


def capped(image: Image, max_side_px: int) -> tuple[Image, float]:
    """The image, shrunk if its longer side is above the cap, and by what factor in (0, 1] (of the longer side)."""
    height, width = image.shape[:2]
    shrink = min(1.0, max_side_px / max(height, width))
    if shrink == 1.0:
        return image, shrink
    return resized(image, (max(1, round(height * shrink)), max(1, round(width * shrink)))), shrink


def resized(image: Image, shape: tuple[int, int]) -> Image:
    """The image at another (height, width), each new pixel the mean of those it covers."""
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def faces_at(boxes: Boxes, scores: list[float] | None = None) -> Detections:
    """Detections with these (N, 4) boxes, landmarks where a face has them, and scores of 0.99 unless given."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    keypoints = boxes[:, None, :2] + places * (boxes[:, 2:] - boxes[:, :2])[:, None]
    return Detections(boxes, np.array([0.99] * len(boxes) if scores is None else scores, np.float32), keypoints)


class FakeDetector:
    """A `mien.faces.FaceDetector` that answers with a function of the image.

    Attributes:
        n_detections: full detections so far.
    """

    def __init__(self, answer: Callable[[Image], Detections]) -> None:
        self._answer = answer
        self.n_detections = 0

    def detect(self, image: Image) -> Detections:
        """The answer to this image."""
        self.n_detections += 1
        return self._answer(image)


class FakeRefiningDetector(FakeDetector):
    """A `mien.faces.RefiningDetector`: in each box it sees the face of the answer that overlaps it most, if one does.

    Attributes:
        n_looks: second looks so far.
    """

    def __init__(self, answer: Callable[[Image], Detections]) -> None:
        super().__init__(answer)
        self.n_looks = 0

    def refine(self, image: Image, boxes: Boxes) -> Detections:
        """One row for each box; score 0 and the box itself where there is no face."""
        self.n_looks += 1
        faces = self._answer(image)
        seen, scores = np.array(boxes, np.float32), np.zeros(len(boxes), np.float32)
        keypoints = np.zeros((len(boxes), N_KEYPOINTS, 2), np.float32)
        overlaps = iou(boxes, faces.boxes)
        for row in np.flatnonzero(overlaps.any(axis=1)):
            face = int(overlaps[row].argmax())
            seen[row], scores[row], keypoints[row] = faces.boxes[face], faces.confidence[face], faces.keypoints[face]
        return Detections(seen, scores, keypoints)


class FakeSearchingDetector(FakeRefiningDetector):
    """A `mien.faces.SearchingDetector`: a search misses new faces that are narrower than ``smallest_px``.

    Attributes:
        n_searches: searches so far.
    """

    def __init__(self, answer: Callable[[Image], Detections], smallest_px: float = 0) -> None:
        super().__init__(answer)
        self._smallest_px = smallest_px
        self.n_searches = 0

    def search(self, image: Image, known: Boxes) -> Detections:
        """The answer's faces that are wide enough or overlap a known one."""
        self.n_searches += 1
        faces = self._answer(image)
        wide = faces.boxes[:, 2] - faces.boxes[:, 0] >= self._smallest_px
        return faces[wide | iou(faces.boxes, known).any(axis=1)]
