# SPDX-License-Identifier: Apache-2.0
"""`explain_face`: the saliency map, the shares of facial parts and the nearest rendered faces of one prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

import cv2
import numpy as np

from mien.affect.analyzer import Analyzer
from mien.affect.explanation.face_parts import part_masks, part_shares
from mien.affect.explanation.saliency import Score, curve_area, deletion_curve, occlusion_map, rise_map
from mien.core import DIMENSIONS, EXPRESSIONS, ConfigError, Faces, Float32, Float64, Image
from mien.faces import align_faces, similarity_transform, to_colour
from mien.media import decode_image, read_image

Method = Literal["rise", "occlusion"]
"""How a saliency map is made."""

PROTOTYPE_SHEET = "prototypes.jpg"
"""File of the rendered example faces, beside this module."""

PROTOTYPE_EXPRESSIONS = EXPRESSIONS
"""Expressions of the rows of the sheet."""

PROTOTYPES_PER_ROW = 8
PROTOTYPE_PX = 112
"""Side of a face on the sheet in pixels."""

_N_PROTOTYPES = 3
_N_RANDOM = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Prototype:
    """A rendered face that the network finds similar; it shows no person.

    Attributes:
        expression: Expression that was rendered.
        similarity: Cosine of the embeddings, or of the predictions where the bundle has no embedding, in [-1, 1].
        image: (112, 112, 3) uint8 RGB.
    """

    expression: str
    similarity: float
    image: Image


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """Why a bundle predicts a value for a face, as far as that can be seen from outside the network.

    Attributes:
        target: Name of the explained value: an expression, ``"valence"``, ``"arousal"`` or an action unit.
        value: Its value for the face.
        without_detail: Its value for the face without any detail: where the shares start.
        parts: Facial part -> share; they add up to ``value - without_detail``. Empty without 68 landmarks.
        crop: (S, S) or (S, S, 3) uint8 that the network sees.
        saliency: (S, S) map in the units of the value; larger where the pixels speak for the target.
        method: How the map was made.
        deletion_area: Area under the curve of the value while the most salient cells are blurred first.
        random_area: The same while cells are blurred in random order, the mean of five orders.
        prototypes: Nearest rendered faces, the most similar first.
    """

    target: str
    value: float
    without_detail: float
    parts: Mapping[str, float]
    crop: Image
    saliency: Float64
    method: Method
    deletion_area: float
    random_area: float
    prototypes: tuple[Prototype, ...]

    def __str__(self) -> str:
        shares = sorted(self.parts.items(), key=lambda item: -abs(item[1]))
        text = ", ".join(f"{name} {share:+.2f}" for name, share in shares)
        return f"{self.target} {self.value:.2f}" + (f": {text}, from {self.without_detail:.2f}" if text else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and names, without the images."""
        return {
            "target": self.target,
            "value": self.value,
            "without_detail": self.without_detail,
            "parts": dict(self.parts),
            "method": self.method,
            "deletion_area": self.deletion_area,
            "random_area": self.random_area,
            "prototypes": [{"expression": one.expression, "similarity": one.similarity} for one in self.prototypes],
        }

    def heat(self, side_px: int = 336) -> Image:
        """The crop with the map on it: red speaks for the target, blue against it."""
        gray = self.crop if self.crop.ndim == 2 else cv2.cvtColor(self.crop, cv2.COLOR_RGB2GRAY)
        large = cv2.resize(gray, (side_px, side_px), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        centred = self.saliency - np.median(self.saliency)
        scaled = np.asarray(centred / max(float(np.abs(centred).max()), 1e-9), np.float32)
        strength = np.asarray(cv2.resize(scaled, (side_px, side_px), interpolation=cv2.INTER_LINEAR), np.float32)
        share = np.abs(strength)[..., None] * 0.6
        tint = np.where(strength[..., None] > 0, np.array([225, 40, 30.0]), np.array([40, 90, 225.0]))
        return np.clip(large[..., None] * (1 - share) + tint * share, 0, 255).astype(np.uint8)

    def picture(self) -> Image:
        """The crop, the map on it, and the nearest rendered faces beside each other, (336, W, 3) uint8 RGB."""
        side = 336
        plain = self.crop if self.crop.ndim == 3 else np.repeat(self.crop[..., None], 3, axis=2)
        tiles = [cv2.resize(plain, (side, side), interpolation=cv2.INTER_CUBIC), self.heat(side)]
        tiles += [cv2.resize(one.image, (side, side), interpolation=cv2.INTER_CUBIC) for one in self.prototypes]
        return np.concatenate(tiles, axis=1).astype(np.uint8)


def explain_face(
    analyzer: Analyzer,
    image: Any,
    *,
    face: int = 1,
    target: str | None = None,
    method: Method = "rise",
    n_masks: int = 800,
    seed: int = 0,
) -> Explanation:
    """Explain one prediction for one face of an image.

    Args:
        analyzer: Analyzer of the bundle.
        image: Image as for `Analyzer.image`.
        face: Number of the face, counted from the left.
        target: An expression, ``"valence"``, ``"arousal"`` or an action unit; the most probable expression if None.
        method: ``"rise"`` or ``"occlusion"``.
        n_masks: Number of masks of RISE.
        seed: Seed of the masks and of the random order.

    Raises:
        ConfigError: The image has no such face, the bundle has no such target, or the method is unknown.
        InputError: The image cannot be read.
    """
    pixels = read_image(image)
    faces = analyzer.image(pixels)
    rows = np.flatnonzero(faces.numbers == face)
    if not len(rows):
        raise ConfigError(f"there is no face {face}; the image has {len(faces)}, counted from the left")
    one = faces[rows]
    spec = analyzer.spec
    template = np.asarray(spec.crop.template) * spec.input.size_px - 0.5
    matrix = similarity_transform(one.keypoints[0], template)
    crop = to_colour(align_faces(pixels, one.keypoints, spec.crop.template, spec.input.size_px), spec.input.colour)[0]
    landmarks = one.landmarks[0] @ matrix[:, :2].T + matrix[:, 2]
    return explain_crop(analyzer, crop, landmarks=landmarks, target=target, method=method, n_masks=n_masks, seed=seed)


def explain_crop(
    analyzer: Analyzer,
    crop: Image,
    *,
    landmarks: Float32 | Float64 | None = None,
    target: str | None = None,
    method: Method = "rise",
    n_masks: int = 800,
    seed: int = 0,
    n_prototypes: int = _N_PROTOTYPES,
) -> Explanation:
    """Explain one prediction for an aligned crop.

    Args:
        analyzer: Analyzer of the bundle.
        crop: (S, S) or (S, S, 3) uint8, aligned by the bundle's template.
        landmarks: (68, 2) pixels of the crop; None or NaN for no shares of facial parts.
        target: As for `explain_face`.
        method: As for `explain_face`.
        n_masks: As for `explain_face`.
        seed: As for `explain_face`.
        n_prototypes: Number of similar rendered faces; 0 spares the network 64 of them.

    Raises:
        ConfigError: The bundle has no such target, or the method is unknown.
    """
    makers: Mapping[str, Callable[[], Float64]] = MappingProxyType(
        {
            "rise": lambda: rise_map(crop, score, n_masks=n_masks, seed=seed),
            "occlusion": lambda: occlusion_map(crop, score),
        }
    )
    if method not in makers:
        raise ConfigError(f"method must be rise or occlusion, got {method!r}")
    whole = analyzer.crops([crop], aligned=True)
    chosen = target or whole.top_expressions()[0]
    if chosen is None:
        raise ConfigError("the bundle has no expressions; name a target")
    score = target_score(analyzer, chosen)
    saliency = makers[method]()
    known = landmarks is not None and bool(np.isfinite(landmarks).all())
    masks = part_masks(np.asarray(landmarks), crop.shape[0]) if known else {}
    rng = np.random.default_rng([seed, 1])
    orders = [curve_area(deletion_curve(crop, rng.random(crop.shape[:2]), score)) for _ in range(_N_RANDOM)]
    deleted = deletion_curve(crop, saliency, score)
    return Explanation(
        target=chosen,
        value=float(deleted[0]),
        without_detail=float(deleted[-1]),
        parts=part_shares(crop, masks, score) if masks else {},
        crop=crop,
        saliency=saliency,
        method=method,
        deletion_area=curve_area(deleted),
        random_area=float(np.mean(orders)),
        prototypes=nearest_prototypes(analyzer, crop, n_prototypes) if n_prototypes else (),
    )


def target_score(analyzer: Analyzer, target: str) -> Score:
    """The function from aligned crops (N, S, S[, 3]) to the values (N,) of a target.

    Args:
        analyzer: Analyzer of the bundle.
        target: An expression, ``"valence"``, ``"arousal"`` or an action unit of the bundle.

    Raises:
        ConfigError: The bundle has no such target; the message lists those it has.
    """
    spec = analyzer.spec
    known = [*analyzer.expression_labels, *(DIMENSIONS if spec.task("valence_arousal") else ())]
    known += analyzer.action_unit_labels
    if target not in known:
        raise ConfigError(f"the bundle {spec.name} has no {target!r}; explain one of {', '.join(known)}")

    def score(crops: Image) -> Float64:
        faces = analyzer.crops(list(crops), aligned=True)
        column = f"expression_{target}" if target in analyzer.expression_labels else target
        return np.asarray(faces[column], np.float64)

    return score


def nearest_prototypes(analyzer: Analyzer, crop: Image, n: int = _N_PROTOTYPES) -> tuple[Prototype, ...]:
    """The rendered faces that are most similar to the network, at most one of each identity.

    Args:
        analyzer: Analyzer of the bundle.
        crop: (S, S) or (S, S, 3) uint8, aligned by the bundle's template.
        n: Number of faces.
    """
    tiles = prototype_tiles()
    reader = Analyzer(analyzer.config, features=True)
    own = _vectors(reader.crops([crop], aligned=True))
    others = _vectors(reader.crops([tile for _, tile in tiles]))
    lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(own[0])
    similarity = others @ own[0] / np.maximum(lengths, 1e-9)
    nearest = np.argsort(-similarity, kind="stable")[:n]
    return tuple(
        Prototype(expression=tiles[place][0], similarity=float(similarity[place]), image=tiles[place][1])
        for place in nearest.tolist()
    )


@cache
def prototype_tiles() -> tuple[tuple[str, Image], ...]:
    """Expression and image (112, 112, 3) uint8 RGB of every face on the rendered sheet."""
    content = resources.files(__package__).joinpath(PROTOTYPE_SHEET).read_bytes()
    sheet = decode_image(content, name=PROTOTYPE_SHEET)
    tiles = []
    for row, expression in enumerate(PROTOTYPE_EXPRESSIONS):
        for column in range(PROTOTYPES_PER_ROW):
            top, left = row * PROTOTYPE_PX, column * PROTOTYPE_PX
            tiles.append((expression, sheet[top : top + PROTOTYPE_PX, left : left + PROTOTYPE_PX]))
    return tuple(tiles)


def _vectors(faces: Faces) -> Float32:
    """Embeddings, or predictions where there is none, less their mean direction."""
    if faces.features.shape[1]:
        return faces.features
    return np.concatenate([faces.expression, faces.action_units], axis=1)
