# SPDX-License-Identifier: Apache-2.0
"""Shades the visible surface of every pixel: procedural skin, eyes, hair and cloth under two lights and a sky."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mien.synthesis.rendering.rasterizer import compiled
from mien.synthesis.rendering.skin import fold_depth, skin_colour, smoothstep, texel

Floats = npt.NDArray[np.float32]

SKIN, EYE, TEETH, TONGUE, LASH, HAIR, CLOTH, FRAME, LENS, FACE_MASK, HAND, GLINT = range(12)
"""Surface of a triangle. The first five are the regions of the head basis."""

EYE_CENTRE = (0.3078, 7.2841, 1.245)
"""Centre of the person's left eyeball on the mean head in decimetres."""


class Look(NamedTuple):
    """Appearance of a person; colours are linear RGB (3,), shares are in [0, 1].

    Attributes:
        skin: Base colour of the skin.
        lips: Colour of the lips.
        hair: Colour of the hair.
        brow: Colour of the brows and of a beard.
        iris: Colour of the iris.
        cloth: Colour of the clothing.
        accessory: Colour of a face mask or of the frame of glasses.
        redness: Strength of red cheeks and nose.
        under_eye: Strength of dark rings below the eyes.
        mottle: Strength of the skin's variation.
        freckles: Strength of freckles.
        stubble: Strength of a shaved beard's shadow.
        brow_thickness: Half height of a brow in decimetres.
        brow_lift: Offset of the brows in decimetres.
        brow_density: Opacity of the brows.
        iris_deg: Radius of the iris, as an angle at the centre of the eyeball.
        pupil_deg: Radius of the pupil.
        gloss: Strength of the skin's highlights.
        folds: Strength of wrinkles that actions cause.
        lines: Strength of wrinkles at rest.
        liner: Strength of a dark rim of the eyelids.
        phase: Offset of the textures of this person in decimetres.
        neckline: Height of the neckline on the mean head in decimetres.
    """

    skin: Floats
    lips: Floats
    hair: Floats
    brow: Floats
    iris: Floats
    cloth: Floats
    accessory: Floats
    redness: float
    under_eye: float
    mottle: float
    freckles: float
    stubble: float
    brow_thickness: float
    brow_lift: float
    brow_density: float
    iris_deg: float
    pupil_deg: float
    gloss: float
    folds: float
    lines: float
    liner: float
    phase: float
    neckline: float


class Lights(NamedTuple):
    """Illumination of a scene; directions are unit vectors towards the light, colours linear RGB.

    Attributes:
        key: Direction of the main light.
        key_rgb: Its colour.
        fill: Direction of the second light, which casts no shadow.
        fill_rgb: Its colour.
        sky_rgb: Colour of the light from above.
        ground_rgb: Colour of the light from below.
        softness: Radius in texels over which the shadow's edge is averaged.
    """

    key: Floats
    key_rgb: Floats
    fill: Floats
    fill_rgb: Floats
    sky_rgb: Floats
    ground_rgb: Floats
    softness: float


class Surface(NamedTuple):
    """Vertex attributes of everything that is drawn, V vertices and T triangles.

    Attributes:
        position: (V, 3) in decimetres, around the middle of the eyes, turned with the head.
        normal: (V, 3) unit normals.
        rest: (V, 3) position on the mean head, where all patterns are defined.
        lips: (V,) share of lip.
        mouth: (V,) share of the inside of the mouth.
        strand: (V,) coordinate across the strands of hair.
        triangles: (T, 3).
        kind: (T,) surface.
    """

    position: Floats
    normal: Floats
    rest: Floats
    lips: Floats
    mouth: Floats
    strand: Floats
    triangles: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]


class Fragments(NamedTuple):
    """Result of the rasterizer with what depends on neighbouring pixels, all (size, size).

    Attributes:
        owner: Triangle of each pixel, -1 where empty.
        first: Weight of its first corner.
        second: Weight of its second corner.
        occlusion: Share of the sky that nearby surfaces leave.
    """

    owner: npt.NDArray[np.int32]
    first: Floats
    second: Floats
    occlusion: Floats


class Shadow(NamedTuple):
    """Depth of the scene as the key light sees it.

    Attributes:
        depth: (size, size) nearest depth.
        axes: (3, 3) right, up and direction of the light, as rows.
        scale: Texels per decimetre.
    """

    depth: Floats
    axes: Floats
    scale: float


