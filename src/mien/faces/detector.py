# SPDX-License-Identifier: Apache-2.0
"""The detector port: what every face detector takes and gives, and the table of those that mien knows."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, InputError, Registry

Image = npt.NDArray[np.uint8]
Index = slice | npt.NDArray[np.bool_] | npt.NDArray[np.intp] | list[int]

N_LANDMARKS = 5


@dataclass(frozen=True, eq=False)
class Detections:
    """The N >= 0 faces that a detector found in one image, as read-only arrays.

    Attributes:
        boxes: (N, 4) float32, xyxy in pixels of the image; may leave the image.
        scores: (N,) float32 in [0, 1].
        landmarks: (N, 5, 2) float32 pixels: eye at the image's left, eye at its right, nose tip, mouth corner at the
            image's left, mouth corner at its right.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n_faces = len(self.boxes)
        shapes = {"boxes": (n_faces, 4), "scores": (n_faces,), "landmarks": (n_faces, N_LANDMARKS, 2)}
        for name, shape in shapes.items():
            array = np.asarray(getattr(self, name), dtype=np.float32)
            if array.shape != shape:
                raise ConfigError(f"{name} must have shape {shape}, got {array.shape}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def empty(cls) -> Detections:
        """No face."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, N_LANDMARKS, 2), np.float32))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Index) -> Detections:
        """The chosen faces, in the order of the index."""
        return Detections(self.boxes[index], self.scores[index], self.landmarks[index])

    def joined(self, other: Detections) -> Detections:
        """These faces, then the other's."""
        return Detections(
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.landmarks, other.landmarks]),
        )


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
