# SPDX-License-Identifier: Apache-2.0
"""The landmark network: 68 landmarks, head pose and confidence from a loose crop about five approximate keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.core import (
    DEFAULT_LANDMARK_MODEL,
    LANDMARK_COLUMNS,
    NO_LANDMARK_MODEL,
    ConfigError,
    Float32,
    Float64,
    Floats,
    Image,
    ModelError,
    pose_angles,
    rotation_matrices,
)
from mien.faces.alignment import keypoints_of, similarity_transform, to_colour, warp_face
from mien.faces.detector import Detections, LandmarkModel, require_image
from mien.inference import Bundle, load_bundle

MIN_CONFIDENCE = 0.5
"""Confidence of the landmark model from which its landmarks replace the detector's keypoints."""

SURELY_UPRIGHT = 0.998
"""Confidence of the landmark model from which a face is the way up that the detector says.

Of 915 faces in rotated photos and videos, 93 % of those that are upright to the detector have it, and none of 171 that
are turned by more than 30 degrees from that.
"""

# A box about 68 landmarks, which end at the brows, is extended like the boxes of detectors, which show the forehead.
_FOREHEAD = 0.22


class LandmarkNet:
    """A `LandmarkModel` that runs a bundle with the tasks landmarks, head_pose, eyes_open and face.

    Args:
        bundle: Bundle of kind landmarks, see `load_landmark_net`.

    Raises:
        ModelError: The bundle lacks one of the tasks, or its input is not gray.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        spec = bundle.spec
        try:
            self._landmarks, self._pose, self._eyes, self._face = (
                _output(bundle, task) for task in ("landmarks", "head_pose", "eyes_open", "face")
            )
        except KeyError as error:
            raise ModelError(f"{spec.name} is no landmark network: it has no task {error}") from error
        if spec.input.colour != "gray":
            raise ModelError(f"{spec.name} takes {spec.input.colour} crops; a landmark network takes gray ones")
        self._template = np.asarray(spec.crop.template, dtype=np.float64) * spec.input.size_px - 0.5

    @property
    def bundle(self) -> Bundle:
        """The bundle that the network comes from."""
        return self._bundle

    def read(self, image: Image, keypoints: Float32) -> Detections:
        """The face at each place; see `mien.faces.LandmarkModel.read`."""
        require_image(image)
        if not len(keypoints):
            return Detections.empty()
        matrices = similarity_transform(keypoints, self._template)
        crops = self._cut(image, matrices)
        outputs = self._bundle.run(crops)
        in_crop = outputs[self._landmarks].reshape(len(crops), -1, 2).astype(np.float64) * crops.shape[1] - 0.5
        landmarks = _to_image(matrices, in_crop)
        return Detections(
            boxes=boxes_of(landmarks),
            confidence=_sigmoid(outputs[self._face][:, 0]),
            keypoints=keypoints_of(landmarks).astype(np.float32),
            landmarks=landmarks.astype(np.float32),
            pose_rad=_upright(outputs[self._pose], matrices),
            eyes_open=_sigmoid(outputs[self._eyes]),
        )

    def crops(self, image: Image, keypoints: Float32) -> Image:
        """Input of the network for each place.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
            keypoints: (N, 5, 2) approximate keypoints in pixels, at least one face.

        Returns:
            (N, S, S) gray, uint8.

        Raises:
            InputError: The array is not such an image.
        """
        require_image(image)
        return self._cut(image, similarity_transform(keypoints, self._template))

    def _cut(self, image: Image, matrices: Float64) -> Image:
        size = self._bundle.spec.input.size_px
        crops = np.stack([warp_face(image, matrix, size) for matrix in matrices])
        return crops if image.ndim == 2 else to_colour(crops, "gray")


def load_landmark_net(
    name_or_path: str | Path = DEFAULT_LANDMARK_MODEL, *, runtime: str = "onnxruntime"
) -> LandmarkNet:
    """The landmark network of a bundle, on one thread: its runs are too short to share.

    Args:
        name_or_path: Name of a bundle that is installed with mien, or a folder.
        runtime: Name of the library that runs the graph, see `mien.inference.RUNTIMES`.

    Raises:
        ModelError: The bundle is missing, damaged, or of another kind.
        MissingExtraError: The runtime is not installed.

    Examples:
        >>> network = load_landmark_net()
        >>> place = np.array([[[30, 40], [60, 40], [45, 55], [35, 70], [55, 70]]], np.float32)
        >>> seen = network.read(np.full((100, 90), 127, np.uint8), place)
        >>> seen.landmarks.shape, bool(seen.confidence[0] < MIN_CONFIDENCE)
        ((1, 68, 2), True)
    """
    return LandmarkNet(load_bundle(name_or_path, kind="landmarks", runtime=runtime, threads=1))


def create_landmark_model(
    model: str | Path | LandmarkModel | None, *, runtime: str = "onnxruntime"
) -> LandmarkModel | None:
    """The landmark network of a bundle by name or folder, or the given object unchanged.

    Args:
        model: Bundle name, folder or object; None or `NO_LANDMARK_MODEL` for no landmark model.
        runtime: Name of the library that runs the graph, see `mien.inference.RUNTIMES`.

    Raises:
        ConfigError: The object has no method ``read(image, keypoints)``.
        ModelError: The bundle is missing, damaged, or of another kind.
        MissingExtraError: The runtime is not installed.

    Examples:
        >>> create_landmark_model("none") is None
        True
        >>> create_landmark_model("mien-light")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mien.core.errors.ModelError: mien-light predicts affect, and a bundle that predicts landmarks is needed; ...
    """
    if model is None or model == NO_LANDMARK_MODEL:
        return None
    if isinstance(model, (str, Path)):
        return load_landmark_net(model, runtime=runtime)
    if not isinstance(model, LandmarkModel):
        raise ConfigError(f"a landmark model has a method read(image, keypoints), {type(model).__name__} has none")
    return model


def refine_landmarks(model: LandmarkModel, image: Image, found: Detections) -> Detections:
    """The faces of a photo with keypoints and landmarks of the landmark model where that sees a face.

    Boxes and confidence stay the detector's. Heads upside down and lying are recognised, see `read_new_faces`; faces
    that have landmarks already are read about these.

    Args:
        model: Landmark model.
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        found: Faces that the detector has found.
    """
    keypoints = found.keypoints
    new = np.flatnonzero(np.isnan(found.landmarks).any(axis=(1, 2)))
    if len(new):
        keypoints = keypoints.copy()
        keypoints[new] = read_new_faces(model, image, found.keypoints[new]).keypoints
    return with_landmarks(found, model.read(image, keypoints))


def with_landmarks(found: Detections, seen: Detections) -> Detections:
    """Faces with what the landmark model sees of each, where it sees a face; boxes and confidence stay as they are.

    Args:
        found: N faces.
        seen: The same faces as the landmark model sees them.
    """
    accepted = seen.confidence >= MIN_CONFIDENCE
    refined = {}
    for name in ("keypoints", "landmarks", "pose_rad", "eyes_open"):
        old = getattr(found, name)
        refined[name] = np.where(accepted.reshape(-1, *[1] * (old.ndim - 1)), getattr(seen, name), old)
    return Detections(boxes=found.boxes, confidence=found.confidence, **refined)


def read_new_faces(model: LandmarkModel, image: Image, keypoints: Float32) -> Detections:
    """The faces at places where a detector has found them, also heads upside down and lying.

    Detectors find such a head as an upright face, with the eyes near the mouth. A face of which the landmark model is
    not quite sure is read in all four quarter turns, each time twice, and the reading counts of which it is surest.

    Args:
        model: Landmark model.
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        keypoints: (N, 5, 2) pixels, as the detector gives them.
    """
    return surest_reading(model, image, keypoints, model.read(image, keypoints))


def surest_reading(model: LandmarkModel, image: Image, keypoints: Float32, upright: Detections) -> Detections:
    """What `read_new_faces` gives, for faces that were read as they were found already.

    Args:
        model: Landmark model.
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        keypoints: (N, 5, 2) pixels, as the detector gives them.
        upright: The N faces as the model sees them about these keypoints.
    """
    rows = np.flatnonzero(upright.confidence < SURELY_UPRIGHT)
    if not len(rows):
        return upright
    turned = [_read_twice(model, image, _turned(keypoints[rows], n_quarters)) for n_quarters in range(4)]
    best = np.argmax([reading.confidence for reading in turned], axis=0)
    candidates = Detections.concatenated([upright, *turned])
    chosen = len(upright) + best * len(rows) + np.arange(len(rows))
    order = np.arange(len(upright))
    sure = candidates.confidence[chosen] >= MIN_CONFIDENCE
    order[rows[sure]] = chosen[sure]
    return candidates[order]


def read_given_face(model: LandmarkModel, image: Image, template: Sequence[Sequence[float]]) -> Detections:
    """The face in an image that is one cropped face: one row, or none where the landmark model sees no face.

    Args:
        model: Landmark model.
        image: (H, W, 3) RGB or (H, W) gray, uint8.
        template: Expected place of the five keypoints, as fractions of the image's width and height.
    """
    expected = np.asarray(template, dtype=np.float64) * (image.shape[1], image.shape[0]) - 0.5
    seen = _read_twice(model, image, expected[None].astype(np.float32))
    return seen[seen.confidence >= MIN_CONFIDENCE]


def boxes_of(landmarks: Floats) -> Float32:
    """Boxes (N, 4) xyxy about 68 landmarks each (N, 68, 2), extended by the forehead above the brows."""
    low, high = landmarks.min(axis=1), landmarks.max(axis=1)
    low = low - (high - low) * (0.0, _FOREHEAD)
    return np.concatenate([low, high], axis=1).astype(np.float32)


def _read_twice(model: LandmarkModel, image: Image, keypoints: Float32) -> Detections:
    """The faces as the model sees them about its own keypoints: a crop about exact keypoints gives exact landmarks."""
    return model.read(image, model.read(image, keypoints).keypoints)


def _turned(keypoints: Float32, n_quarters: int) -> Float32:
    """Keypoints (N, 5, 2) of heads at the same places, turned clockwise by quarters of a turn about their means.

    Examples:
        >>> upright = np.array([[[0, 0], [4, 0], [2, 2], [0, 4], [4, 4]]], np.float32)
        >>> _turned(upright, 1)[0].tolist(), _turned(upright, 2)[0, 0].tolist()
        ([[4.0, 0.0], [4.0, 4.0], [2.0, 2.0], [0.0, 0.0], [0.0, 4.0]], [4.0, 4.0])
    """
    centre = keypoints.mean(axis=-2, keepdims=True)
    offset = keypoints - centre
    for _ in range(n_quarters):
        offset = np.stack([-offset[..., 1], offset[..., 0]], axis=-1)
    return np.asarray(centre + offset, np.float32)


def _output(bundle: Bundle, name: str) -> str:
    task = bundle.spec.task(name)
    if task is None or (name == "landmarks" and task.labels != LANDMARK_COLUMNS):
        raise KeyError(name)
    return task.output


def _to_image(matrices: Float64, points: Float64) -> Float64:
    """Points (N, K, 2) of the crops in pixels of the image."""
    scale = (matrices[:, 0, 0] ** 2 + matrices[:, 1, 0] ** 2)[:, None, None]
    # The inverse of a similarity's linear part is its transpose over the squared scale; row vectors transpose again.
    return np.asarray((points - matrices[:, None, :, 2]) @ matrices[:, :, :2] / scale)


def _upright(pose_rad: Float32, matrices: Float64) -> Float32:
    """Poses (N, 3) of the heads in the image, from their poses in the rotated crops."""
    scale = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    cosine, sine = (matrices[:, :2, 0] / np.where(scale > 0, scale, np.nan)[:, None]).T[..., None]
    heads = rotation_matrices(pose_rad)
    across, up = heads[:, 0].copy(), heads[:, 1].copy()
    heads[:, 0], heads[:, 1] = cosine * across - sine * up, sine * across + cosine * up
    return pose_angles(heads).astype(np.float32)


def _sigmoid(logits: Float32) -> Float32:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), dtype=np.float32)
