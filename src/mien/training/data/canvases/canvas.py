# SPDX-License-Identifier: Apache-2.0
"""Draws canvases: scenes with pasted faces, single photos that are cut off, and tiles of many photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import Float32
from mien.training.data.canvases.face_targets import (
    BOX,
    FACE_COLUMNS,
    KEYPOINTS,
    MAX_FACES,
    WEIGHT,
    Doubles,
    FacePatch,
    face_row,
)
from mien.training.data.canvases.painting import cover_face, drawing, hidden_face, pattern, relit

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator

# Shares of the three kinds of canvas; the rest are scenes with pasted faces.
_PHOTO, _TILES = 0.36, 0.26
_ROLL_SHARES = (0.72, 0.14, 0.08)  # almost upright, any angle, upside down; the rest lie on a side
_SMALLEST_PX, _LARGEST_PASTED_PX, _LARGEST_PX = 9.0, 170.0, 420.0


@dataclass(frozen=True, eq=False)
class ScenePicture:
    """A photo with the faces that are known in it.

    Attributes:
        image: (H, W) uint8 gray.
        boxes: (M, 4) xyxy in pixels.
        keypoints: (M, 5, 2) pixels.
        weights: (M,) 1 for a sure face, 0 for a doubtful one.
    """

    image: Pixels
    boxes: Float32
    keypoints: Float32
    weights: Float32


@dataclass(frozen=True, eq=False)
class CanvasPainter:
    """Draws canvases from photos of faces and scenes.

    Attributes:
        photos: Photos of one face each.
        heads: Further photos of one face each, drawn more rarely.
        scenes: Photos with any number of faces.
        side_px: Side of a canvas.
        seed: Seed of everything random.
    """

    photos: Sequence[FacePatch]
    heads: Sequence[FacePatch]
    scenes: Sequence[ScenePicture]
    side_px: int
    seed: int

    def __call__(self, number: int) -> tuple[Pixels, Float32]:
        """Canvas of that number: (side, side) uint8, and (MAX_FACES, FACE_COLUMNS) with NaN in unused rows."""
        rng = np.random.default_rng([self.seed, number])
        kind = rng.random()
        if kind < _PHOTO:
            canvas, rows = self._photo(rng)
        elif kind < _PHOTO + _TILES:
            canvas, rows = self._tiles(rng)
        else:
            canvas, rows = self._pasted(rng)
        for row in rows:
            if row[WEIGHT] and rng.random() < 0.16:
                cover_face(canvas, row[KEYPOINTS].reshape(5, 2), rng, self._texture(rng))
        filled = np.full((MAX_FACES, FACE_COLUMNS), np.nan, np.float32)
        filled[: len(rows)] = np.array(rows[:MAX_FACES], np.float32).reshape(-1, FACE_COLUMNS)
        return relit(canvas, rng), filled

    def _patch(self, rng: Rng) -> FacePatch:
        if self.heads and rng.random() < 0.1:
            return self.heads[int(rng.integers(len(self.heads)))]
        return self.photos[int(rng.integers(len(self.photos)))]

    def _faceless(self, rng: Rng) -> Pixels:
        """A part of a scene without any known face."""
        for _ in range(8):
            scene = self.scenes[int(rng.integers(len(self.scenes)))]
            if not len(scene.boxes):
                return _part(scene.image, rng)
        return pattern(self.side_px, rng)

    def _texture(self, rng: Rng) -> Pixels:
        if rng.random() < 0.3:
            return pattern(self.side_px, rng)
        whole = cv2.resize(self._faceless(rng), (self.side_px, self.side_px), interpolation=cv2.INTER_AREA)
        return np.asarray(whole, np.uint8)

    def _photo(self, rng: Rng) -> tuple[Pixels, list[Doubles]]:
        """One photo that fills the canvas or passes it, with a flat, stretched or foreign border."""
        side, patch = self.side_px, self._patch(rng)
        hide = rng.random() < 0.07
        target = float(np.exp(rng.uniform(np.log(24), np.log(_LARGEST_PX))))
        if patch.image.shape[0] < 100:
            target = min(target, 160.0)
        angle = _roll(rng)
        centre = rng.uniform(0.1, 0.9, 2) * side if rng.random() < 0.5 else side / 2 + rng.normal(0, 0.12, 2) * side
        matrix = _placement(patch, target, angle, centre)
        source = hidden_face(patch.image, patch.box, rng) if hide else patch.image
        border = int(rng.integers(3))
        if border == 0:
            canvas = _warped(source, matrix, side, cv2.BORDER_REPLICATE)
        else:
            canvas = self._texture(rng) if border == 1 else np.full((side, side), int(rng.integers(0, 256)), np.uint8)
            inside = _warped(np.full_like(source, 255), matrix, side, cv2.BORDER_CONSTANT) > 250
            canvas[inside] = _warped(source, matrix, side, cv2.BORDER_CONSTANT)[inside]
        return canvas, [] if hide else [face_row(patch, matrix)]

    def _tiles(self, rng: Rng) -> tuple[Pixels, list[Doubles]]:
        """Photos side by side, some of them without a face: a crowd without seams inside a photo."""
        side = self.side_px
        n = int(rng.choice([1, 2, 2, 3, 3, 4, 5, 6, 7, 8]))
        tile = side / n
        canvas = np.zeros((side, side), np.uint8)
        rows: list[Doubles] = []
        for number in range(n * n):
            x0, y0 = round(number % n * tile), round(number // n * tile)
            x1, y1 = round((number % n + 1) * tile), round((number // n + 1) * tile)
            part = canvas[y0:y1, x0:x1]
            draw = rng.random()
            if draw < 0.35 or len(rows) >= MAX_FACES:
                part[...] = cv2.resize(self._faceless(rng), part.shape[::-1], interpolation=cv2.INTER_AREA)
                continue
            patch = self._patch(rng)
            turn = _roll(rng) if rng.random() < 0.3 else 0.0
            fits = tile / max(patch.image.shape) * rng.uniform(0.85, 1.35)
            middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + rng.uniform(-0.12, 0.12, 2) * tile
            cosine, sine = np.cos(turn) * fits, np.sin(turn) * fits
            matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0]])
            matrix[:, 2] = middle - matrix[:, :2] @ (np.array(patch.image.shape[::-1]) / 2)
            local = matrix.copy()
            local[:, 2] -= (x0, y0)
            hide = draw < 0.39 and tile > 60
            source = hidden_face(patch.image, patch.box, rng) if hide else patch.image
            part[...] = _warped(source, local, part.shape[::-1], cv2.BORDER_REPLICATE)
            if not hide:
                row = face_row(patch, matrix)
                row[4:8] = np.clip(row[4:8], [x0, y0, x0, y0], [x1, y1, x1, y1])
                rows.append(row)
        return canvas, rows

    def _pasted(self, rng: Rng) -> tuple[Pixels, list[Doubles]]:
        """A scene, or a pattern, with faces, hidden faces, drawings and parts of other scenes pasted on it."""
        side = self.side_px
        rows: list[Doubles] = []
        if rng.random() < 0.12:
            canvas = pattern(side, rng)
        else:
            canvas, rows = _turned_scene(self.scenes[int(rng.integers(len(self.scenes)))], side, rng)
        for _ in range(int(rng.choice([0, 0, 1, 1, 2, 3, 4, 6, 10]))):
            if len(rows) >= MAX_FACES:
                break
            patch, draw = self._patch(rng), rng.random()
            target = float(np.exp(rng.uniform(np.log(_SMALLEST_PX), np.log(_LARGEST_PASTED_PX))))
            centre = rng.uniform(0, side, 2)
            if draw < 0.06:
                drawing(canvas, centre.astype(np.float32), target * 1.2, rng)
                continue
            if draw < 0.16:  # no face: cut out and pasted in the same way, so that seams say nothing
                image = self._faceless(rng)
                height, width = image.shape
                box = np.array([0.2 * width, 0.15 * height, 0.8 * width, 0.85 * height], np.float32)
                patch = FacePatch(image, box, np.zeros((5, 2), np.float32))
            matrix = _placement(patch, target, _roll(rng), centre)
            row = face_row(patch, matrix)
            if any(_touch(row, other) for other in rows):
                continue
            hide = 0.16 <= draw < 0.24 and target > 40
            image = hidden_face(patch.image, patch.box, rng) if hide else patch.image
            _paste(canvas, FacePatch(image, patch.box, patch.keypoints), matrix, rng)
            if draw >= 0.16 and not hide:
                rows.append(row)
        return canvas, rows


def _roll(rng: Rng) -> float:
    """Turn in radians: mostly small, sometimes anything, sometimes upside down or lying."""
    draw = rng.random()
    if draw < _ROLL_SHARES[0]:
        return float(rng.normal(0, 0.2))
    if draw < sum(_ROLL_SHARES[:2]):
        return float(rng.uniform(-np.pi, np.pi))
    if draw < sum(_ROLL_SHARES):
        return float(np.pi + rng.normal(0, 0.15))
    return float(rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.2))


def _placement(patch: FacePatch, target_px: float, angle: float, centre: npt.ArrayLike) -> Doubles:
    """The similarity (2, 3) that brings the middle of a patch's face to a place at a size and an angle."""
    scale = target_px / max(patch.side_px, 1.0)
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0]])
    matrix[:, 2] = np.asarray(centre) - matrix[:, :2] @ ((patch.box[:2] + patch.box[2:]) / 2)
    return matrix


