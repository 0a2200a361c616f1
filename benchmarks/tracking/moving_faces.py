# SPDX-License-Identifier: Apache-2.0
"""Synthetic clips with known tracks: faces on a backdrop that cross, hide, leave, return, or vanish with a cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import ConfigError
from mien.faces import MAX_LOST_S
from mien.media import VideoFrame

Image = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

# A face counts as visible while this share of its box shows.
_SHOWS = 0.5


@dataclass(frozen=True, eq=False)
class FacePatch:
    """A face image to paste into a scene.

    Attributes:
        image: (S, S, 3) RGB, a face with a margin; an oval of it is shown.
        box: (4,) xyxy, the detector's box of the face, as fractions of S.
    """

    image: Image
    box: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Trajectory:
    """Path of one face: linear between knots; the face is absent before the first knot and after the last.

    Attributes:
        knots: (time in s, x and y of the centre, side) in ascending time; all but the time in frame heights.
        patch: index of the face patch.
    """

    knots: tuple[tuple[float, float, float, float], ...]
    patch: int = 0

    def at(self, time_s: float) -> tuple[float, float, float] | None:
        """x, y and side at a time; None while the face is absent."""
        times = [knot[0] for knot in self.knots]
        if not times[0] <= time_s <= times[-1]:
            return None
        x, y, side = (float(np.interp(time_s, times, [knot[i] for knot in self.knots])) for i in (1, 2, 3))
        return x, y, side


@dataclass(frozen=True)
class Scene:
    """Description of a clip.

    Attributes:
        name: label of the scene in tables.
        trajectories: one per face; later ones pass in front of earlier ones.
        duration_s: length of the clip.
        cuts_s: times at which another backdrop begins; every visible face starts a new track there.
        pillar: left and right edge of an occluder in front of all faces, in frame heights; None for no occluder.
        height_px: height of the frame, whose aspect ratio is 16:9.
        fps: frames per second.
        shake: standard deviation of the camera's offset, in frame heights.
    """

    name: str
    trajectories: tuple[Trajectory, ...]
    duration_s: float
    cuts_s: tuple[float, ...] = ()
    pillar: tuple[float, float] | None = None
    height_px: int = 270
    fps: float = 25.0
    shake: float = 0.0


@dataclass(frozen=True, eq=False)
class GroundTruthFrame:
    """One frame of a scene with its ground truth.

    Attributes:
        frame: image and time.
        ids: (N,) track numbers of the visible faces. A face gets a new number after each cut and after an absence
            longer than `mien.faces.MAX_LOST_S`, because a tracker that does not identify persons cannot do better.
        boxes: (N, 4) xyxy px.
    """

    frame: VideoFrame
    ids: Ids
    boxes: Boxes


def render_scene(scene: Scene, patches: Sequence[FacePatch], *, seed: int = 0) -> Iterator[GroundTruthFrame]:
    """Yield the frames of a scene in order.

    Args:
        scene: what to render.
        patches: faces that the scene's trajectories refer to by index.
        seed: of the backdrops and the camera shake.

    Raises:
        ConfigError: a trajectory refers to a patch that does not exist.
    """
    n_needed = 1 + max(trajectory.patch for trajectory in scene.trajectories)
    if n_needed > len(patches):
        raise ConfigError(f"{scene.name} needs {n_needed} faces, got {len(patches)}")
    rng = np.random.default_rng(seed)
    size = scene.height_px, round(scene.height_px * 16 / 9)
    backdrops = [_backdrop(size, rng) for _ in range(len(scene.cuts_s) + 1)]
    numbers = _TrackNumbers(len(scene.trajectories))
    for index in range(round(scene.duration_s * scene.fps)):
        time_s = index / scene.fps
        shot = sum(time_s >= cut for cut in scene.cuts_s)
        offset = rng.normal(0, scene.shake * scene.height_px, 2) if scene.shake else np.zeros(2)
        moved = np.array([[1, 0, offset[0]], [0, 1, offset[1]]])
        image = np.array(cv2.warpAffine(backdrops[shot], moved, size[::-1], borderMode=cv2.BORDER_REFLECT), np.uint8)
        owner = np.full(size, -1)
        places: dict[int, npt.NDArray[np.float64]] = {}
        for number, trajectory in enumerate(scene.trajectories):
            place = trajectory.at(time_s)
            if place is not None:
                square = np.array(place) * scene.height_px + (*offset, 0)
                places[number] = _paste(image, owner, patches[trajectory.patch], square, number)
        if scene.pillar is not None:
            left, right = (round(edge * scene.height_px + offset[0]) for edge in scene.pillar)
            image[:, max(left, 0) : max(right, 0)] = backdrops[shot].mean(axis=(0, 1)) * 0.5
            owner[:, max(left, 0) : max(right, 0)] = -1
        shown = [number for number, box in places.items() if _share_shown(owner, box, number) >= _SHOWS]
        ids = np.array([numbers.track_of(number, time_s, shot) for number in shown], np.int64)
        boxes = np.array([places[number] for number in shown], np.float32).reshape(-1, 4)
        yield GroundTruthFrame(VideoFrame(index=index, time_s=time_s, image=image), ids, boxes)


class _TrackNumbers:
    """Assigns a track number to the face of each trajectory."""

    def __init__(self, n_trajectories: int) -> None:
        self._last: list[tuple[float, int, int] | None] = [None] * n_trajectories
        self._next = 0

    def track_of(self, trajectory: int, time_s: float, shot: int) -> int:
        last = self._last[trajectory]
        if last is None or last[1] != shot or time_s - last[0] > MAX_LOST_S:
            track, self._next = self._next, self._next + 1
        else:
            track = last[2]
        self._last[trajectory] = (time_s, shot, track)
        return track


def _backdrop(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A smooth coloured image in which detectors find no face."""
    coarse = rng.uniform(30, 220, (5, 8, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def _paste(
    image: Image, owner: npt.NDArray[np.int64], patch: FacePatch, square: npt.NDArray[np.float64], number: int
) -> npt.NDArray[np.float64]:
    """Draw a face into the frame and mark its pixels with its number.

    Returns:
        (4,) xyxy px, its box in the frame.
    """
    x, y, side = square
    scale = side / len(patch.image)
    matrix = np.array([[scale, 0, x - side / 2], [0, scale, y - side / 2]])
    small = patch.image
    if scale < 1:
        side_px = max(2, round(side))
        small = np.asarray(cv2.resize(small, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)
        matrix[:, :2] = np.eye(2) * side / side_px
    oval = np.zeros(small.shape[:2], np.float32)
    middle = len(small) // 2
    cv2.ellipse(oval, (middle, middle), (round(middle * 0.88), round(middle * 0.98)), 0, 0, 360, 1.0, -1)
    size = image.shape[1::-1]
    weight = cv2.warpAffine(cv2.GaussianBlur(oval, (0, 0), max(len(small) / 40, 0.5)), matrix, size)[..., None]
    face = cv2.warpAffine(small, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    image[:] = np.rint(image * (1 - weight) + face * weight)
    owner[weight[..., 0] > 0.5] = number
    return np.asarray(np.tile([x - side / 2, y - side / 2], 2) + patch.box * side, np.float64)


def _share_shown(owner: npt.NDArray[np.int64], box: npt.NDArray[np.float64], number: int) -> float:
    """Share of the inner part of a box whose pixels lie in the frame and belong to the face."""
    width, height = box[2:] - box[:2]
    x0, x1 = box[0] + 0.15 * width, box[2] - 0.15 * width
    y0, y1 = box[1] + 0.15 * height, box[3] - 0.15 * height
    rows, columns = slice(max(round(y0), 0), max(round(y1), 0)), slice(max(round(x0), 0), max(round(x1), 0))
    return float((owner[rows, columns] == number).sum() / max((x1 - x0) * (y1 - y0), 1))


CROSSING = Scene(
    "crossing",
    (Trajectory(((0, 0.3, 0.5, 0.45), (3, 1.5, 0.45, 0.45))), Trajectory(((0, 1.5, 0.5, 0.5), (3, 0.3, 0.55, 0.5)), 1)),
    3,
)
HIDING = Scene("hiding", (Trajectory(((0, 0.3, 0.5, 0.45), (4, 1.5, 0.5, 0.45))),), 4, pillar=(0.8, 1.0))
RETURNING = Scene(
    "returning",
    (
        Trajectory(
            (
                (0, 1.4, 0.5, 0.45),
                (1, 2.1, 0.5, 0.45),
                (3.5, 2.1, 0.5, 0.45),
                (4.5, 1.4, 0.5, 0.45),
                (5, 1.4, 0.5, 0.45),
            )
        ),
    ),
    5,
)
CUT = Scene("cut", (Trajectory(((0, 0.8, 0.5, 0.5), (3, 0.9, 0.5, 0.5))),), 3, cuts_s=(1.5,))

SCENES = (
    CROSSING,
    Scene(
        "crossing with a stop",
        (
            Trajectory(((0, 0.3, 0.5, 0.45), (1.2, 0.9, 0.5, 0.45), (1.8, 0.9, 0.5, 0.45), (3, 1.5, 0.5, 0.45))),
            Trajectory(((0, 1.5, 0.55, 0.5), (3, 0.3, 0.55, 0.5)), 1),
        ),
        3,
    ),
    Scene(
        "meeting and turning back",
        (
            Trajectory(((0, 0.3, 0.5, 0.45), (1.5, 0.75, 0.5, 0.45), (3, 0.3, 0.5, 0.45))),
            Trajectory(((0, 1.5, 0.5, 0.5), (1.5, 1.0, 0.5, 0.5), (3, 1.5, 0.5, 0.5)), 1),
        ),
        3,
    ),
    HIDING,
    RETURNING,
    CUT,
    Scene(
        "five in a row, one walks by",
        (
            *(
                Trajectory(((0, x, 0.4, 0.3), (5, x + 0.05, 0.45, 0.3)), patch)
                for patch, x in enumerate((0.25, 0.65, 1.05, 1.45))
            ),
            Trajectory(((0, -0.2, 0.6, 0.4), (5, 2.0, 0.6, 0.4)), 4),
        ),
        5,
        height_px=360,
    ),
    Scene(
        "trembling camera, coming nearer",
        (
            Trajectory(((0, 0.5, 0.5, 0.25), (4, 0.6, 0.5, 0.6)), 2),
            Trajectory(((0, 1.3, 0.5, 0.3), (4, 1.4, 0.5, 0.4)), 3),
        ),
        4,
        shake=0.012,
    ),
    Scene(
        "fast",
        (
            Trajectory(((0, 0.25, 0.3, 0.3), (1, 1.5, 0.3, 0.3), (2, 0.25, 0.3, 0.3), (3, 1.5, 0.3, 0.3))),
            Trajectory(((0, 1.5, 0.72, 0.35), (1, 0.3, 0.72, 0.35), (2, 1.5, 0.72, 0.35), (3, 0.3, 0.72, 0.35)), 1),
        ),
        3,
    ),
)
"""The scenes of the tracking benchmark."""
