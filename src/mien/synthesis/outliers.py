# SPDX-License-Identifier: Apache-2.0
"""Images that resemble faces and are none: statues, drawings, animals, masks and patterns, made by code alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from mien.core import ConfigError, Float64, Image
from mien.synthesis.head.makehuman import load_basis
from mien.synthesis.head.person import linear_rgb, sample_person
from mien.synthesis.rendering.photo import develop
from mien.synthesis.rendering.renderer import HeadRenderer
from mien.synthesis.rendering.scene import Camera, Scene, sample_background, sample_lights
from mien.synthesis.rendering.shading import Look
from mien.synthesis.sampling import sample_expression
from mien.synthesis.synthesis_recipe import ExpressionMix

SIZE_PX = 160
"""Side of the images in pixels."""

_STONES = ((226, 222, 212), (196, 186, 168), (150, 146, 140), (92, 74, 48), (70, 86, 78), (58, 56, 54))
_FURS = ((196, 150, 96), (120, 84, 52), (70, 60, 54), (226, 214, 196), (160, 158, 156), (210, 124, 60))


@dataclass(frozen=True, eq=False)
class Outlier:
    """An image without a living human face.

    Attributes:
        name: Unique name, ``"<kind>_<number>"``.
        kind: Name in `OUTLIERS`.
        image: (160, 160, 3) uint8 RGB.
    """

    name: str
    kind: str
    image: Image


class _Stone(HeadRenderer):
    """Renders a person as a statue: one material for skin, lips, brows and eyes."""

    def _look(self, scene: Scene) -> Look:
        look = super()._look(scene)
        stone = look.skin
        plain: dict[str, Any] = {
            "redness": 0.0,
            "under_eye": 0.0,
            "freckles": 0.0,
            "stubble": 0.0,
            "liner": 0.0,
            "brow_density": 0.15,
        }
        return look._replace(lips=stone, hair=stone, brow=stone, iris=stone, cloth=stone, pupil_deg=0.5, **plain)


def _scene(rng: np.random.Generator, size_px: int) -> Scene:
    pitch, yaw, roll = rng.normal(0, (0.1, 0.2, 0.08))
    distance = 14.0
    focal = size_px * rng.uniform(0.55, 0.75) * distance / 1.95
    return Scene(
        pose_rad=(float(pitch), float(yaw), float(roll)),
        camera=Camera(distance, float(focal), (size_px / 2, 0.42 * size_px)),
        lights=sample_lights(rng),
        background=sample_background(size_px, rng),
        cloth_rgb=rng.uniform(0.02, 0.5, 3).astype(np.float32),
        neckline_dm=5.8,
    )


def _rendered(rng: np.random.Generator, renderer: type[HeadRenderer], **changes: object) -> Float64:
    """Image (160, 160, 3) in sRGB in [0, 1] of a sampled person with a sampled expression."""
    basis = load_basis()
    person = replace(sample_person(basis, int(rng.integers(2**31)), rng), **changes)  # type: ignore[arg-type]
    actions = sample_expression(ExpressionMix(), rng).actions()
    drawn = renderer(basis, person, oversampling=2).render(actions, _scene(rng, SIZE_PX)).image
    return develop(drawn).astype(np.float64)


def _statue(rng: np.random.Generator) -> Image:
    stone = linear_rgb(_STONES[rng.integers(len(_STONES))]) * np.exp(rng.normal(0, 0.1, 3))
    colour = np.clip(stone, 0.02, 0.9).astype(np.float32)
    image = _rendered(rng, _Stone, skin_rgb=colour, hair_rgb=colour, brow_rgb=colour, iris_rgb=colour, beard="none")
    luma = image @ (0.299, 0.587, 0.114)
    veins = np.abs(_noise(rng, 24)) < rng.uniform(0.01, 0.08)
    tint = stone ** (1 / 2.4) / max(float((stone ** (1 / 2.4)).mean()), 1e-6)
    shaded = luma[..., None] * tint * (1 - 0.2 * veins[..., None]) * (1 + 0.04 * _noise(rng, 100)[..., None])
    return _to_bytes(shaded)


def _pencil(rng: np.random.Generator) -> Image:
    """A pencil sketch of a rendered face: its gray values divided by their blurred inverse."""
    gray = (_rendered(rng, HeadRenderer) @ (0.299, 0.587, 0.114)).astype(np.float32)
    inverse = cv2.GaussianBlur(1 - gray, (0, 0), float(rng.uniform(2, 6)))
    sketch = np.clip(gray / np.maximum(1 - inverse, 0.05), 0, 1) ** rng.uniform(1.5, 4)
    paper = np.array([1.0, 0.98, 0.94]) * (1 + 0.02 * _noise(rng, 120)[..., None])
    return _to_bytes(sketch[..., None] * paper)


def _cel(rng: np.random.Generator) -> Image:
    """A comic of a rendered face: few flat colours and dark outlines."""
    image = _rendered(rng, HeadRenderer).astype(np.float32)
    flat = cv2.bilateralFilter(image, 9, 0.2, 6)
    levels = float(rng.integers(3, 6))
    flat = np.round(flat * levels) / levels
    edges = cv2.Laplacian(cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.6), cv2.CV_32F)
    return _to_bytes(np.where((edges > rng.uniform(0.006, 0.014))[..., None], 0.05, flat))


def _cartoon(rng: np.random.Generator) -> Image:
    """A drawn face of ellipses and lines."""
    canvas = _paper(rng)
    middle = np.array([80, 84]) + rng.normal(0, 3, 2)
    axes = rng.uniform((42, 48), (58, 64))
    _ellipse(canvas, middle, axes, _colour(rng, 120), line=rng)
    eye = np.array([axes[0] * rng.uniform(0.35, 0.5), -axes[1] * rng.uniform(0.1, 0.3)])
    size = rng.uniform((5, 5), (15, 18))
    for side in (-1, 1):
        at = middle + eye * (side, 1)
        _ellipse(canvas, at, size, (250, 250, 250), line=rng)
        _ellipse(canvas, at + rng.normal(0, 1.5, 2), size * rng.uniform(0.25, 0.6), (20, 20, 20))
        tilt = rng.uniform(-4, 4) * side
        _line(canvas, _moved(at, -size[0], -size[1] - 6 + tilt), _moved(at, size[0], -size[1] - 6 - tilt), rng)
    _line(canvas, _moved(middle, 0, -4), _moved(middle, rng.uniform(-8, 8), 12), rng)
    mouth = _moved(middle, 0, axes[1] * rng.uniform(0.4, 0.6))
    bend = float(rng.uniform(-14, 18))
    width = axes[0] * rng.uniform(0.3, 0.6)
    x = np.linspace(-1, 1, 24)
    curve = mouth + np.stack([x * width, bend * (0.5 - x**2)], axis=1)
    cv2.polylines(canvas, [np.rint(curve * 8).astype(np.int32)], False, (30, 20, 20), 3, cv2.LINE_AA, 3)
    return _aged(canvas, rng)


def _animal(rng: np.random.Generator) -> Image:
    """An animal's face: fur, ears, round eyes at the sides, a muzzle with a nose, whiskers."""
    canvas = _paper(rng)
    fur = np.array(_FURS[rng.integers(len(_FURS))]) * np.exp(rng.normal(0, 0.15, 3))
    middle = np.array([80.0, 86.0])
    axes = rng.uniform((46, 44), (60, 62))
    pointed = rng.random() < 0.5
    for side in (-1, 1):
        ear = middle + axes * (side * 0.72, -0.75)
        if pointed:
            tip = _moved(ear, side * rng.uniform(2, 16), -rng.uniform(18, 34))
            base = np.array([_moved(ear, -18, 10), tip, _moved(ear, 18, 10)])
            cv2.fillPoly(canvas, [np.rint(base * 8).astype(np.int32)], (fur * 0.8).tolist(), cv2.LINE_AA, 3)
        else:
            _ellipse(canvas, ear, rng.uniform((12, 14), (22, 34)), tuple(fur * 0.75))
    _ellipse(canvas, middle, axes, tuple(fur))
    muzzle = _moved(middle, 0, axes[1] * rng.uniform(0.3, 0.5))
    _ellipse(canvas, muzzle, axes * rng.uniform((0.4, 0.3), (0.6, 0.55)), tuple(np.minimum(fur * 1.4 + 20, 250)))
    for side in (-1, 1):
        eye = middle + axes * (side * rng.uniform(0.38, 0.52), -rng.uniform(0.1, 0.3))
        _ellipse(canvas, eye, rng.uniform((6, 6), (11, 11)), (225, 190, 80) if rng.random() < 0.5 else (60, 36, 20))
        slit = (2.0, 7.0) if pointed else (4.5, 4.5)
        _ellipse(canvas, eye, np.array(slit), (10, 10, 10))
        _ellipse(canvas, _moved(eye, -2, -2), np.array([1.5, 1.5]), (250, 250, 250))
        for droop in rng.uniform(-10, 14, int(rng.integers(0, 5))):
            _line(canvas, _moved(muzzle, side * 8, 0), _moved(muzzle, side * 52, droop), rng, width=1)
    nose = _moved(muzzle, 0, -axes[1] * 0.18)
    _ellipse(canvas, nose, rng.uniform((7, 5), (15, 11)), (30, 22, 22))
    _line(canvas, nose, _moved(muzzle, 0, 8), rng, width=2)
    for side in (-1, 1):
        _line(canvas, _moved(muzzle, 0, 8), _moved(muzzle, side * 14, 14), rng, width=2)
    hair = cv2.filter2D(_noise(rng, 160), -1, np.eye(9) / 9) if rng.random() < 0.5 else _noise(rng, 110)
    return _aged(np.clip(canvas * (1 + 0.18 * hair[..., None]), 0, 255).astype(np.uint8), rng)


