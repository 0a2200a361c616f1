# SPDX-License-Identifier: Apache-2.0
"""The detector of mien: one small network over whole pictures, whose cells say where faces are."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from mien.core import ConfigError, Float32, Float64, GridSpec, Image
from mien.faces.alignment import warp_face
from mien.faces.boxes import Boxes, areas
from mien.faces.detector import N_KEYPOINTS, Detections, require_image
from mien.inference import Bundle, load_bundle

DEFAULT_DETECTOR_BUNDLE = "mien-faces"
"""Name of the bundle of the detector that is installed with mien."""

_LEAST_SIDE_PX = 96
_PHOTO_SIDE_PX = 1000
# Pixels of the copy per square of its longest side: those of a wide video.
_AREA_SHARE = 9 / 16
# The second copy, on which faces are found that fill much of the picture, and the least side of a face on it.
_COARSE_SIDE_PX, _COARSE_FACE_PX = 160, 40.0
# From this many times the longest side of the copy on, a picture is searched once more on a larger copy, in tiles.
_FINER_FROM, _FINER = 2.0, 2.0
_TILE_OVERLAP_PX = 96
_PADDING_GRAY = 127
# Largest number of cells that are decoded in one picture.
_MAX_CELLS = 4000
# The copies in which a doubtful face is searched again: their side, and the sides that the face has there. A cell sees
# it if its box is about as large and its middle about there. The least confidence that counts, and copies of one run.
_LOOK_SIDE_PX, _LOOK_FACES_PX = 128, (72.0, 56.0, 40.0)
_LOOK_SIZE, _LOOK_AWAY, _LEAST_LOOK, _LOOKS_PER_RUN = 1.6, 0.3, 0.005, 32
# Overlaps from which two boxes are one face: intersection over union, and the share of the smaller box that lies in the
# other, which also removes a face found inside a face.
_SAME_IOU, _SAME_INSIDE = 0.4, 0.75


class GridDetector:
    """The network over a copy of the picture, a `mien.faces.FaceDetector`. Safe to share between threads.

    It also takes gray pictures, which it sees in any case, and finds faces at any roll.

    Args:
        bundle: Bundle of a face detector.
        max_side_px: Longest side in pixels of the copy of a picture of 16 : 9; other shapes have a copy of the same
            area. Faces of less than about 10 px on it are not detected.
        min_confidence: Confidence in [0, 1] from which a cell counts as a face; None for that of the bundle.
        finer: Whether pictures are searched once more at twice the size of the copy: in tiles those that are larger,
            enlarged those without a face. None for a copy of at least 1,000 px, as for photos.

    Raises:
        ConfigError: An argument is out of range.
    """

    takes_gray: bool = True

    def __init__(
        self, bundle: Bundle, *, max_side_px: int = 640, min_confidence: float | None = None, finer: bool | None = None
    ) -> None:
        if max_side_px < _LEAST_SIDE_PX:
            raise ConfigError(f"max_side_px must be at least {_LEAST_SIDE_PX}, got {max_side_px}")
        if min_confidence is not None and not 0 < min_confidence < 1:
            raise ConfigError(f"min_confidence must be within (0, 1), got {min_confidence}")
        if bundle.spec.grid is None:
            raise ConfigError(f"{bundle.spec.name} is no face detector")
        self._bundle, self._grid = bundle, bundle.spec.grid
        self._max_side_px = max_side_px
        self._threshold = self._grid.threshold if min_confidence is None else min_confidence
        self._proposed = min(self._threshold, self._grid.proposed)
        self._finer = max_side_px >= _PHOTO_SIDE_PX if finer is None else finer

    @property
    def sure_confidence(self) -> float:
        """Confidence from which a caller without second looks needs no landmark model that sees a face, too."""
        return self._grid.sure

    def detect(self, image: Image) -> Detections:
        """Every face in the image; see `mien.faces.FaceDetector.detect`.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
        """
        return self._search(image, self._threshold)

    def propose(self, image: Image) -> Detections:
        """Every face in the image, and places that may be one; see `mien.faces.ProposingDetector.propose`.

        Args:
            image: (H, W, 3) RGB or (H, W) gray, uint8.
        """
        return self._search(image, self._proposed)

    def look_again(self, image: Image, found: Detections) -> Float32:
        """How surely the network sees each face in copies; see `mien.faces.SecondLookDetector.look_again`.

        Each copy has the face in its middle, at three sizes, also mirrored.
        """
        require_image(image)
        gray = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        places = zip(found.boxes.astype(np.float64), np.nan_to_num(found.pose_rad[:, 2]), strict=True)
        inside = np.full_like(gray, 255)
        copies = [_upright(gray, inside, box, roll, face_px) for box, roll in places for face_px in _LOOK_FACES_PX]
        looks = [view for copy in copies for view in (copy, np.ascontiguousarray(copy[:, ::-1]))]
        seen: list[float] = []
        for start in range(0, len(looks), _LOOKS_PER_RUN):
            for cells in self._bundle.run_images(np.stack(looks[start : start + _LOOKS_PER_RUN])):
                faces = decode_cells(cells, self._grid, (_LOOK_SIDE_PX, _LOOK_SIDE_PX), _LEAST_LOOK)
                seen.append(_seen_in_the_middle(faces, _LOOK_FACES_PX[len(seen) // 2 % len(_LOOK_FACES_PX)]))
        confidence = np.reshape(seen, (len(found), 2 * len(_LOOK_FACES_PX)))
        logits = np.log(confidence / (1 - confidence))
        return np.asarray(np.stack([logits.mean(axis=1), logits.min(axis=1)], axis=1), np.float32)

    def _search(self, image: Image, least: float) -> Detections:
        require_image(image)
        gray = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        height, width = gray.shape
        area = self._max_side_px**2 * _AREA_SHARE
        factor = min(1.0, math.sqrt(area / (height * width)))
        if max(height, width) < _LEAST_SIDE_PX:
            factor = _LEAST_SIDE_PX / max(height, width)
        copy = _scaled(gray, factor)
        parts = [self._on_copy(copy, gray.shape, least)]
        longest = max(copy.shape)
        if longest > _COARSE_SIDE_PX * 3 / 2:
            small = _scaled(copy, _COARSE_SIDE_PX / longest)
            parts.append(self._on_copy(small, gray.shape, least, least_px=_COARSE_FACE_PX))
        if self._finer and factor <= 1 / _FINER_FROM:
            parts.append(self._in_tiles(_scaled(gray, _FINER * factor), gray.shape, longest, least))
        elif self._finer and factor >= 1 and not any(map(len, parts)):
            parts.append(self._on_copy(_scaled(gray, _FINER * factor), gray.shape, least))
        found = parts[0] if len(parts) == 1 else Detections.concatenated(parts)
        return found[distinct_faces(found)]

    def _on_copy(self, copy: Image, shape: tuple[int, ...], least: float, *, least_px: float = 0.0) -> Detections:
        """The faces of a scaled copy that have at least a side there, in pixels of the picture of that shape."""
        cells = self._bundle.run_images(_padded(copy, self._grid.multiple_px)[None])[0]
        size = _padded_shape(copy.shape, self._grid.multiple_px)
        found = decode_cells(cells, self._grid, size, least)
        if least_px:
            found = found[_sides(found.boxes) >= least_px]
        scale = np.array([shape[1] / copy.shape[1], shape[0] / copy.shape[0]], np.float32)
        return Detections(
            found.boxes * np.tile(scale, 2), found.confidence, found.keypoints * scale, pose_rad=found.pose_rad
        )

    def _in_tiles(self, copy: Image, shape: tuple[int, ...], side_px: int, least: float) -> Detections:
        """The faces of a large copy, tile by tile, each a square of that side."""
        parts = []
        scale = np.array([shape[1] / copy.shape[1], shape[0] / copy.shape[0]], np.float32)
        for y in _starts(copy.shape[0], side_px):
            for x in _starts(copy.shape[1], side_px):
                tile = copy[y : y + side_px, x : x + side_px]
                found = self._on_copy(np.ascontiguousarray(tile), tile.shape, least)
                # What a cut shows of a face is a whole face in the next tile, or in the copy of the whole picture.
                found = found[_whole(found.boxes, (x, y), tile.shape, copy.shape)]
                offset = np.array([x, y], np.float32)
                boxes = (found.boxes + np.tile(offset, 2)) * np.tile(scale, 2)
                keypoints = (found.keypoints + offset) * scale
                parts.append(Detections(boxes, found.confidence, keypoints, pose_rad=found.pose_rad))
        return Detections.concatenated(parts)


def create_mien_faces(
    *,
    model: str | Path = DEFAULT_DETECTOR_BUNDLE,
    max_side_px: int = 640,
    min_confidence: float | None = None,
    finer: bool | None = None,
    runtime: str = "onnxruntime",
    threads: int | None = None,
) -> GridDetector:
    """The detector with the bundle that is installed with mien, or another one.

    Args:
        model: Name of a bundle, or path of its folder.
        max_side_px: See `GridDetector`.
        min_confidence: See `GridDetector`.
        finer: See `GridDetector`.
        runtime: See `mien.inference.create_session`.
        threads: See `mien.inference.create_session`.

    Raises:
        ConfigError: An argument is out of range.
        ModelError: The bundle is missing, damaged or of another kind.
        MissingExtraError: The runtime is not installed.
    """
    bundle = load_bundle(model, kind="faces", runtime=runtime, threads=threads)
    return GridDetector(bundle, max_side_px=max_side_px, min_confidence=min_confidence, finer=finer)


def decode_cells(cells: Float32, grid: GridSpec, size: tuple[int, int], threshold: float) -> Detections:
    """The faces that the cells of one picture see, several for each face, in pixels of the picture.

    Args:
        cells: (17, M) numbers of the cells, see `mien.core.GridSpec`.
        grid: Grids of the cells.
        size: Height and width of the picture.
        threshold: Least confidence.
    """
    least = (math.log(threshold / (1 - threshold)) - grid.offset) / grid.scale
    logits = cells[0]
    chosen = np.flatnonzero(logits >= least)
    if len(chosen) > _MAX_CELLS:
        chosen = chosen[np.argsort(-logits[chosen], kind="stable")[:_MAX_CELLS]]
    centres, unit = _places(chosen, grid, size)
    values = cells[:, chosen]
    middle = centres + values[1:3].T * unit[:, None]
    half = np.exp(np.clip(values[3:5].T, -4, 4)) * unit[:, None] / 2
    keypoints = centres[:, None] + values[5:15].T.reshape(-1, N_KEYPOINTS, 2) * unit[:, None, None]
    confidence = 1 / (1 + np.exp(-(grid.scale * logits[chosen] + grid.offset)))
    pose = np.full((len(chosen), 3), np.nan, np.float32)
    pose[:, 2] = np.arctan2(values[15], values[16])
    return Detections(np.concatenate([middle - half, middle + half], axis=1), confidence, keypoints, pose_rad=pose)


def _places(
    chosen: np.ndarray[tuple[int], np.dtype[np.intp]], grid: GridSpec, size: tuple[int, int]
) -> tuple[Float32, Float32]:
    """Middles (K, 2) and units (K,) of some cells."""
    centres, unit = np.empty((len(chosen), 2), np.float32), np.empty(len(chosen), np.float32)
    start = 0
    for stride, length in zip(grid.strides, grid.units, strict=True):
        columns = size[1] // stride
        end = start + columns * (size[0] // stride)
        own = (chosen >= start) & (chosen < end)
        row, column = np.divmod(chosen[own] - start, columns)
        centres[own] = np.stack([column, row], axis=1) * stride + stride / 2
        unit[own], start = length, end
    return centres, unit


def distinct_faces(found: Detections) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Indices of one detection for each face, in descending order of confidence."""
    order = np.argsort(-found.confidence, kind="stable")
    boxes = found.boxes[order].astype(np.float64)
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas = size[:, 0] * size[:, 1]
    kept: list[int] = []
    left = np.arange(len(order))
    while len(left):
        best, rest = left[0], left[1:]
        kept.append(int(order[best]))
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.maximum(high - low, 0).prod(axis=1)
        union = areas[best] + areas[rest] - shared
        inside = shared > _SAME_INSIDE * np.minimum(areas[best], areas[rest])
        left = rest[~((shared > _SAME_IOU * union) | inside)]
    return np.array(kept, np.intp)


