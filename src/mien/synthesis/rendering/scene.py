# SPDX-License-Identifier: Apache-2.0
"""`Scene`: pose, camera, light, background and occlusion of one image, and how they are drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.synthesis.rendering.shading import Lights
from mien.synthesis.synthesis_recipe import CameraRange, OcclusionShares, PoseRange

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_FACE_HEIGHT_DM = 1.95


@dataclass(frozen=True, eq=False)
class Camera:
    """Pinhole camera on the z axis of the head, in front of the eyes.

    Attributes:
        distance_dm: Distance from the middle of the eyes in decimetres.
        focal_px: Focal length in pixels.
        centre_px: (x, y) of the optical axis in pixels.
    """

    distance_dm: float
    focal_px: float
    centre_px: tuple[float, float]

    def project(self, position: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Pixel coordinates and depth (..., 3) of positions (..., 3) around the middle of the eyes."""
        depth = self.distance_dm - position[..., 2]
        x = self.centre_px[0] + position[..., 0] * (self.focal_px / depth)
        y = self.centre_px[1] - position[..., 1] * (self.focal_px / depth)
        return np.stack([x, y, depth], -1)

    def scaled(self, factor: float) -> Camera:
        """The camera of an image that is ``factor`` times as large."""
        x, y = self.centre_px
        return Camera(self.distance_dm, self.focal_px * factor, (x * factor, y * factor))


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand before the face.

    Attributes:
        place_dm: (3,) middle of the hand from the middle of the eyes, in the frame of the head.
        turn_rad: Rotation in the plane of the image.
        mirrored: Whether it is a right hand.
    """

    place_dm: tuple[float, float, float]
    turn_rad: float
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything of an image but the face.

    Attributes:
        pose_rad: Pitch, yaw and roll as in `mien.core.rotation_matrices`.
        camera: Camera.
        lights: Illumination.
        background: (S, S, 3) linear RGB.
        cloth_rgb: Linear RGB (3,) of the clothing.
        neckline_dm: Height of the neckline on the mean head.
        glasses: ``"clear"``, ``"dark"`` or ``""``.
        glasses_shape: Half width, half height and rim width of a lens in decimetres.
        accessory_rgb: Linear RGB of frame or mask.
        face_mask: Whether a cloth mask covers nose and mouth.
        hand: A hand before the face.
    """

    pose_rad: tuple[float, float, float]
    camera: Camera
    lights: Lights
    background: Floats
    cloth_rgb: Floats
    neckline_dm: float
    glasses: str = ""
    glasses_shape: tuple[float, float, float] = (0.24, 0.18, 0.025)
    accessory_rgb: Floats | None = None
    face_mask: bool = False
    hand: Hand | None = None

    @property
    def occlusion(self) -> str:
        """Names of what hides parts of the face, joined by ``+``."""
        parts = [f"{self.glasses} glasses" if self.glasses else "", "mask" if self.face_mask else ""]
        return "+".join(part for part in (*parts, "hand" if self.hand else "") if part)


