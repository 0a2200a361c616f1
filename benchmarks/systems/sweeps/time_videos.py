# SPDX-License-Identifier: Apache-2.0
"""Videos of one person each, warped between photos in different expressions, with correlated errors and gaps."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import Bools, Float32, Float64, Indices
from mien.datasets import (
    FERPLUS_TEMPLATE,
    FaceSamples,
    affect_map,
    concatenate,
    load_lfw,
    load_teacher,
    person,
    teacher_file,
)
from mien.faces import keypoints_of, similarity_transform, warp_face

Image = npt.NDArray[np.uint8]

SIZE_PX = 64
N_VIDEOS, N_FRAMES = 60, 400

_MOST_PHOTOS, _MOST_OF_ONE_NAME = 6, 40  # names with more are films with several persons
_HELD_FRAMES, _SHORTEST, _MORPH_FRAMES = 40, 15, 12
_LOST_STARTS, _LOST_FRAMES = 0.02, 8


@dataclass(frozen=True, eq=False, kw_only=True)
class PersonVideo:
    """T frames of one person.

    Attributes:
        name: name of the person.
        frames: (T, S, S) gray crops; those of lost frames are not to be used.
        lost: (T,) whether no face was found.
        expression: (T,) canonical expression of the nearer photo.
        affect: (T, 2) valence and arousal, mapped from the labels of the photos.
        action_units: (T, A) presence by the landmark model on the nearer photo, NaN where unknown.
    """

    name: str
    frames: Image
    lost: Bools
    expression: Indices
    affect: Float32
    action_units: Float32


@dataclass(frozen=True, eq=False)
class _Photos:
    """The aligned photos of all persons: crops, landmarks in the crop and labels."""

    crops: Image
    landmarks: Float64
    samples: FaceSamples
    affect: Float32


def person_videos(data: Path, n_videos: int = N_VIDEOS, n_frames: int = N_FRAMES) -> Iterator[PersonVideo]:
    """Yield the videos, the same every time: persons of LFW with photos of two or more expressions.

    Args:
        data: folder of the open face sets.
        n_videos: number of persons.
        n_frames: number of frames of each.
    """
    photos, members = _load(data)
    for name in sorted(members, key=_hash)[:n_videos]:
        rng = np.random.default_rng(int.from_bytes(_hash(name)[:8], "big"))
        yield make_video(name, photos, members[name], n_frames, rng)


def _hash(name: str) -> bytes:
    return hashlib.sha256(f"systems {name}".encode()).digest()


def _load(data: Path) -> tuple[_Photos, dict[str, Indices]]:
    samples = concatenate([load_lfw(data, "train"), load_lfw(data, "test")])
    teacher = load_teacher(teacher_file(data, "lfw", "train"), samples.names)
    label = samples.expression.argmax(axis=1)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(samples.names):
        rows[person(name)].append(row)
    members = {}
    for name, own in rows.items():
        usable = [row for row in own if teacher.found[row]][:_MOST_PHOTOS]
        if len(own) <= _MOST_OF_ONE_NAME and len({label[row] for row in usable}) > 1:
            members[name] = np.array(usable)
    kept = np.concatenate(list(members.values()))
    place = {row: number for number, row in enumerate(kept.tolist())}
    chosen = samples.take(kept)
    crops, landmarks = _aligned(chosen, teacher.landmarks[kept])
    affect = np.clip(affect_map(data)(chosen.expression), -1, 1).astype(np.float32)
    numbers = {name: np.array([place[row] for row in own.tolist()]) for name, own in members.items()}
    return _Photos(crops, landmarks, chosen, affect), numbers


def _aligned(samples: FaceSamples, landmarks: Float32) -> tuple[Image, Float64]:
    crops, placed = [], []
    for encoded, points in zip(samples.images, landmarks, strict=True):
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
        pixels = points.astype(np.float64) * image.shape[1::-1]
        target = np.array(FERPLUS_TEMPLATE) * SIZE_PX
        matrix = similarity_transform(keypoints_of(pixels), target)
        crops.append(warp_face(np.asarray(image, np.uint8), matrix, SIZE_PX))
        placed.append(pixels @ matrix[:, :2].T + matrix[:, 2])
    return np.stack(crops), np.stack(placed)


def morph(crops: Image, landmarks: Float64, share: float) -> Image:
    """A face between two: both warped to the landmarks between them, then cross-faded.

    Args:
        crops: (2, S, S) aligned faces.
        landmarks: (2, 68, 2) px in the crops.
        share: share of the second in [0, 1].
    """
    size = crops.shape[1]
    target = (1 - share) * landmarks[0] + share * landmarks[1]
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2).astype(np.float64)
    distance = ((grid[:, None] - target[None]) ** 2).sum(axis=2) + 4.0
    weight = distance**-2
    weight /= weight.sum(axis=1, keepdims=True)
    parts = []
    for crop, own in zip(crops, landmarks, strict=True):
        places = (grid + weight @ (own - target)).reshape(size, size, 2).astype(np.float32)
        moved = cv2.remap(crop, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        parts.append(moved.astype(np.float64))
    return np.asarray(np.rint((1 - share) * parts[0] + share * parts[1]), dtype=np.uint8)


def make_video(name: str, photos: _Photos, rows: Indices, n_frames: int, rng: np.random.Generator) -> PersonVideo:
    """One video: photos are held for some frames, then warped into a photo of another expression."""
    label = photos.samples.expression.argmax(axis=1)
    pairs, shares = _timeline(rows, label, n_frames, rng)
    cache: dict[tuple[int, int, float], Image] = {}
    frames = []
    states = _drift(n_frames, rng)
    for pair, share, state in zip(pairs, shares, states, strict=True):
        key = (*pair, share)
        if key not in cache:
            own = list(pair)
            cache[key] = morph(photos.crops[own], photos.landmarks[own], share)
        frames.append(_disturbed(cache[key], state, rng))
    nearer = np.where(np.array(shares) < 0.5, *np.array(pairs).T)
    share = np.array(shares)[:, None]
    affect = (1 - share) * photos.affect[[a for a, _ in pairs]] + share * photos.affect[[b for _, b in pairs]]
    units = photos.samples.action_units[nearer]
    return PersonVideo(
        name=name,
        frames=np.stack(frames),
        lost=_gaps(n_frames, rng),
        expression=label[nearer],
        affect=affect.astype(np.float32),
        action_units=np.where(np.isnan(units), np.nan, units >= 0.5).astype(np.float32),
    )


def _timeline(
    rows: Indices, label: Indices, n_frames: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int]], list[float]]:
    """For each frame the two photos it lies between, and the share of the second."""
    pairs: list[tuple[int, int]] = []
    shares: list[float] = []
    now = int(rng.choice(rows))
    while len(pairs) < n_frames:
        held = max(_SHORTEST, round(rng.exponential(_HELD_FRAMES)))
        then = int(rng.choice([row for row in rows if label[row] != label[now]]))
        pairs += [(now, now)] * held + [(now, then)] * _MORPH_FRAMES
        shares += [0.0] * held + np.linspace(0, 1, _MORPH_FRAMES + 2)[1:-1].tolist()
        now = then
    return pairs[:n_frames], shares[:n_frames]


def _drift(n_frames: int, rng: np.random.Generator) -> Float64:
    """(T, 5) slowly changing states of rotation, zoom, two shifts and light: neighbouring frames err alike."""
    states = np.empty((n_frames, 5))
    state = rng.normal(size=5)
    for number in range(n_frames):
        state = 0.93 * state + np.sqrt(1 - 0.93**2) * rng.normal(size=5)
        states[number] = state
    return states


def _disturbed(face: Image, state: Float64, rng: np.random.Generator) -> Image:
    side = face.shape[0]
    angle, zoom = 5 * state[0] + rng.normal(0, 2), 1 + 0.06 * state[1] + rng.normal(0, 0.02)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), angle, zoom)
    matrix[:, 2] += (0.04 * state[2:4] + rng.normal(0, 0.015, 2)) * side
    moved = cv2.warpAffine(face, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    lit = 255 * (moved / 255) ** np.exp(0.3 * state[4]) + rng.normal(0, 6, moved.shape)
    return np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)


def _gaps(n_frames: int, rng: np.random.Generator) -> Bools:
    lost = np.zeros(n_frames, dtype=bool)
    for start in np.flatnonzero(rng.random(n_frames) < _LOST_STARTS):
        lost[start : start + rng.geometric(1 / _LOST_FRAMES)] = True
    lost[0] = False
    return lost