def _upright(image: Image, inside: Image, box: Float64, roll_rad: float, face_px: float) -> Image:
    """A copy (S, S) of the gray image about a box, turned back by the roll, in which the box has that side in pixels.

    It is gray beyond the image, whose pixels are 255 in ``inside``.
    """
    scale = face_px / max(float(np.sqrt((box[2] - box[0]) * (box[3] - box[1]))), 1.0)
    cosine, sine = scale * math.cos(roll_rad), scale * math.sin(roll_rad)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    matrix = np.column_stack([turn, _LOOK_SIDE_PX / 2 - turn @ (box[:2] + box[2:]) / 2])
    copy = warp_face(image, matrix, _LOOK_SIDE_PX)
    shown = cv2.warpAffine(inside, matrix, (_LOOK_SIDE_PX, _LOOK_SIDE_PX), flags=cv2.INTER_NEAREST)
    copy[shown < 128] = _PADDING_GRAY
    return copy


def _seen_in_the_middle(faces: Detections, face_px: float) -> float:
    """Confidence of the surest of the faces that lies in the middle of a copy and has about that side."""
    away = np.abs((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - _LOOK_SIDE_PX / 2).max(axis=1, initial=0)
    size = _sides(faces.boxes) / face_px
    right = (away < _LOOK_AWAY * face_px) & (size < _LOOK_SIZE) & (size > 1 / _LOOK_SIZE)
    return float(np.clip(faces.confidence[right].max(initial=_LEAST_LOOK), _LEAST_LOOK, 1 - 1e-5))


def _scaled(image: Image, factor: float) -> Image:
    """The image at another scale; averaged where it shrinks."""
    if factor == 1:
        return image
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def _padded_shape(shape: tuple[int, ...], multiple: int) -> tuple[int, int]:
    return -(-shape[0] // multiple) * multiple, -(-shape[1] // multiple) * multiple


def _padded(image: Image, multiple: int) -> Image:
    """The image with gray at its right and lower edge, so that its sides are multiples."""
    height, width = _padded_shape(image.shape, multiple)
    padded = np.full((height, width), _PADDING_GRAY, np.uint8)
    padded[: image.shape[0], : image.shape[1]] = image
    return padded


def _sides(boxes: Boxes) -> Float32:
    """Root of each box's area."""
    return np.asarray(np.sqrt(areas(boxes)))


def _starts(length: int, side: int) -> list[int]:
    """First pixels of overlapping tiles that cover a length."""
    if length <= side:
        return [0]
    n = math.ceil((length - _TILE_OVERLAP_PX) / (side - _TILE_OVERLAP_PX))
    return [round(number * (length - side) / (n - 1)) for number in range(n)]


def _whole(
    boxes: Boxes, corner: tuple[int, int], tile: tuple[int, ...], copy: tuple[int, ...]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(N,) boxes in a tile that no edge of it cuts, apart from the edges of the copy."""
    low = np.array([0.0 if start == 0 else 2.0 for start in corner])
    last = (corner[0] + tile[1] >= copy[1], corner[1] + tile[0] >= copy[0])
    high = np.array([np.inf if at_end else side - 2.0 for at_end, side in zip(last, tile[1::-1], strict=True)])
    low[low == 0] = -np.inf
    return np.asarray((boxes[:, :2] >= low).all(axis=1) & (boxes[:, 2:] <= high).all(axis=1))
