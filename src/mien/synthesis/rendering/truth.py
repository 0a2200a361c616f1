# SPDX-License-Identifier: Apache-2.0
"""`Truth`: landmarks, box and openings of a head in a scene, read from its mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from mien.synthesis.head.basis import HeadBasis
from mien.synthesis.rendering.scene import Camera

Floats = npt.NDArray[np.float32]

_VISIBLE_DM = 0.06
_MOUTH_GAP = 0.16
_CLOSED_EYE = 0.35
_SHUT_EYE = 0.85
_EYE_LANDMARKS = ((43, 44, 46, 47, 42, 45), (37, 38, 40, 41, 36, 39))


@dataclass(frozen=True)
class Openings:
    """How far mouth and eyes are open, read on the head itself, whatever its pose.

    Attributes:
        mouth_gap: Height of the gap between the lips over the width of the mouth.
        eyes: Height over width of the left and right eye of the person.
    """

    mouth_gap: float
    eyes: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is exactly known of a rendered face.

    Attributes:
        landmarks: (68, 2) in pixels of the image, 300-W order; the jaw runs along the visible contour.
        visible: (68,) whether nothing hides the landmark.
        box: (4,) xyxy in pixels: skin of the face from chin to hairline, also where it leaves the image.
        openings: Openings of mouth and eyes.
    """

    landmarks: Floats
    visible: npt.NDArray[np.bool_]
    box: Floats
    openings: Openings


def read_truth(basis: HeadBasis, vertices: Floats, rotation: Floats, camera: Camera) -> tuple[Truth, Floats]:
    """Truth of a head, every landmark of which counts as visible, and the depth (68,) of its landmarks.

    Args:
        basis: Head basis.
        vertices: (V, 3) vertices around the middle of the eyes, not turned.
        rotation: (3, 3) rotation of the head.
        camera: Camera.
    """
    turned = vertices @ rotation.T
    projected = camera.project(turned)
    places = (projected[basis.landmark_vertices] * basis.landmark_weights[..., None]).sum(1)
    # The contour of a turned head: of each row of candidates, the one farthest out.
    across = _level(turned, *eyeballs(basis))
    for i, row in enumerate(basis.contour_vertices):
        candidates = row[row >= 0]
        outward = (projected[candidates, :2] @ across) * np.sign(i - 8)
        places[i] = projected[candidates[int(outward.argmax())]]
    face = projected[_face_vertices(basis), :2]
    truth = Truth(
        landmarks=places[:, :2].astype(np.float32),
        visible=np.ones(68, bool),
        box=np.concatenate([face.min(0), face.max(0)]).astype(np.float32),
        openings=read_openings(basis, vertices),
    )
    return truth, places[:, 2].astype(np.float32)


def read_openings(basis: HeadBasis, vertices: Floats) -> Openings:
    """Openings of a head; arguments as for `read_truth`."""
    on_head = landmark_places(basis, vertices)
    left, right = (_openness(on_head[list(eye)]) for eye in _EYE_LANDMARKS)
    return Openings(mouth_gap(on_head), (left, right))


def _openness(eye: Floats) -> float:
    """Height over width of an eye: upper lid (2), lower lid (2) and corners (2), as rows of (6, 3)."""
    height = np.clip(eye[:2, 1] - eye[[3, 2], 1], 0, None).mean()
    return float(height / np.linalg.norm(eye[4] - eye[5]))


def visible_landmarks(truth: Truth, landmark_depth: Floats, depth: Floats, oversampling: int) -> npt.NDArray[np.bool_]:
    """Whether each landmark lies in the image and nothing is in front of it.

    Args:
        truth: Landmarks.
        landmark_depth: (68,) their depth.
        depth: (S, S) depth of the rendering.
        oversampling: Rendering resolution over image resolution.
    """
    x, y = (truth.landmarks.T * oversampling).astype(int)
    size = len(depth)
    inside = (x >= 1) & (y >= 1) & (x < size - 1) & (y < size - 1)
    x, y = x.clip(1, size - 2), y.clip(1, size - 2)
    around = np.max([depth[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)
    return np.asarray(inside & (landmark_depth < around + _VISIBLE_DM))


def opening_units(face: Openings, neutral: Openings, unblinked: Openings) -> tuple[float, tuple[float, float]]:
    """Intensities of AU25 and of AU45 (left, right) as the geometry shows them.

    AU25 is 1 where the gap between the lips exceeds that of the neutral face by 0.16 of the mouth's width. AU45 begins
    where a blink closes the eye by 35 % and is 1 at 85 %; squinting alone is no blink.

    Args:
        face: Openings of the face.
        neutral: Those of the neutral face.
        unblinked: Those of the same expression without a blink.
    """
    parted = float(np.clip((face.mouth_gap - neutral.mouth_gap - 0.01) / _MOUTH_GAP, 0, 1))
    closed = []
    for now, rest in zip(face.eyes, unblinked.eyes, strict=True):
        share = 1 - now / max(rest, 1e-6)
        closed.append(float(np.clip((share - _CLOSED_EYE) / (_SHUT_EYE - _CLOSED_EYE), 0, 1)))
    return parted, (closed[0], closed[1])


def landmark_places(basis: HeadBasis, vertices: Floats) -> Floats:
    """Places (68, 3) of the landmarks on the head; those of the jaw are the first candidates of its contour."""
    return np.asarray((vertices[basis.landmark_vertices] * basis.landmark_weights[..., None]).sum(1), np.float32)


def mouth_gap(places: Floats) -> float:
    """Height of the gap between the lips over the width of the mouth.

    Heights alone count: rolled lips and shut lids pass each other in depth without a gap.
    """
    gap = np.clip(places[[61, 62, 63], 1] - places[[67, 66, 65], 1], 0, None).mean()
    return float(gap / np.linalg.norm(places[54] - places[48]))


def _level(turned: Floats, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Direction in the image, y down, of the line from the right to the left eye; level for a profile."""
    line = turned[left].mean(0) - turned[right].mean(0)
    flat = np.array([float(line[0]), -float(line[1])])
    length = float(np.hypot(*flat))
    return flat / length if length > 0.3 and flat[0] > 0 else np.array([1.0, 0.0])


@cache
def eyeballs(basis: HeadBasis) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Vertices of the left and of the right eyeball of the person."""
    eyes = basis.vertices_of("eye")
    return eyes[basis.mean[eyes, 0] > 0], eyes[basis.mean[eyes, 0] < 0]


@cache
def _face_vertices(basis: HeadBasis) -> npt.NDArray[np.int64]:
    """Vertices of the skin between chin and hairline, without ears and the inside of the mouth."""
    skin = basis.vertices_of("skin")
    x, y, z = basis.mean[skin].T
    inside = (y > 6.15) & (y < 7.95) & (z > 0.55) & (np.abs(x) < 0.74) & (basis.masks["mouth"][skin] < 100)
    return np.asarray(skin[inside])