@compiled
def shade(
    surface: Surface,
    fragments: Fragments,
    look: Look,
    folds: Floats,
    lights: Lights,
    shadow: Shadow,
    noise: Floats,
    camera_z: float,
) -> tuple[Floats, Floats]:
    """Linear colour (size, size, 3) and coverage (size, size) of a rendering.

    Args:
        surface: Vertices and triangles.
        fragments: Visible triangle of every pixel.
        look: Appearance of the person.
        folds: (2, 12) weights of the actions that wrinkle the skin, for the left and right side; see
            `mien.synthesis.rendering.skin`.
        lights: Illumination.
        shadow: Depth map of the key light.
        noise: (4, N, N) periodic noise of unit variance, N a power of two.
        camera_z: Distance of the camera from the origin in decimetres.
    """
    size = len(fragments.owner)
    colour = np.zeros((size, size, 3), np.float32)
    cover = np.zeros((size, size), np.float32)
    up = lights.sky_rgb
    albedo = np.zeros(3, np.float32)
    texels = len(shadow.depth)
    for y in range(size):
        for x in range(size):
            t = fragments.owner[y, x]
            if t < 0:
                continue
            cover[y, x] = 1.0
            a, b, c = surface.triangles[t, 0], surface.triangles[t, 1], surface.triangles[t, 2]
            wa, wb = fragments.first[y, x], fragments.second[y, x]
            wc = 1.0 - wa - wb
            kind = surface.kind[t]
            q0 = wa * surface.rest[a, 0] + wb * surface.rest[b, 0] + wc * surface.rest[c, 0]
            q1 = wa * surface.rest[a, 1] + wb * surface.rest[b, 1] + wc * surface.rest[c, 1]
            q2 = wa * surface.rest[a, 2] + wb * surface.rest[b, 2] + wc * surface.rest[c, 2]
            px = wa * surface.position[a, 0] + wb * surface.position[b, 0] + wc * surface.position[c, 0]
            py = wa * surface.position[a, 1] + wb * surface.position[b, 1] + wc * surface.position[c, 1]
            pz = wa * surface.position[a, 2] + wb * surface.position[b, 2] + wc * surface.position[c, 2]
            nx = wa * surface.normal[a, 0] + wb * surface.normal[b, 0] + wc * surface.normal[c, 0]
            ny = wa * surface.normal[a, 1] + wb * surface.normal[b, 1] + wc * surface.normal[c, 1]
            nz = wa * surface.normal[a, 2] + wb * surface.normal[b, 2] + wc * surface.normal[c, 2]
            lip = wa * surface.lips[a] + wb * surface.lips[b] + wc * surface.lips[c]
            inside = wa * surface.mouth[a] + wb * surface.mouth[b] + wc * surface.mouth[c]
            ao = fragments.occlusion[y, x]
            fine = 0.0
            gloss, power, wrap = 0.04, 20.0, 0.0
            crease = 0.0
            if kind == SKIN and q1 < look.neckline + 0.5 * min(max(abs(q0) - 0.35, 0.0), 0.5):
                kind = CLOTH
            if kind in (SKIN, HAND):
                angle = math.atan2(q0, q2 - 0.3)
                fine = texel(noise[0], 110.0 * (angle + look.phase), 110.0 * q1)
                coarse = texel(noise[1], 34.0 * (angle + look.phase), 34.0 * q1)
                lip = smoothstep(lip, 0.30, 0.55) if kind == SKIN else 0.0
                if kind == SKIN and inside > 0.45 and q2 < 1.52:
                    albedo[0], albedo[1], albedo[2] = 0.22, 0.045, 0.04
                    ao *= 0.35
                    gloss = 0.1
                else:
                    skin_colour(albedo, (q0, q1, q2), lip, fine, coarse, look, noise)
                    gloss = look.gloss * (0.22 if lip > 0.5 else 0.10 + 0.10 * math.exp(-((q0 / 0.2) ** 2)))
                    power = 40.0 if lip > 0.5 else 16.0
                    wrap = 1.0
                    if kind == SKIN:
                        crease = fold_depth(q0, q1, fine, coarse, folds, look.folds, look.lines)
                ny += 0.045 * fine
                nx += 0.045 * texel(noise[2], 110.0 * angle, 110.0 * q1)
            elif kind == EYE:
                _eye_colour(albedo, q0, q1, q2, look, noise)
                gloss, power = 0.9, 260.0
            elif kind == TEETH:
                albedo[0], albedo[1], albedo[2] = 0.80, 0.77, 0.69
                gloss, power, wrap = 0.25, 60.0, 0.5
                ao = math.sqrt(ao)
            elif kind == TONGUE:
                albedo[0], albedo[1], albedo[2] = 0.40, 0.13, 0.12
                ao *= 0.8
                gloss = 0.1
            elif kind == LASH:
                for k in range(3):
                    albedo[k] = 0.3 * look.brow[k]
            elif kind == HAIR:
                strand = wa * surface.strand[a] + wb * surface.strand[b] + wc * surface.strand[c]
                streak = texel(noise[3], 0.9 * strand + 100.0 * look.phase, 8.0 * q1)
                tone = math.exp(0.30 * streak)
                for k in range(3):
                    albedo[k] = look.hair[k] * tone
                gloss, power = 0.10, 12.0
                nx += 0.15 * streak
            elif kind == CLOTH:
                weave = 1.0 + 0.10 * texel(noise[1], 40.0 * q0, 40.0 * q1)
                for k in range(3):
                    albedo[k] = look.cloth[k] * weave
            elif kind == LENS:
                albedo[0], albedo[1], albedo[2] = 0.015, 0.015, 0.018
                gloss, power = 1.0, 90.0
            elif kind == GLINT:
                albedo[0], albedo[1], albedo[2] = 0.8, 0.85, 0.9
                gloss = 0.0
            else:
                for k in range(3):
                    albedo[k] = look.accessory[k]
                if kind == FACE_MASK:  # three pleats
                    ny += 0.35 * math.sin(q1 * 2 * math.pi / 0.16)
                else:
                    gloss, power = 0.4, 50.0
            length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            nx, ny, nz = nx / length, ny / length, nz / length
            vx, vy, vz = -px, -py, camera_z - pz
            length = math.sqrt(vx * vx + vy * vy + vz * vz)
            vx, vy, vz = vx / length, vy / length, vz / length
            if kind in (HAIR, FRAME, CLOTH, FACE_MASK) and nx * vx + ny * vy + nz * vz < 0:
                nx, ny, nz = -nx, -ny, -nz
            lit = _lit(shadow, px, py, pz, lights.softness, texels)
            if kind == TEETH:
                lit = max(lit, 0.45)
            key = nx * lights.key[0] + ny * lights.key[1] + nz * lights.key[2]
            fill = nx * lights.fill[0] + ny * lights.fill[1] + nz * lights.fill[2]
            hx, hy, hz = vx + lights.key[0], vy + lights.key[1], vz + lights.key[2]
            half = max(0.0, nx * hx + ny * hy + nz * hz) / (math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-9)
            gx, gy, gz = vx + lights.fill[0], vy + lights.fill[1], vz + lights.fill[2]
            half_fill = max(0.0, nx * gx + ny * gy + nz * gz) / (math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9)
            shine = gloss * (half**power) * lit if key > 0 and lit > 0 else 0.0
            shine_fill = gloss * (half_fill**power) if half_fill > 0 else 0.0
            sky = 0.5 + 0.5 * ny
            crease = min(crease, 0.8)
            for k in range(3):
                bleed = wrap * (0.30, 0.13, 0.08)[k]  # light that skin scatters behind the edge of a shadow
                soft = max(0.0, (key + bleed) / (1.0 + bleed))
                shadowed = lit + (1.0 - lit) * 0.35 * bleed
                light = soft * shadowed * lights.key_rgb[k] + max(0.0, fill) * lights.fill_rgb[k] * ao
                light += (sky * up[k] + (1.0 - sky) * lights.ground_rgb[k]) * ao
                dark = 1.0 - crease * (0.85 if k == 0 else 1.0)
                value = albedo[k] * light * dark + shine * lights.key_rgb[k] + shine_fill * lights.fill_rgb[k]
                colour[y, x, k] = value
    return colour, cover