def _warped(image: Pixels, matrix: Doubles, size: int | tuple[int, int], border: int) -> Pixels:
    """A picture after a similarity; pixels are averaged where it shrinks. ``size``: a side, or width and height."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    matrix = matrix.copy()
    if scale < 0.7:
        shape = (max(2, round(image.shape[1] * scale)), max(2, round(image.shape[0] * scale)))
        factors = np.array(shape) / image.shape[::-1]
        image = np.asarray(cv2.resize(image, shape, interpolation=cv2.INTER_AREA), np.uint8)
        matrix[:, :2] /= factors
    wanted = (size, size) if isinstance(size, int) else size
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # from corners to pixel centres
    return np.asarray(cv2.warpAffine(image, matrix, wanted, flags=cv2.INTER_LINEAR, borderMode=border), np.uint8)


def _paste(canvas: Pixels, patch: FacePatch, matrix: Doubles, rng: Rng) -> None:
    """Paste a patch with a soft edge: the whole picture, or an ellipse about the head."""
    height, width = patch.image.shape
    mask = np.zeros((height, width), np.uint8)
    if rng.random() < 0.3:
        mask[1:-1, 1:-1] = 255
    else:
        half = (patch.box[2:] - patch.box[:2]) * rng.uniform(0.62, 0.95, 2)
        middle = (patch.box[:2] + patch.box[2:]) / 2
        cv2.ellipse(mask, (middle.tolist(), (2 * half).tolist(), 0), 255, -1)
        if rng.random() < 0.4:  # neck and shoulders
            mask[
                int(np.clip(middle[1], 0, height - 1)) :, int(max(middle[0] - half[0], 0)) : int(middle[0] + half[0])
            ] = 255
        mask[[0, -1]], mask[:, [0, -1]] = 0, 0
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ matrix[:, :2].T + matrix[:, 2]
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, canvas.shape[::-1])
    if x1 <= x0 or y1 <= y0:
        return
    local = matrix.copy()
    local[:, 2] -= (x0, y0)
    size = (int(x1 - x0), int(y1 - y0))
    alpha: Float32 = _warped(mask, local, size, cv2.BORDER_CONSTANT).astype(np.float32)
    if rng.random() < 0.7:
        side = float(np.hypot(matrix[0, 0], matrix[1, 0])) * patch.side_px
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), max(0.6, 0.03 * side)), np.float32)
    alpha *= np.float32(1 / 255)
    fresh = _warped(patch.image, local, size, cv2.BORDER_REPLICATE).astype(np.float32)
    if rng.random() < 0.4:
        fresh += np.clip(canvas[y0:y1, x0:x1].mean() - fresh.mean(), -60, 60)
    part = canvas[y0:y1, x0:x1]
    part[...] = np.clip(part * (1 - alpha) + fresh * alpha, 0, 255).astype(np.uint8)


def _touch(first: Doubles, second: Doubles) -> bool:
    """Whether the wider surroundings of two faces meet."""
    a, b = first[BOX], second[BOX]
    margin = 0.15 * (a[2] - a[0] + b[2] - b[0])
    return bool((min(a[2], b[2]) - max(a[0], b[0]) > -margin) and (min(a[3], b[3]) - max(a[1], b[1]) > -margin))


def _part(image: Pixels, rng: Rng) -> Pixels:
    """A random part of a picture."""
    height, width = image.shape
    share = rng.uniform(0.25, 1.0)
    h, w = max(8, int(height * share)), max(8, int(width * share * rng.uniform(0.7, 1.0)))
    y, x = int(rng.integers(0, max(1, height - h + 1))), int(rng.integers(0, max(1, width - w + 1)))
    return image[y : y + h, x : x + w]


def _turned_scene(scene: ScenePicture, side: int, rng: Rng) -> tuple[Pixels, list[Doubles]]:
    """A scene at a random scale, turn and place, and its faces."""
    height, width = scene.image.shape
    scale = side / min(height, width) * float(np.exp(rng.uniform(np.log(0.7), np.log(2.0))))
    draw = rng.random()
    angle = float(rng.normal(0, 0.1)) if draw < 0.85 else float(rng.choice([1, 2, 3])) * np.pi / 2
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0]])
    spread = np.maximum(np.array([width, height]) * scale - side, 0) / 2
    if angle > 1 and draw >= 0.85 and abs(sine) > abs(cosine):
        spread = spread[::-1]
    matrix[:, 2] = side / 2 + rng.uniform(-1, 1, 2) * spread - matrix[:, :2] @ (np.array([width, height]) / 2)
    canvas = _warped(scene.image, matrix, side, cv2.BORDER_REPLICATE)
    rows = [
        face_row(FacePatch(scene.image, box, keypoints), matrix, float(weight))
        for box, keypoints, weight in zip(scene.boxes, scene.keypoints, scene.weights, strict=True)
    ]
    return canvas, [row for row in rows if (row[2:4] > 0).all() and (row[:2] < side).all()]