def _mask(rng: np.random.Generator) -> Image:
    """A theatre or carnival mask: a smooth shell with holes for eyes and mouth."""
    canvas = _paper(rng)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float64)
    width, height = rng.uniform((44, 56), (56, 68))
    u, v = (x - 80) / width, (y - 82) / height
    inside = u**2 + v**2 < 1
    dome = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
    light = np.clip(0.35 + 0.65 * (dome + rng.uniform(-0.5, 0.5) * u - rng.uniform(0, 0.4) * v), 0, 1.2)
    nose = np.exp(-((u / 0.12) ** 2) - ((v - 0.1) / 0.3) ** 2)
    shell = np.array(_colour(rng, 150))[None, None] * (light + 0.15 * nose)[..., None]
    canvas = np.where(inside[..., None], np.clip(shell, 0, 255), canvas).astype(np.uint8)
    for side in (-1, 1):
        _ellipse(canvas, np.array([80 + side * width * 0.42, 70]), rng.uniform((8, 4), (14, 9)), (8, 8, 8))
        if rng.random() < 0.5:
            cheek = tuple(np.clip(np.array(_colour(rng, 60)), 0, 255))
            _ellipse(canvas, np.array([80 + side * width * 0.5, 96]), np.array([7.0, 7.0]), cheek)
    bend = float(rng.uniform(-16, 16))
    angles = np.linspace(-1, 1, 20)
    lips = np.stack([80 + angles * width * 0.45, 82 + height * 0.48 + bend * (0.5 - angles**2)], axis=1)
    ring = np.concatenate([lips, lips[::-1] + np.array([0, rng.uniform(3, 10)])])
    cv2.fillPoly(canvas, [np.rint(ring * 8).astype(np.int32)], (10, 8, 8), cv2.LINE_AA, 3)
    return _aged(canvas, rng)


