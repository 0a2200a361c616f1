# SPDX-License-Identifier: Apache-2.0
"""`HeadRenderer`: a person with an expression in a scene becomes an image with its exact landmarks and box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import rotation_matrices
from mien.synthesis.head.actions import UNIT_ACTIONS
from mien.synthesis.head.basis import REGIONS, HeadBasis
from mien.synthesis.head.person import Person, linear_rgb
from mien.synthesis.rendering import parts as geometry
from mien.synthesis.rendering.rasterizer import depth_map, rasterize, vertex_normals
from mien.synthesis.rendering.scene import Camera, Scene
from mien.synthesis.rendering.shading import GLINT, LASH, Fragments, Lights, Look, Shadow, Surface, shade
from mien.synthesis.rendering.skin import FOLDS
from mien.synthesis.rendering.truth import (
    Openings,
    Truth,
    eyeballs,
    read_openings,
    read_truth,
    visible_landmarks,
)

Floats = npt.NDArray[np.float32]

_SHADOW_TEXELS = 176
_SHADOW_SCALE = 44.0
_NOISE_PX = 256
_EMPTY_DEPTH_DM = 0.3
_CLOSED_LIPS = 0.012


@dataclass(frozen=True, eq=False)
class Rendering:
    """A rendered face.

    Attributes:
        image: (S, S, 3) linear RGB, before the camera's curve.
        truth: Landmarks, box and openings.
    """

    image: Floats
    truth: Truth


@cache
def noise_textures() -> Floats:
    """Periodic noise (4, 256, 256) of unit variance: fine, coarse, fine again, and streaks."""
    rng = np.random.default_rng(20_140_331)
    frequency = np.hypot(np.fft.fftfreq(_NOISE_PX)[:, None], np.fft.fftfreq(_NOISE_PX)[None])
    stretched = np.hypot(6.0 * np.fft.fftfreq(_NOISE_PX)[:, None], np.fft.fftfreq(_NOISE_PX)[None])
    images = []
    for spectrum, exponent in ((frequency, 0.7), (frequency, 1.6), (frequency, 0.5), (stretched, 0.8)):
        weight = np.where(spectrum > 0, np.maximum(spectrum, 1e-6) ** -exponent, 0.0)
        image = np.fft.ifft2(np.fft.fft2(rng.standard_normal((_NOISE_PX, _NOISE_PX))) * weight).real
        images.append((image - image.mean()) / image.std())
    return np.stack(images).astype(np.float32)


class HeadRenderer:
    """Renders one person.

    Args:
        basis: Head basis.
        person: Person.
        oversampling: Rendering resolution over image resolution.

    Attributes:
        neutral_openings: Openings of mouth and eyes of the neutral face.
    """

    def __init__(self, basis: HeadBasis, person: Person, *, oversampling: int = 2) -> None:
        self._basis = basis
        self._person = person
        self._oversampling = oversampling
        self._neutral = basis.vertices(person.weights)
        self._left, self._right = eyeballs(basis)
        self._origin = (0.5 * (self._neutral[self._left].mean(0) + self._neutral[self._right].mean(0))).astype(
            np.float32
        )
        self._lips = basis.masks["lips"].astype(np.float32) / 255
        self._mouth = basis.masks["mouth"].astype(np.float32) / 255
        self._hair = None
        if person.hair != "bald":
            self._hair = geometry.scalp_opacity(
                basis, person.hairline_dm, nape=person.hair == "long", fringe_dm=person.fringe_dm
            )
        self._long_hair = None
        if person.hair == "long":
            opening = 1.15 + 0.45 * float(person.traits[0])
            volume = 0.06 + 0.12 * float(person.traits[1])
            at_rest = self.vertices({})
            self._long_hair = geometry.long_hair(at_rest, basis, person.hair_length_dm, opening, volume)
        self._beard = None
        if person.beard in ("moustache", "goatee", "full"):
            self._beard = geometry.beard_opacity(
                basis, chin=person.beard != "moustache", moustache=True, sides=person.beard == "full"
            )
        self._close_lips()
        self.neutral_openings = self.openings({})

    def _close_lips(self) -> None:
        """Close the lips of a neutral face: some identities bare their teeth at rest."""
        close = self._basis.shapes[self._basis.index["action/mouthClose"]]
        for weight in (0.0, 0.025, 0.05, 0.075, 0.1):
            base = self._neutral + np.float32(weight) * close
            if read_openings(self._basis, base).mouth_gap < _CLOSED_LIPS:
                break
        self._neutral = base

    def vertices(self, actions: Mapping[str, float]) -> Floats:
        """Vertices (V, 3) of the head with facial actions, around the middle of the eyes, not turned."""
        total = self._neutral - self._origin
        for name, weight in actions.items():
            total += np.float32(weight) * self._basis.shapes[self._basis.index[f"action/{name}"]]
        return np.asarray(total, np.float32)

    def openings(self, actions: Mapping[str, float]) -> Openings:
        """Openings of mouth and eyes with facial actions."""
        return read_openings(self._basis, self.vertices(actions))

    def render(self, actions: Mapping[str, float], scene: Scene) -> Rendering:
        """Draw the person.

        Args:
            actions: Facial action -> weight.
            scene: Pose, camera, light, background and occlusion.
        """
        size = len(scene.background)
        vertices = self.vertices(actions)
        rotation = _rotation(scene)
        surface, style, density = self._surface(vertices, actions, scene, rotation)
        full = size * self._oversampling
        points = scene.camera.scaled(self._oversampling).project(surface.position).astype(np.float32)
        depth, owner, first, second = rasterize(points, surface.triangles, style, density, full)
        fragments = Fragments(owner, first, second, _ambient_occlusion(depth, full, scene.camera))
        shadow = _shadow(surface, scene.lights)
        colour, cover = shade(
            surface,
            fragments,
            self._look(scene),
            self._folds(actions),
            scene.lights,
            shadow,
            noise_textures(),
            scene.camera.distance_dm,
        )
        if self._oversampling > 1:
            colour = np.asarray(cv2.resize(colour, (size, size), interpolation=cv2.INTER_AREA), np.float32)
            cover = np.asarray(cv2.resize(cover, (size, size), interpolation=cv2.INTER_AREA), np.float32)
        image = colour + scene.background * (1 - cover)[..., None]
        truth, landmark_depth = read_truth(self._basis, vertices, rotation, scene.camera)
        visible = visible_landmarks(truth, landmark_depth, depth, self._oversampling)
        return Rendering(image.astype(np.float32), replace(truth, visible=visible))

    def _surface(
        self, vertices: Floats, actions: Mapping[str, float], scene: Scene, rotation: Floats
    ) -> tuple[Surface, npt.NDArray[np.int8], Floats]:
        """Everything that is drawn, with the style of each triangle and the density of each vertex."""
        basis, person = self._basis, self._person
        normals = vertex_normals(vertices, basis.triangles)
        style = np.where(basis.regions == REGIONS.index("lash"), geometry.HALF, geometry.OPAQUE).astype(np.int8)
        parts: list[geometry.Part] = []
        if self._hair is not None:
            parts += geometry.shells(basis, vertices, normals, self._hair, person.hair_height_dm)
        if self._long_hair is not None:
            parts.append(self._long_hair)
        if self._beard is not None:
            height = 0.03 + 0.12 * float(person.traits[2]) ** 2
            parts += geometry.shells(basis, vertices, normals, self._beard * (0.6 + 0.4 * person.traits[3]), height)
        parts += self._accessories(vertices, actions, scene)
        position = [vertices, *(part.position for part in parts)]
        normal = [normals, *(part.normal for part in parts)]
        starts = np.cumsum([0, *(len(one) for one in position)])
        triangles = [basis.triangles, *(part.triangles + start for part, start in zip(parts, starts[1:], strict=False))]
        extra = np.zeros(starts[-1] - len(vertices), np.float32)
        surface = Surface(
            position=np.ascontiguousarray(np.concatenate(position) @ rotation.T, np.float32),
            normal=np.ascontiguousarray(np.concatenate(normal) @ rotation.T, np.float32),
            rest=np.concatenate([basis.mean, *(part.rest for part in parts)]).astype(np.float32),
            lips=np.concatenate([self._lips, extra]),
            mouth=np.concatenate([self._mouth, extra]),
            strand=np.concatenate([np.zeros(len(vertices), np.float32), *(part.strand for part in parts)]),
            triangles=np.concatenate(triangles).astype(np.int32),
            kind=np.concatenate([basis.regions, *(np.full(len(p.triangles), p.kind) for p in parts)]).astype(np.int8),
        )
        styles = np.concatenate([style, *(np.full(len(p.triangles), p.style) for p in parts)]).astype(np.int8)
        opacity = np.concatenate([np.zeros(len(vertices), np.float32), *(part.opacity for part in parts)])
        density = np.stack([opacity, surface.strand], axis=1).astype(np.float32)
        return surface, styles, density

    def _accessories(self, vertices: Floats, actions: Mapping[str, float], scene: Scene) -> list[geometry.Part]:
        parts: list[geometry.Part] = []
        if scene.glasses:
            width, height, rim = scene.glasses_shape
            eyes = np.stack([vertices[self._left].mean(0), vertices[self._right].mean(0)])
            ears = vertices[list(_temples(self._basis))]
            parts += geometry.glasses(
                eyes, ears, width_dm=width, height_dm=height, rim_dm=rim, dark=scene.glasses == "dark"
            )
            if scene.glasses == "clear" and self._person.traits[4] < 0.5:
                centre = eyes[int(scene.lights.key[0] < 0)] + np.array([0, -0.04, 0.38], np.float32)
                parts.append(geometry.glint(centre, width, height))
        if scene.face_mask:
            jaw = {name: weight for name, weight in actions.items() if name.startswith("jaw")}
            parts.append(geometry.face_mask(self._basis, self.vertices(jaw)))
        if scene.hand is not None:
            turn = rotation_matrices(np.array([-0.25, 0.0, scene.hand.turn_rad]))
            place = np.array(scene.hand.place_dm, np.float32)
            parts.append(geometry.hand(self._basis, turn, place, mirrored=scene.hand.mirrored))
        return parts

    def _look(self, scene: Scene) -> Look:
        person, traits = self._person, self._person.traits
        old = float(np.clip((person.age_years - 25) / 55, 0, 1))
        female = person.sex == "female"
        wears_make_up = female and person.age_years > 16 and traits[5] < 0.45
        tint = np.array([1.0, 0.50 + 0.18 * traits[6], 0.52 + 0.2 * traits[7]])
        lips = person.skin_rgb * tint * (0.95 - 0.12 * traits[8])
        if wears_make_up:
            lips = lips * 0.45 + 0.55 * np.array(
                [0.45 + 0.2 * traits[6], 0.05 + 0.12 * traits[7], 0.08 + 0.1 * traits[8]]
            )
        accessory = scene.accessory_rgb if scene.accessory_rgb is not None else linear_rgb((90, 90, 90))
        stubble = {"none": 0.10 * traits[9], "stubble": 0.35 + 0.4 * traits[9]}.get(person.beard, 0.25)
        return Look(
            skin=person.skin_rgb.astype(np.float32),
            lips=lips.astype(np.float32),
            hair=person.hair_rgb.astype(np.float32),
            brow=person.brow_rgb.astype(np.float32),
            iris=person.iris_rgb.astype(np.float32),
            cloth=scene.cloth_rgb,
            accessory=np.asarray(accessory, np.float32),
            redness=0.2 + 0.8 * float(traits[10]),
            under_eye=0.05 + 0.25 * float(traits[11]) + 0.12 * old,
            mottle=0.02 + 0.035 * float(traits[12]) + 0.03 * old,
            freckles=float(traits[13]) if traits[14] < 0.15 and person.skin_tone < 0.5 else 0.0,
            stubble=0.0 if female or person.age_years < 17 else float(stubble),
            brow_thickness=(0.034 if female else 0.044) + 0.018 * float(traits[15]),
            brow_lift=0.03 * float(traits[9] - 0.5) + (0.012 if female else -0.012),
            brow_density=0.70 + 0.28 * float(traits[12]),
            iris_deg=24.0 + 2.5 * float(traits[7]),
            pupil_deg=8.5 + 4.0 * float(traits[8]),
            gloss=0.5 + 0.9 * float(traits[6]),
            folds=0.60 + 0.30 * float(traits[2]) + 0.35 * old,
            lines=max(0.0, 1.15 * old - 0.25) * (0.5 + 0.5 * float(traits[3])),
            liner=0.55 if wears_make_up else 0.12,
            phase=2.3 * float(traits[1]) + 0.01 * (person.number % 97),
            neckline=scene.neckline_dm,
        )

    def _folds(self, actions: Mapping[str, float]) -> Floats:
        folds = np.zeros((2, len(FOLDS)), np.float32)
        for column, name in enumerate(FOLDS):
            for row, side in enumerate(("Left", "Right")):
                folds[row, column] = actions.get(name, actions.get(f"{name}{side}", 0.0)) / _full_weights()[name]
        return np.clip(folds, np.float32(0), np.float32(1.2))


@cache
def _full_weights() -> Mapping[str, float]:
    """Weight of each action of `FOLDS` at the full intensity of its action unit."""
    full = dict.fromkeys(FOLDS, 1.0)
    for unit in UNIT_ACTIONS.values():
        full |= {name: max(full[name], weight) for name, weight in unit.actions.items() if name in full}
    return full


def _rotation(scene: Scene) -> Floats:
    return rotation_matrices(np.array(scene.pose_rad)).astype(np.float32)


@cache
def _temples(basis: HeadBasis) -> tuple[int, int]:
    skin = basis.vertices_of("skin")
    left, right = (
        int(skin[np.linalg.norm(basis.mean[skin] - (side * 0.76, 7.36, 0.30), axis=1).argmin()]) for side in (1, -1)
    )
    return left, right


def _ambient_occlusion(depth: Floats, size: int, camera: Camera) -> Floats:
    """Share (size, size) of the sky that nearby, nearer surfaces leave."""
    flat = np.minimum(depth, np.float32(camera.distance_dm + _EMPTY_DEPTH_DM))
    open_sky = np.ones_like(flat)
    for share, strength in ((0.018, 2.2), (0.055, 0.9)):
        width = 2 * max(1, round(share * size)) + 1
        nearer = np.clip(flat - cv2.blur(flat, (width, width)), 0, 0.4)
        open_sky *= np.clip(1 - strength * nearer, 0.25, 1)
    return open_sky


def _shadow(surface: Surface, lights: Lights) -> Shadow:
    """Depth map of the key light."""
    right = np.cross(np.array([0.0, 1.0, 0.1]), lights.key)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(lights.key, right), lights.key]).astype(np.float32)
    seen = surface.position @ axes.T
    points = np.empty_like(seen)
    points[:, 0] = _SHADOW_TEXELS / 2 + seen[:, 0] * _SHADOW_SCALE
    points[:, 1] = _SHADOW_TEXELS / 2 - seen[:, 1] * _SHADOW_SCALE
    points[:, 2] = -seen[:, 2]
    casters = surface.triangles[(surface.kind != LASH) & (surface.kind != GLINT)]
    return Shadow(depth_map(np.ascontiguousarray(points, np.float32), casters, _SHADOW_TEXELS), axes, _SHADOW_SCALE)