def sample_pose(pose: PoseRange, rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw pitch, yaw and roll in radians."""
    limit = np.radians(pose.max_yaw_deg)
    if rng.random() < pose.wide_share:
        yaw = rng.uniform(-limit, limit)
    else:
        yaw = np.clip(rng.normal(0, np.radians(pose.yaw_deg)), -limit, limit)
    pitch = np.clip(rng.normal(0, np.radians(pose.pitch_deg)), -0.7, 0.7)
    return float(pitch), float(yaw), float(rng.normal(0, np.radians(pose.roll_deg)))


def sample_camera(camera: CameraRange, size_px: int, rng: np.random.Generator) -> Camera:
    """Draw a camera that sees the middle of the face near the middle of the image."""
    distance = float(np.exp(rng.uniform(*np.log(camera.distance_dm))))
    focal = size_px * float(rng.uniform(*camera.face_share)) * distance / _FACE_HEIGHT_DM
    x, y = size_px * (0.5 + rng.uniform(-camera.shift, camera.shift, 2))
    # The eyes lie above the middle of the face by a sixth of its height.
    return Camera(distance, focal, (float(x), float(y) - 0.15 * focal / distance))


def sample_lights(rng: np.random.Generator) -> Lights:
    """Draw a main light, a weaker one from the other side, and the light of sky and ground."""
    azimuth, elevation = rng.uniform(-1.25, 1.25), rng.uniform(-0.05, 0.95)
    other = -azimuth + rng.normal(0, 0.5)
    warmth = np.exp(rng.normal(0, 0.12) * np.array([1.0, 0.0, -1.0]))
    cast = np.exp(rng.normal(0, 0.06, 3))
    exposure = np.exp(rng.normal(0, 0.18))
    key = rng.uniform(0.55, 1.15) * exposure
    return Lights(
        key=_direction(azimuth, elevation),
        key_rgb=(key * warmth * cast).astype(np.float32),
        fill=_direction(other, rng.uniform(-0.2, 0.6)),
        fill_rgb=(rng.uniform(0.0, 0.45) * exposure * np.exp(rng.normal(0, 0.12, 3))).astype(np.float32),
        sky_rgb=(rng.uniform(0.16, 0.5) * exposure / warmth * cast).astype(np.float32),
        ground_rgb=(rng.uniform(0.05, 0.28) * exposure * np.array([1.05, 1.0, 0.92])).astype(np.float32),
        softness=float(rng.uniform(0.6, 2.4)),
    )


def _direction(azimuth: float, elevation: float) -> Floats:
    return np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], np.float32
    )


def sample_background(size_px: int, rng: np.random.Generator) -> Floats:
    """Draw a background (size, size, 3) in linear RGB: a gradient, blurred shapes and texture, out of focus."""
    base = rng.uniform(0.01, 0.6) * np.exp(rng.normal(0, 0.25, 3))
    grid = base * np.exp(rng.normal(0, 0.5) * np.linspace(-0.5, 0.5, 5)[:, None, None] * np.ones((5, 5, 1)))
    grid = grid * np.exp(0.35 * rng.standard_normal((5, 5, 1)) + 0.10 * rng.standard_normal((5, 5, 3)))
    image = cv2.resize(grid.astype(np.float32), (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(0, 7))):
        colour = tuple(float(value) for value in rng.uniform(0.01, 0.8) * np.exp(rng.normal(0, 0.4, 3)))
        x0, y0, x1, y1 = (int(value) for value in rng.integers(-size_px // 4, size_px + size_px // 4, 4))
        if rng.random() < 0.6:
            cv2.rectangle(image, (x0, y0), (x1, y1), colour, -1)
        else:
            cv2.circle(image, (x0, y0), max(2, abs(x1) // 3), colour, -1)
    if rng.random() < 0.4:
        noise = rng.standard_normal((size_px // 4 + 1, size_px // 4 + 1, 1)).astype(np.float32)
        texture = cv2.resize(noise, (size_px, size_px), interpolation=cv2.INTER_CUBIC)[..., None]
        image = image * np.exp(rng.uniform(0.1, 0.5) * texture)
    blur = float(rng.uniform(0.6, 5.0)) * size_px / 112
    return np.clip(cv2.GaussianBlur(image, (0, 0), blur), 0, 1).astype(np.float32)


def sample_hand(rng: np.random.Generator) -> Hand:
    """Draw a hand at the mouth, the chin, a cheek or an eye."""
    right = rng.random() < 0.5
    x, y = ((0.0, -0.75), (0.0, -1.05), (0.55, -0.5), (0.40, -0.05))[rng.integers(4)]
    side = -1.0 if right else 1.0
    place = (side * x + float(rng.normal(0, 0.08)), y + float(rng.normal(0, 0.08)), 0.85 + float(rng.uniform(0, 0.25)))
    return Hand(place, side * float(rng.uniform(-0.2, 1.1)), right)


def sample_scene(
    size_px: int, pose: PoseRange, camera: CameraRange, occlusion: OcclusionShares, rng: np.random.Generator
) -> Scene:
    """Draw a scene; the clothing, the glasses and all else are drawn for each image."""
    pose_rad, drawn_camera = sample_pose(pose, rng), sample_camera(camera, size_px, rng)
    lights, background = sample_lights(rng), sample_background(size_px, rng)
    covered, worn = rng.random(2)
    hand = sample_hand(rng)
    kind = "clear" if worn < occlusion.glasses else "dark" if worn < occlusion.glasses + occlusion.sunglasses else ""
    masked = covered < occlusion.face_mask
    handed = not masked and covered < occlusion.face_mask + occlusion.hand
    colour = rng.choice([0.01, 0.03, 0.15, 0.5]) * np.exp(rng.normal(0, 0.3, 3))
    accessory = np.array([0.35, 0.55, 0.65]) * np.exp(rng.normal(0, 0.25, 3)) if masked else colour
    return Scene(
        pose_rad=pose_rad,
        camera=drawn_camera,
        lights=lights,
        background=background,
        cloth_rgb=(rng.uniform(0.01, 0.6) * np.exp(rng.normal(0, 0.35, 3))).clip(0.005, 0.9).astype(np.float32),
        neckline_dm=float(rng.uniform(5.65, 6.0)),
        glasses=kind,
        glasses_shape=(float(rng.uniform(0.21, 0.29)), float(rng.uniform(0.13, 0.23)), float(rng.uniform(0.012, 0.04))),
        accessory_rgb=np.clip(accessory, 0.005, 0.9).astype(np.float32),
        face_mask=masked,
        hand=hand if handed else None,
    )
