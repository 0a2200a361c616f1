# SPDX-License-Identifier: Apache-2.0
"""The landmark net at run time: a loose crop about five rough points, and 68 points, pose and confidence out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import (
    DEFAULT_LANDMARK_MODEL,
    LANDMARK_COLUMNS,
    NO_LANDMARK_MODEL,
    ConfigError,
    ModelError,
    pose_angles,
    rotation_matrices,
)
from mien.faces.alignment import keypoints_of, similarity_transform, to_colour, warp_face
from mien.faces.detector import Detections, Image, LandmarkModel, require_picture
from mien.inference import Bundle, load_bundle

Floats = npt.NDArray[np.float32]

MIN_CONFIDENCE = 0.5
"""Score from which what the reader sees in a place that a detector calls a face replaces the detector's points."""

# A box about 68 points, which end at the brows, is made as tall as the detectors' boxes, which show the forehead.
_FOREHEAD = 0.22


class LandmarkNet:
    """Reads faces with a bundle that has the tasks landmarks, head_pose, eyes_open and face. A `LandmarkModel`.

    Args:
        bundle: see `load_landmark_net`.

    Raises:
        ModelError: the bundle lacks one of the tasks, or reads other than gray crops.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        spec = bundle.spec
        try:
            self._points, self._pose, self._eyes, self._face = (
                _output(bundle, task) for task in ("landmarks", "head_pose", "eyes_open", "face")
            )
        except KeyError as error:
            raise ModelError(f"{spec.name} is no landmark net: it has no task {error}") from error
        if spec.input.colour != "gray":
            raise ModelError(f"{spec.name} reads {spec.input.colour} crops; a landmark net reads gray ones")
        self._template = np.asarray(spec.crop.template, dtype=np.float64) * spec.input.size_px - 0.5

    @property
    def bundle(self) -> Bundle:
        """The model itself."""
        return self._bundle

    def read(self, image: Image, keypoints: Floats) -> Detections:
        """What is seen at each place; see `mien.faces.LandmarkModel.read`."""
        require_picture(image)
        if not len(keypoints):
            return Detections.empty()
        matrices = similarity_transform(keypoints, self._template)
        crops = self._cut(image, matrices)
        outputs = self._bundle.run(crops)
        in_crop = outputs[self._points].reshape(len(crops), -1, 2).astype(np.float64) * crops.shape[1] - 0.5
        points = _undone(matrices, in_crop)
        return Detections(
            boxes=boxes_of(points),
            confidence=_sigmoid(outputs[self._face][:, 0]),
            keypoints=keypoints_of(points).astype(np.float32),
            landmarks=points.astype(np.float32),
            pose_rad=_upright(outputs[self._pose], matrices),
            eyes_open=_sigmoid(outputs[self._eyes]),
        )

    def crops(self, image: Image, keypoints: Floats) -> Image:
        """What the net itself sees of each place.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
            keypoints: (N, 5, 2) rough points, at least one face.

        Returns:
            (N, S, S) gray, uint8.

        Raises:
            InputError: the array is not such an image.
        """
        require_picture(image)
        return self._cut(image, similarity_transform(keypoints, self._template))

    def _cut(self, image: Image, matrices: npt.NDArray[np.float64]) -> Image:
        size = self._bundle.spec.input.size_px
        crops = np.stack([warp_face(image, matrix, size) for matrix in matrices])
        return crops if image.ndim == 2 else to_colour(crops, "gray")


def load_landmark_net(
    name_or_path: str | Path = DEFAULT_LANDMARK_MODEL, *, runtime: str = "onnxruntime"
) -> LandmarkNet:
    """The landmark net of a bundle, on one thread: it is done sooner than a second one has begun.

    Raises:
        ModelError: the bundle is missing, damaged, or no landmark net.
        MissingExtraError: the runtime is not installed.
    """
    return LandmarkNet(load_bundle(name_or_path, runtime=runtime, threads=1))


def create_landmark_model(
    model: str | Path | LandmarkModel | None, *, runtime: str = "onnxruntime"
) -> LandmarkModel | None:
    """The landmark network of a bundle by name or folder, or the given object unchanged.

    Args:
        model: Bundle name, folder or object; None or `NO_LANDMARK_MODEL` for no landmark model.
        runtime: See `mien.inference.create_session`.

    Raises:
        ConfigError: The object has no method ``read(image, keypoints)``.
        ModelError: The bundle is missing, damaged, or not a landmark network.
        MissingExtraError: The runtime is not installed.
    """
    if model is None or model == NO_LANDMARK_MODEL:
        return None
    if isinstance(model, (str, Path)):
        return load_landmark_net(model, runtime=runtime)
    if not isinstance(model, LandmarkModel):
        raise ConfigError(f"a landmark model has a method read(image, keypoints), {type(model).__name__} has none")
    return model


def refine_landmarks(reader: LandmarkModel, image: Image, found: Detections) -> Detections:
    """What a detector has found in a photo, its points replaced by what the reader sees there, if it sees a face.

    Boxes and scores stay the detector's.

    Args:
        reader: of the points.
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        found: by the detector.
    """
    # Once more from its own points: a crop about exact points gives exact ones, and a video does the same.
    read = reader.read(image, reader.read(image, found.keypoints).keypoints)
    believed = read.confidence >= MIN_CONFIDENCE
    names = ("keypoints", "landmarks", "pose_rad", "eyes_open")
    kept = {}
    for name in names:
        old = getattr(found, name)
        kept[name] = np.where(believed.reshape(-1, *[1] * (old.ndim - 1)), getattr(read, name), old)
    return Detections(boxes=found.boxes, confidence=found.confidence, **kept)


def boxes_of(points: npt.NDArray[np.floating]) -> Floats:
    """Boxes (N, 4) xyxy about 68 points each (N, 68, 2), with the forehead above the brows."""
    low, high = points.min(axis=1), points.max(axis=1)
    low = low - (high - low) * (0.0, _FOREHEAD)
    return np.concatenate([low, high], axis=1).astype(np.float32)


def _output(bundle: Bundle, name: str) -> str:
    task = bundle.spec.task(name)
    if task is None or (name == "landmarks" and task.labels != LANDMARK_COLUMNS):
        raise KeyError(name)
    return task.output


def _undone(matrices: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points (N, K, 2) of the crops in the image."""
    scale = (matrices[:, 0, 0] ** 2 + matrices[:, 1, 0] ** 2)[:, None, None]
    # The inverse of a similarity's linear part is its transpose over the squared scale; row vectors transpose again.
    return np.asarray((points - matrices[:, None, :, 2]) @ matrices[:, :, :2] / scale)


def _upright(pose_rad: Floats, matrices: npt.NDArray[np.float64]) -> Floats:
    """Poses (N, 3) as seen in the crops, turned back to how the image shows the heads."""
    scale = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    cosine, sine = (matrices[:, :2, 0] / np.where(scale > 0, scale, np.nan)[:, None]).T[..., None]
    heads = rotation_matrices(pose_rad)
    across, up = heads[:, 0].copy(), heads[:, 1].copy()
    heads[:, 0], heads[:, 1] = cosine * across - sine * up, sine * across + cosine * up
    return pose_angles(heads).astype(np.float32)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), dtype=np.float32)
