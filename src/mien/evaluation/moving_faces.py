# SPDX-License-Identifier: Apache-2.0
"""Clips with known tracks: faces pasted on a backdrop that cross, hide, leave, return, and are cut away."""

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

# A face is there to be found while this share of its box shows.
_SHOWS = 0.5


@dataclass(frozen=True, eq=False)
class Patch:
    """A face to paste.

    Attributes:
        image: (S, S, 3) RGB, a face and a little around it; an oval of it is shown.
        box: (4,) xyxy, what a detector says of it, as fractions of S.
    """

    image: Image
    box: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Walk:
    """Where one person's face is; between two knots it moves evenly, before the first and after the last it is away.

    Attributes:
        knots: (time in s, x, y of the middle, side) in ascending time; all but time in heights of the frame.
        patch: which face it shows.
    """

    knots: tuple[tuple[float, float, float, float], ...]
    patch: int = 0

    def at(self, time_s: float) -> tuple[float, float, float] | None:
        """x, y and side at a time; None while away."""
        times = [knot[0] for knot in self.knots]
        if not times[0] <= time_s <= times[-1]:
            return None
        x, y, side = (float(np.interp(time_s, times, [knot[i] for knot in self.knots])) for i in (1, 2, 3))
        return x, y, side


@dataclass(frozen=True)
class Scene:
    """A clip to be made.

    Attributes:
        name: for tables.
        walks: later ones pass in front of earlier ones.
        duration_s: of the clip.
        cuts_s: when another backdrop is shown; everybody who is there then is new.
        pillar: left and right edge of something in front of everybody, in the same fractions; None without.
        height_px: of the frame; it is 16:9.
        fps: frames a second.
        shake: how much the camera trembles, in fractions of the height.
    """

    name: str
    walks: tuple[Walk, ...]
    duration_s: float
    cuts_s: tuple[float, ...] = ()
    pillar: tuple[float, float] | None = None
    height_px: int = 270
    fps: float = 25.0
    shake: float = 0.0


@dataclass(frozen=True, eq=False)
class TrueFrame:
    """One frame of a scene and what is true of it.

    Attributes:
        frame: the picture.
        ids: (N,) numbers of the tracks whose face shows: another one after each cut, and after an absence for longer
            than `mien.faces.MAX_LOST_S`, since without knowing persons nobody can tell who returns.
        boxes: (N, 4) xyxy pixels.
    """

    frame: VideoFrame
    ids: Ids
    boxes: Boxes


def film(scene: Scene, patches: Sequence[Patch], *, seed: int = 0) -> Iterator[TrueFrame]:
    """The frames of a scene, in order.

    Raises:
        ConfigError: a walk wants a patch that there is not.
    """
    if any(walk.patch >= len(patches) for walk in scene.walks):
        raise ConfigError(f"{scene.name} needs {1 + max(walk.patch for walk in scene.walks)} faces, got {len(patches)}")
    rng = np.random.default_rng(seed)
    size = scene.height_px, round(scene.height_px * 16 / 9)
    backdrops = [_backdrop(size, rng) for _ in range(len(scene.cuts_s) + 1)]
    book = _Book(len(scene.walks))
    for index in range(round(scene.duration_s * scene.fps)):
        time_s = index / scene.fps
        shot = sum(time_s >= cut for cut in scene.cuts_s)
        tremble = rng.normal(0, scene.shake * scene.height_px, 2) if scene.shake else np.zeros(2)
        moved = np.array([[1, 0, tremble[0]], [0, 1, tremble[1]]])
        image = np.array(cv2.warpAffine(backdrops[shot], moved, size[::-1], borderMode=cv2.BORDER_REFLECT), np.uint8)
        owner = np.full(size, -1)
        places: dict[int, npt.NDArray[np.float64]] = {}
        for number, walk in enumerate(scene.walks):
            place = walk.at(time_s)
            if place is not None:
                square = np.array(place) * scene.height_px + (*tremble, 0)
                places[number] = _paste(image, owner, patches[walk.patch], square, number)
        if scene.pillar is not None:
            left, right = (round(edge * scene.height_px + tremble[0]) for edge in scene.pillar)
            image[:, max(left, 0) : max(right, 0)] = backdrops[shot].mean(axis=(0, 1)) * 0.5
            owner[:, max(left, 0) : max(right, 0)] = -1
        shown = [number for number, box in places.items() if _share_shown(owner, box, number) >= _SHOWS]
        ids = np.array([book.track_of(number, time_s, shot) for number in shown], np.int64)
        boxes = np.array([places[number] for number in shown], np.float32).reshape(-1, 4)
        yield TrueFrame(VideoFrame(index=index, time_s=time_s, image=image), ids, boxes)