@compiled
def _lit(shadow: Shadow, px: float, py: float, pz: float, softness: float, texels: int) -> float:
    """Share of the key light that reaches a place."""
    m = shadow.axes
    lx = texels / 2 + (m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz) * shadow.scale
    ly = texels / 2 - (m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz) * shadow.scale
    depth = -(m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz)
    lit = 0.0
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            tx = min(max(int(lx + dx * softness), 0), texels - 1)
            ty = min(max(int(ly + dy * softness), 0), texels - 1)
            if depth < shadow.depth[ty, tx] + 0.075:
                lit += 1.0
    return lit / 9.0


@compiled
def _eye_colour(albedo: Floats, q0: float, q1: float, q2: float, look: Look, noise: Floats) -> None:
    """Sclera, iris and pupil of the eyeball at a place of the mean head."""
    side = 1.0 if q0 > 0 else -1.0
    dx, dy, dz = q0 - side * EYE_CENTRE[0], q1 - EYE_CENTRE[1], q2 - EYE_CENTRE[2]
    length = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
    angle = math.degrees(math.acos(min(1.0, max(-1.0, dz / length))))
    iris = 1.0 - smoothstep(angle, look.iris_deg - 1.5, look.iris_deg + 1.5)
    rim = smoothstep(angle, look.iris_deg - 6.0, look.iris_deg) * (
        1.0 - smoothstep(angle, look.iris_deg, look.iris_deg + 2)
    )
    pupil = 1.0 - smoothstep(angle, look.pupil_deg - 1.0, look.pupil_deg + 1.0)
    ray = 1.0 + 0.25 * texel(noise[0], 12.0 * math.atan2(dy, dx), 0.1 * angle)
    redder = 0.10 * smoothstep(abs(dx) / length, 0.4, 0.9)
    for k in range(3):
        white = (0.74, 0.70, 0.67)[k] * (1.0 - (0.0 if k == 0 else redder))
        value = white + (look.iris[k] * ray - white) * iris
        albedo[k] = value * (1.0 - 0.55 * rim) * (1.0 - 0.97 * pupil)