def _pattern(rng: np.random.Generator) -> Image:
    """Noise, stripes, checks, blobs, or a house front with two windows and a door."""
    kind = int(rng.integers(5))
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX].astype(np.float64)
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 40)
    along = np.cos(angle) * x + np.sin(angle) * y
    if kind == 4:
        canvas = _paper(rng)
        cv2.rectangle(canvas, (20, 30), (140, 150), _colour(rng, 100), -1)
        for left in (40, 98):
            cv2.rectangle(canvas, (left, 54), (left + 24, 80), _colour(rng, 20), -1)
            cv2.line(canvas, (left + 12, 54), (left + 12, 80), (230, 230, 230), 2)
        cv2.rectangle(canvas, (64, 104), (98, 150), _colour(rng, 30), -1)
        return _aged(canvas, rng)
    across = np.sin(angle) * x - np.cos(angle) * y
    waves = np.sin(2 * np.pi * along / period)
    plain = (
        _noise(rng, float(rng.uniform(6, 150))),
        waves,
        np.sign(waves * np.sin(2 * np.pi * across / period)),
        np.clip(_noise(rng, 10) * 3, -1, 1),
    )[kind]
    low, high = np.array(_colour(rng, 20)), np.array(_colour(rng, 120))
    share = np.clip(0.5 + 0.5 * plain, 0, 1)[..., None]
    return _aged(np.asarray(low + share * (high - low), np.uint8), rng)