class _Book:
    """Which number the face of each walk has."""

    def __init__(self, n_walks: int) -> None:
        self._last: list[tuple[float, int, int] | None] = [None] * n_walks
        self._next = 0

    def track_of(self, walk: int, time_s: float, shot: int) -> int:
        last = self._last[walk]
        if last is None or last[1] != shot or time_s - last[0] > MAX_LOST_S:
            track, self._next = self._next, self._next + 1
        else:
            track = last[2]
        self._last[walk] = (time_s, shot, track)
        return track


def _backdrop(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Soft coloured clouds, in which no detector sees a face."""
    coarse = rng.uniform(30, 220, (5, 8, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def _paste(
    image: Image, owner: npt.NDArray[np.int64], patch: Patch, square: npt.NDArray[np.float64], number: int
) -> npt.NDArray[np.float64]:
    """Draw a face about a middle with a side, and note whose pixels they are; its box in the frame."""
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
    """Share of the middle of a box whose pixels are in the frame and belong to the face."""
    width, height = box[2:] - box[:2]
    x0, x1 = box[0] + 0.15 * width, box[2] - 0.15 * width
    y0, y1 = box[1] + 0.15 * height, box[3] - 0.15 * height
    rows, columns = slice(max(round(y0), 0), max(round(y1), 0)), slice(max(round(x0), 0), max(round(x1), 0))
    return float((owner[rows, columns] == number).sum() / max((x1 - x0) * (y1 - y0), 1))


CROSSING = Scene(
    "crossing",
    (Walk(((0, 0.3, 0.5, 0.45), (3, 1.5, 0.45, 0.45))), Walk(((0, 1.5, 0.5, 0.5), (3, 0.3, 0.55, 0.5)), 1)),
    3,
)
HIDING = Scene("hiding", (Walk(((0, 0.3, 0.5, 0.45), (4, 1.5, 0.5, 0.45))),), 4, pillar=(0.8, 1.0))
RETURNING = Scene(
    "returning",
    (
        Walk(
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
CUT = Scene("cut", (Walk(((0, 0.8, 0.5, 0.5), (3, 0.9, 0.5, 0.5))),), 3, cuts_s=(1.5,))

SCENES = (
    CROSSING,
    Scene(
        "crossing with a stop",
        (
            Walk(((0, 0.3, 0.5, 0.45), (1.2, 0.9, 0.5, 0.45), (1.8, 0.9, 0.5, 0.45), (3, 1.5, 0.5, 0.45))),
            Walk(((0, 1.5, 0.55, 0.5), (3, 0.3, 0.55, 0.5)), 1),
        ),
        3,
    ),
    Scene(
        "meeting and turning back",
        (
            Walk(((0, 0.3, 0.5, 0.45), (1.5, 0.75, 0.5, 0.45), (3, 0.3, 0.5, 0.45))),
            Walk(((0, 1.5, 0.5, 0.5), (1.5, 1.0, 0.5, 0.5), (3, 1.5, 0.5, 0.5)), 1),
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
                Walk(((0, x, 0.4, 0.3), (5, x + 0.05, 0.45, 0.3)), patch)
                for patch, x in enumerate((0.25, 0.65, 1.05, 1.45))
            ),
            Walk(((0, -0.2, 0.6, 0.4), (5, 2.0, 0.6, 0.4)), 4),
        ),
        5,
        height_px=360,
    ),
    Scene(
        "trembling camera, coming nearer",
        (
            Walk(((0, 0.5, 0.5, 0.25), (4, 0.6, 0.5, 0.6)), 2),
            Walk(((0, 1.3, 0.5, 0.3), (4, 1.4, 0.5, 0.4)), 3),
        ),
        4,
        shake=0.012,
    ),
    Scene(
        "fast",
        (
            Walk(((0, 0.25, 0.3, 0.3), (1, 1.5, 0.3, 0.3), (2, 0.25, 0.3, 0.3), (3, 1.5, 0.3, 0.3))),
            Walk(((0, 1.5, 0.72, 0.35), (1, 0.3, 0.72, 0.35), (2, 1.5, 0.72, 0.35), (3, 0.3, 0.72, 0.35)), 1),
        ),
        3,
    ),
)
"""What `make tracking` measures."""
