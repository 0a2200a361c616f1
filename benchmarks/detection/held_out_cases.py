# SPDX-License-Identifier: Apache-2.0
"""Pictures with known faces: photos of a split as they are, and changed in one way at a time."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mien.core import Float32, Float64, Image
from mien.datasets import (
    LandmarkFaces,
    load_landmark_faces,
    load_pictures,
    load_scenes,
    load_traits,
    picture_file,
)
from mien.media import decode_image, load_image, open_video

SIZES_PX = (10, 13, 17, 24, 40, 80, 160)
SHARES_INSIDE = (0.35, 0.5, 0.65, 0.8, 1.0)
ROLLS_DEG = (0, 30, 60, 90, 135, 180)
LIGHTS = ("plain", "dark 0.3", "dark 0.1", "dark 0.05", "side 0.3", "side 0.1")
YAWS_DEG = (0, 15, 30, 45, 60)
_SIDES = ("left", "right", "top", "bottom")

_CANVAS_PX = 320
_MOST_DRAWN = 4000  # more faces than any split for tests has
_UNKNOWN = np.full((1, 4), np.nan, np.float32)
_FEW_PIXELS = 8
# The WordNet offsets of ILSVRC's animals, with which the names of scenes begin.
_ANIMALS = ("n01440764", "n02510455")


@dataclass(frozen=True, eq=False)
class Case:
    """One picture.

    Attributes:
        measure: Name of the measure that it belongs to.
        bins: Bins of that measure.
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) xyxy of its faces; NaN for one face of unknown place that fills much of the picture.
    """

    measure: str
    bins: tuple[str, ...]
    image: Image
    boxes: Float32


@dataclass(frozen=True, eq=False)
class KnownFace:
    """A photo of one face whose place a landmark teacher knows.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        box: (4,) about the landmarks, with a part of the forehead.
        yaw_deg: Turn of the head.
    """

    image: Image
    box: Float64
    yaw_deg: float


def all_cases(data: Path, n: int) -> Iterator[Case]:
    """Every case of the comparison, from the folder of the data sets.

    Args:
        data: Folder of the data sets.
        n: Number of faces of each bin that is drawn; the sets as they are have all their photos.
    """
    yield from fairface_cases(data)
    yield from photo_cases(data)
    yield from faceless_cases(data)
    with open_video(data / "video/no_face.mp4", every=5) as frames:
        for frame in frames:
            yield Case("no face", ("video",), frame.image, np.empty((0, 4), np.float32))
    yield from drawn_cases(data, "test", n)


def drawn_cases(data: Path, split: str, n: int) -> Iterator[Case]:
    """The cases that are drawn from the faces and the faceless scenes of a split, ``"train"`` or ``"test"``."""
    faces = load_landmark_faces(data, split)
    chosen = [_known(faces, int(row)) for row in np.random.default_rng(7).permutation(len(faces.names))[:_MOST_DRAWN]]
    scenes = faceless_scenes(data, split)
    upright = [face for face in chosen if abs(face.yaw_deg) < YAWS_DEG[2]][:n]
    yield from size_cases(upright, scenes)
    yield from border_cases(upright)
    yield from roll_cases(upright, scenes)
    yield from light_cases(upright)
    yield from yaw_cases(chosen, n)
    yield from hidden_cases(upright)


def fairface_cases(data: Path, split: str = "valid", n: int | None = None) -> Iterator[Case]:
    """The photos of FairFace by age, gender and race, or ``n`` of them; each shows one face."""
    path = picture_file(data, "fairface", split)
    pictures, traits = load_pictures(path), load_traits(path, ("age", "gender", "race"))
    for row, encoded in enumerate(pictures.images[:n]):
        bins = tuple(f"{name} {values[row]}" for name, values in traits.items())
        yield Case("FairFace val", ("all", *bins), decode_image(encoded, name=pictures.names[row]), _UNKNOWN)


def photo_cases(data: Path) -> Iterator[Case]:
    """The photos with boxes that people drew, and those without a face."""
    listed: dict[str, list[tuple[float, float, float, float]]] = {}
    for listing in sorted((data / "photos").glob("boxes_*.xml")):
        for entry in ElementTree.parse(listing).getroot().iter("image"):
            boxes = listed.setdefault(Path(entry.attrib["file"]).name, [])
            for box in entry.iter("box"):
                x, y, width, height = (float(box.attrib[name]) for name in ("left", "top", "width", "height"))
                boxes.append((x, y, x + width, y + height))
    for name, boxes in sorted(listed.items()):
        path = data / "photos" / name
        if path.is_file():
            yield Case("photos with boxes", ("all",), load_image(path), np.array(boxes, np.float32))
    yield Case("no face", ("dogs",), load_image(data / "photos/no_face_dogs.jpg"), np.empty((0, 4), np.float32))


def faceless_cases(data: Path, split: str = "test") -> Iterator[Case]:
    """Scenes in which the teacher found no face, by animals or other things."""
    scenes = load_scenes(data, split)
    for row, boxes in enumerate(scenes.boxes):
        if not len(boxes):
            kind = "animals" if _ANIMALS[0] <= scenes.names[row][:9] <= _ANIMALS[1] else "other scenes"
            image = decode_image(scenes.images[row], name=scenes.names[row])
            yield Case("no face", (kind,), image, np.empty((0, 4), np.float32))


def _known(faces: LandmarkFaces, row: int) -> KnownFace:
    image = decode_image(faces.images[row], name=faces.names[row])
    landmarks = faces.landmarks[row] * image.shape[1::-1]
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    low = low - (0, 0.2 * (high - low)[1])
    return KnownFace(image, np.concatenate([low, high]).astype(np.float64), float(np.degrees(faces.pose_rad[row][1])))


def faceless_scenes(data: Path, split: str) -> list[Image]:
    """Scenes without a face."""
    scenes = load_scenes(data, split)
    return [
        decode_image(encoded, name=name)
        for name, encoded, boxes in zip(scenes.names, scenes.images, scenes.boxes, strict=True)
        if not len(boxes)
    ]


def size_cases(faces: list[KnownFace], scenes: list[Image]) -> Iterator[Case]:
    """Faces of each size on scenes."""
    for size in SIZES_PX:
        for number, face in enumerate(faces):
            yield on_scene(face, scenes[number % len(scenes)], size, 0.0, ("size", f"{size} px"))


def roll_cases(faces: list[KnownFace], scenes: list[Image]) -> Iterator[Case]:
    """Faces of 80 px at each roll on scenes, to both sides in turn."""
    for roll in ROLLS_DEG:
        for number, face in enumerate(faces):
            turn = np.radians(roll) * (1 if number % 2 else -1)
            yield on_scene(face, scenes[number % len(scenes)], 80, float(turn), ("roll", f"{roll} degrees"))


def on_scene(face: KnownFace, scene: Image, size_px: float, turn: float, place: tuple[str, str]) -> Case:
    """A whole photo of a face, turned, in the middle of a scene.

    Args:
        face: The face.
        scene: (H, W, 3) uint8 RGB.
        size_px: Root of the area of the face's box.
        turn: Turn in radians.
        place: Measure and bin.
    """
    canvas = np.asarray(cv2.resize(scene, (_CANVAS_PX, _CANVAS_PX), interpolation=cv2.INTER_AREA), np.uint8).copy()
    width, height = face.box[2:] - face.box[:2]
    scale = size_px / float(np.sqrt(width * height))
    image = face.image
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    factor = np.array(image.shape[1::-1]) / face.image.shape[1::-1]
    rest = scale if scale >= 1 else 1.0
    matrix = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]]) * rest
    centre = (face.box[:2] + face.box[2:]) / 2 * factor
    matrix[:, 2] = _CANVAS_PX / 2 - matrix[:, :2] @ centre
    half = (face.box[2:] - face.box[:2]) / 2 * factor
    wide = np.hypot(matrix[0, 0] * half[0], matrix[0, 1] * half[1])
    high = np.hypot(matrix[1, 0] * half[0], matrix[1, 1] * half[1])
    mask = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), matrix, (_CANVAS_PX, _CANVAS_PX))
    shown = cv2.warpAffine(image, matrix, (_CANVAS_PX, _CANVAS_PX))
    canvas[mask > 127] = shown[mask > 127]
    middle = _CANVAS_PX / 2
    box = np.array([[middle - wide, middle - high, middle + wide, middle + high]], np.float32)
    return Case(place[0], (place[1],), canvas, box)


def border_cases(faces: list[KnownFace]) -> Iterator[Case]:
    """Photos cut so that a share of the face is inside, from each side in turn."""
    for share in SHARES_INSIDE:
        for number, face in enumerate(faces):
            side = _SIDES[number % len(_SIDES)]
            yield Case("share inside", (f"{share:.2f}", f"{share:.2f} {side}"), *_cut(face, share, side))


def _cut(face: KnownFace, share: float, side: str) -> tuple[Image, Float32]:
    x0, y0, x1, y1 = face.box
    height, width = face.image.shape[:2]
    left = round(max(0, x1 - share * (x1 - x0))) if side == "left" and share < 1 else 0
    top = round(max(0, y1 - share * (y1 - y0))) if side == "top" and share < 1 else 0
    right = round(min(width, x0 + share * (x1 - x0))) if side == "right" and share < 1 else width
    bottom = round(min(height, y0 + share * (y1 - y0))) if side == "bottom" and share < 1 else height
    part = face.image[top : max(bottom, top + _FEW_PIXELS), left : max(right, left + _FEW_PIXELS)]
    return np.ascontiguousarray(part), np.array([[x0 - left, y0 - top, x1 - left, y1 - top]], np.float32)


def light_cases(faces: list[KnownFace]) -> Iterator[Case]:
    """Photos in less light, and with one half in the shade."""
    for light in LIGHTS:
        kind, _, level = light.partition(" ")
        for number, face in enumerate(faces):
            lit = face.image.astype(np.float32)
            if kind == "dark":
                lit *= float(level)
            elif kind == "side":
                x = np.arange(face.image.shape[1]) - (face.box[0] + face.box[2]) / 2
                share = 1 / (1 + np.exp((1 if number % 2 else -1) * x / (0.04 * face.image.shape[1])))
                lit *= (float(level) + (1 - float(level)) * share)[None, :, None]
            yield Case("light", (light,), np.clip(lit, 0, 255).astype(np.uint8), face.box[None].astype(np.float32))


def yaw_cases(faces: list[KnownFace], n: int) -> Iterator[Case]:
    """Photos by the turn of the head."""
    for low, high in zip(YAWS_DEG, (*YAWS_DEG[1:], 180), strict=True):
        own = [face for face in faces if low <= abs(face.yaw_deg) < high][:n]
        name = f"{low} to {high} degrees" if high < 180 else f"from {low} degrees"
        for face in own:
            yield Case("yaw", (name,), face.image, face.box[None].astype(np.float32))


def hidden_cases(faces: list[KnownFace]) -> Iterator[Case]:
    """Photos whose face is hidden by a mosaic or by a strong blur: none shows a face."""
    ways: dict[str, Callable[[Image], Image]] = {"mosaic": _mosaic, "blur": _blur}
    for name, hide in ways.items():
        for face in faces:
            image = face.image.copy()
            x0, y0, x1, y1 = np.clip(face.box, 0, np.tile(image.shape[1::-1], 2)).astype(int)
            image[y0:y1, x0:x1] = hide(np.ascontiguousarray(image[y0:y1, x0:x1]))
            yield Case("hidden face", (name,), image, np.empty((0, 4), np.float32))


def _mosaic(part: Image) -> Image:
    few = cv2.resize(part, (6, 7), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, part.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def _blur(part: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(part, (0, 0), part.shape[1] / 6), np.uint8)
