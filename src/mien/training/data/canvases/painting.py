# SPDX-License-Identifier: Apache-2.0
"""Random changes of canvases: patterns and drawings without a face, covers, light, and lossy recording."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import Float32, Floats

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator


def pattern(side: int, rng: Rng) -> Pixels:
    """A (side, side) gray picture without a face: waves, squares, dots, letters, noise or a flat gray."""
    kind = int(rng.integers(7))
    y, x = np.mgrid[:side, :side].astype(np.float32)
    low, high = np.sort(rng.uniform(0, 255, 2))
    if kind == 0:
        angle, length = rng.uniform(0, np.pi), rng.uniform(4, 60)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / length)
        share = (wave + 1) / 2 if rng.random() < 0.5 else (wave > 0).astype(np.float32)
    elif kind == 1:
        square = int(rng.integers(4, 50))
        share = (((x // square) + (y // square)) % 2).astype(np.float32)
    elif kind == 2:
        step = float(rng.uniform(8, 60))
        away = np.hypot(x % step - step / 2, y % step - step / 2)
        share = (away < step * rng.uniform(0.2, 0.45)).astype(np.float32)
    elif kind == 3:
        noise = rng.random((int(rng.integers(3, 40)),) * 2).astype(np.float32)
        share = cv2.resize(noise, (side, side), interpolation=int(rng.choice([cv2.INTER_CUBIC, cv2.INTER_NEAREST])))
    elif kind == 4:
        return _letters(side, rng, low, high)
    elif kind == 5:
        centre = rng.uniform(0, side, 2)
        share = np.sin(np.hypot(x - centre[0], y - centre[1]) * 2 * np.pi / rng.uniform(6, 60)) / 2 + 0.5
    else:
        share = (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / side
    return np.asarray(np.clip(low + share * (high - low), 0, 255), np.uint8)


def _letters(side: int, rng: Rng, low: float, high: float) -> Pixels:
    page = np.full((side, side), round(high), np.uint8)
    alphabet = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:;()&@%oO0Q8 "))
    size = float(rng.uniform(0.3, 3))
    for row in range(0, side, max(6, int(26 * size))):
        text = "".join(rng.choice(alphabet, 40))
        cv2.putText(page, text, (0, row), int(rng.integers(0, 8)), size, round(low), max(1, int(size * 1.5)))
    return page


def drawing(canvas: Pixels, centre: Float32, side: float, rng: Rng) -> None:
    """Draw a face of circles and lines, as on stickers: no face."""
    gray, ink = (int(value) for value in rng.integers(0, 256, 2))
    if abs(gray - ink) < 60:
        ink = (gray + 128) % 256
    x, y = float(centre[0]), float(centre[1])
    r = side / 2
    thick = max(1, int(side * rng.uniform(0.02, 0.06)))

    def at(dx: float, dy: float) -> tuple[int, int]:
        return int(x + dx * r), int(y + dy * r)

    if rng.random() < 0.7:
        cv2.circle(canvas, at(0, 0), max(2, int(r)), gray, -1, cv2.LINE_AA)
    cv2.circle(canvas, at(0, 0), max(2, int(r)), ink, thick, cv2.LINE_AA)
    eye = max(1, int(r * rng.uniform(0.06, 0.2)))
    filled = -1 if rng.random() < 0.7 else thick
    for sign in (-1, 1):
        cv2.circle(canvas, at(0.38 * sign, -0.25), eye, ink, filled, cv2.LINE_AA)
    mouth = (max(2, int(r * rng.uniform(0.25, 0.5))), max(1, int(r * rng.uniform(0.05, 0.35))))
    start, end = (0, 180) if rng.random() < 0.7 else (180, 360)
    cv2.ellipse(canvas, at(0, 0.35), mouth, 0, start, end, ink, thick, cv2.LINE_AA)
    if rng.random() < 0.4:
        cv2.line(canvas, at(0, -0.1), at(-0.08, 0.12), ink, thick, cv2.LINE_AA)


def hidden_face(image: Pixels, box: Float32, rng: Rng) -> Pixels:
    """The picture with its face made unrecognisable by coarse squares or a strong blur: no face any more."""
    x0, y0, x1, y1 = np.clip(
        box + (box[2:] - box[:2])[[0, 1, 0, 1]] * np.array([-0.1, -0.1, 0.1, 0.1]), 0, np.tile(image.shape[::-1], 2)
    ).astype(int)
    hidden = image.copy()
    if x1 - x0 < 8 or y1 - y0 < 8:
        return hidden
    part = hidden[y0:y1, x0:x1]
    cells = int(rng.integers(3, 8))
    if rng.random() < 0.65:
        few = cv2.resize(part, (cells, max(3, round(cells * 1.2))), interpolation=cv2.INTER_AREA)
        hidden[y0:y1, x0:x1] = cv2.resize(few, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    else:
        hidden[y0:y1, x0:x1] = cv2.GaussianBlur(part, (0, 0), (x1 - x0) / rng.uniform(4.5, 7.5))
    return hidden


def cover_face(canvas: Pixels, keypoints: Floats, rng: Rng, texture: Pixels) -> None:
    """Cover a part of a face: a mask, dark glasses, a band of hair, or a patch anywhere on it."""
    eyes, mouth = keypoints[:2].mean(axis=0), keypoints[3:].mean(axis=0)
    down = mouth - eyes
    across = keypoints[1] - keypoints[0]
    if np.hypot(*down) < 3:
        return
    side = max(float(np.hypot(*across)), 0.6 * float(np.hypot(*down)))
    across = across / max(float(np.hypot(*across)), 1e-6) * side
    kind = int(rng.integers(4))
    if kind == 0:  # a mask over nose and mouth
        top = eyes + down * rng.uniform(0.35, 0.7)
        corners = [top - 1.05 * across, top + 1.05 * across, mouth + 0.75 * down + 0.7 * across]
        corners.append(mouth + 0.75 * down - 0.7 * across)
    elif kind == 1:  # glasses
        corners = [eyes + sx * 0.9 * across + sy * 0.28 * down for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    elif kind == 2:  # hair or a hat
        low = rng.uniform(-0.45, -0.1)
        corners = [eyes + sx * 1.2 * across + sy * down for sx, sy in ((-1, -1.2), (1, -1.2), (1, low), (-1, low))]
    else:
        centre = eyes + down * rng.uniform(-0.3, 1.4) + across * rng.uniform(-0.8, 0.8)
        half = np.array([rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.6)]) * side
        corners = [centre + half * (sx, sy) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    mask = np.zeros_like(canvas)
    polygon = np.round(np.array(corners)).astype(np.int32)
    if rng.random() < 0.3:
        middle, radius = polygon.mean(axis=0), int(0.6 * side)
        around = cv2.ellipse2Poly((int(middle[0]), int(middle[1])), (radius, radius), 0, 0, 360, 20)
        polygon = np.asarray(around, np.int32)
    cv2.fillConvexPoly(mask, polygon.reshape(-1, 1, 2), 255, cv2.LINE_AA)
    fill = texture if rng.random() < 0.4 else np.full_like(canvas, int(rng.integers(0, 256)))
    cv2.copyTo(fill, mask, canvas)


def relit(canvas: Pixels, rng: Rng) -> Pixels:
    """The canvas in another light, recorded by another camera."""
    image: Float32 = canvas.astype(np.float32)
    height, width = canvas.shape
    if rng.random() < 0.25:  # light from one side
        angle, soft = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.3) * width
        y, x = np.mgrid[:height, :width].astype(np.float32)
        along = (x - rng.uniform(0.2, 0.8) * width) * np.cos(angle) + (y - rng.uniform(0.2, 0.8) * height) * np.sin(
            angle
        )
        image *= rng.uniform(0.08, 0.6) + (1 - rng.uniform(0.08, 0.5)) / (1 + np.exp(np.clip(-along / soft, -30, 30)))
    if rng.random() < 0.3:
        image = np.asarray(255 * (np.clip(image, 0, 255) / 255) ** float(np.exp(rng.uniform(-0.8, 0.8))), np.float32)
    if rng.random() < 0.3:
        image = np.asarray((image - 127) * rng.uniform(0.3, 1.4) + 127 + rng.uniform(-40, 40), np.float32)
    if rng.random() < 0.08:  # darkness
        image *= rng.uniform(0.1, 0.5)
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    if rng.random() < 0.25:
        image = image + rng.normal(0, rng.uniform(2, 14), image.shape).astype(np.float32)
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))])
        pixels = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
    return pixels