OUTLIERS: Mapping[str, Callable[[np.random.Generator], Image]] = MappingProxyType(
    {
        "statue": _statue,
        "pencil": _pencil,
        "comic": _cel,
        "cartoon": _cartoon,
        "animal": _animal,
        "mask": _mask,
        "pattern": _pattern,
    }
)
"""Kind of outlier -> its function; statues, pencil sketches and comics are rendered heads (extra ``synthesis``)."""


def draw_outliers(n: int, *, seed: int = 0, kinds: tuple[str, ...] = tuple(OUTLIERS)) -> Iterator[Outlier]:
    """N images of each kind.

    Args:
        n: Number of images of each kind.
        seed: Seed; an image depends on it, its kind and its number alone.
        kinds: Names in `OUTLIERS`.

    Raises:
        ConfigError: A kind is unknown.
        MissingExtraError: A kind is rendered, and the extra ``synthesis`` is not installed.

    Examples:
        >>> [outlier.name for outlier in draw_outliers(2, kinds=("cartoon",))]
        ['cartoon_0000', 'cartoon_0001']
    """
    unknown = [kind for kind in kinds if kind not in OUTLIERS]
    if unknown:
        raise ConfigError(f"there are no outliers of the kind {unknown[0]!r}; choose from {', '.join(OUTLIERS)}")
    for kind in kinds:
        for number in range(n):
            rng = np.random.default_rng([seed, list(OUTLIERS).index(kind), number])
            yield Outlier(f"{kind}_{number:04d}", kind, OUTLIERS[kind](rng))


def _moved(place: Float64, right: float, down: float) -> Float64:
    return np.asarray(place + np.array([right, down]), np.float64)


def _noise(rng: np.random.Generator, cells: float) -> Float64:
    """Smooth noise (160, 160) of about unit variance with that many cells across."""
    side = max(2, round(cells))
    grid = rng.standard_normal((side, side))
    return np.asarray(cv2.resize(grid, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC), np.float64)


def _paper(rng: np.random.Generator) -> Image:
    canvas = np.full((SIZE_PX, SIZE_PX, 3), _colour(rng, 120), np.float64)
    if rng.random() < 0.5:
        canvas *= 1 + 0.25 * _noise(rng, float(rng.uniform(3, 30)))[..., None]
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _colour(rng: np.random.Generator, least: int) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(least, least + 110, 3))
    return red, green, blue


def _ellipse(
    canvas: Image,
    middle: Float64,
    axes: Float64,
    colour: tuple[float, ...],
    *,
    line: np.random.Generator | None = None,
) -> None:
    at = tuple(int(value) for value in np.rint(np.asarray(middle) * 8))
    size = tuple(int(value) for value in np.rint(np.asarray(axes) * 8))
    cv2.ellipse(canvas, at, size, 0, 0, 360, tuple(map(float, colour)), -1, cv2.LINE_AA, 3)
    if line is not None:
        cv2.ellipse(canvas, at, size, 0, 0, 360, (25, 20, 20), int(line.integers(1, 4)), cv2.LINE_AA, 3)


def _line(canvas: Image, start: Float64, stop: Float64, rng: np.random.Generator, width: int = 0) -> None:
    ends = [tuple(int(value) for value in np.rint(np.asarray(place) * 8)) for place in (start, stop)]
    cv2.line(canvas, ends[0], ends[1], (30, 22, 20), width or int(rng.integers(2, 5)), cv2.LINE_AA, 3)


def _aged(canvas: Image, rng: np.random.Generator) -> Image:
    """The picture as a camera sees it: soft, noisy, in uneven light."""
    soft = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.4, 1.4))).astype(np.float64)
    slope = np.linspace(float(rng.uniform(0.75, 1.15)), float(rng.uniform(0.75, 1.15)), SIZE_PX)
    lit = soft * (slope[:, None] if rng.random() < 0.5 else slope[None, :])[..., None]
    return np.asarray(np.clip(np.rint(lit + rng.normal(0, rng.uniform(1, 7), canvas.shape)), 0, 255), np.uint8)


def _to_bytes(image: Float64) -> Image:
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
