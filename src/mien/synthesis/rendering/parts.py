# SPDX-License-Identifier: Apache-2.0
"""Geometry that a bare head lacks: hair and beard shells, long hair, glasses, a face mask and a hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from mien.synthesis.head.basis import REGIONS, HeadBasis
from mien.synthesis.rendering.rasterizer import vertex_normals
from mien.synthesis.rendering.shading import FACE_MASK, FRAME, GLINT, HAIR, HAND, LENS

Floats = npt.NDArray[np.float32]

OPAQUE, HALF, STRANDS = range(3)
"""How the rasterizer draws a triangle; see `mien.synthesis.rendering.rasterizer.rasterize`."""

_SHELLS = ((0.5, 1.0), (0.85, 0.9), (1.0, 0.5))
_CURTAIN = (56, 16)


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of geometry in the frame of the head.

    Attributes:
        position: (N, 3) in decimetres.
        normal: (N, 3) unit normals.
        rest: (N, 3) position on the mean head, where patterns are defined.
        strand: (N,) coordinate across the strands of hair.
        opacity: (N,) share of drawn strands.
        triangles: (T, 3).
        kind: Surface, for example `mien.synthesis.rendering.shading.HAIR`.
        style: `OPAQUE`, `HALF` or `STRANDS`.
    """

    position: Floats
    normal: Floats
    rest: Floats
    strand: Floats
    opacity: Floats
    triangles: npt.NDArray[np.int32]
    kind: int
    style: int


def smooth(x: npt.ArrayLike, low: float, high: float) -> npt.NDArray[np.float64]:
    """Smooth step of arrays from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def scalp_opacity(basis: HeadBasis, hairline_dm: float, *, nape: bool, fringe_dm: float) -> npt.NDArray[np.float64]:
    """Opacity (V,) of hair on the skin.

    Args:
        basis: Head basis.
        hairline_dm: Height of the hairline above the forehead.
        nape: Whether hair grows down the neck.
        fringe_dm: Height to which hair falls over the forehead; the hairline or above it for none.
    """
    x, y, z = basis.mean.T.astype(np.float64)
    front = y + np.clip(1.2 - z, 0, None) * 0.75
    line = hairline_dm + 0.05 * np.sin(7 * x) + 0.03 * np.sin(17 * x)
    opacity = smooth(front - line, -0.12, 0.10) * (z < 1.75)
    low = y < 6.9
    opacity[low] *= smooth(-z[low], -0.5, -0.1) if nape else 0.0
    opacity[(np.abs(x) > 0.68) & (y < 7.45)] = 0.0
    if fringe_dm < hairline_dm:
        edge = fringe_dm + 0.06 * np.sin(11 * x + 1.0) + 0.25 * np.abs(x)
        opacity = np.maximum(opacity, smooth(y - edge, -0.03, 0.06) * (z > 0.7) * (np.abs(x) < 0.75))
    opacity[_not_outer_skin(basis)] = 0.0
    return np.asarray(opacity)


def beard_opacity(basis: HeadBasis, *, chin: bool, moustache: bool, sides: bool) -> npt.NDArray[np.float64]:
    """Opacity (V,) of a beard on the skin."""
    x, y, z = basis.mean.T.astype(np.float64)
    ax = np.abs(x)
    area = np.zeros(len(x))
    if sides:
        area = np.maximum(area, smooth(6.95 - y - 0.35 * np.clip(0.5 - ax, 0, None), 0.0, 0.12) * smooth(ax, 0.30, 0.4))
    if chin:
        area = np.maximum(area, smooth(6.50 - y, 0.0, 0.08) * smooth(0.42 - ax, 0.0, 0.1))
    if moustache:
        area = np.maximum(area, smooth(y, 6.685, 6.72) * smooth(6.82 - y, 0, 0.05) * smooth(0.34 - ax, 0, 0.08))
    lips = basis.masks["lips"] / 255.0
    area = area * smooth(y, 5.95, 6.12) * (z > 0.35) * (ax < 0.74) * np.clip(1 - 2.5 * lips, 0, 1)
    area[_not_outer_skin(basis)] = 0.0
    return np.asarray(area)


def _not_outer_skin(basis: HeadBasis) -> npt.NDArray[np.bool_]:
    outer = np.zeros(len(basis.mean), bool)
    outer[basis.vertices_of("skin")] = True
    return ~outer | (basis.masks["mouth"] > 100)


def shells(
    basis: HeadBasis, position: Floats, normal: Floats, opacity: npt.NDArray[np.float64], height_dm: float
) -> list[Part]:
    """Layers of hair above the skin, sparser outwards.

    Args:
        basis: Head basis.
        position: (V, 3) vertices of the head.
        normal: (V, 3) their normals.
        opacity: (V,) opacity of the hair on the skin.
        height_dm: Height of the outermost layer in decimetres.
    """
    skin = basis.triangles[basis.regions == REGIONS.index("skin")]
    triangles = skin[opacity[skin].max(1) > 0.02]
    used, inverse = np.unique(triangles, return_inverse=True)
    rest, share = basis.mean[used], opacity[used]
    angle = np.arctan2(rest[:, 0], rest[:, 2] - 0.3)
    uneven = 1 + 0.25 * np.sin(9 * angle) * np.sin(7 * rest[:, 1])
    rise = (height_dm * np.sqrt(share) * uneven)[:, None]
    parts = []
    for level, density in _SHELLS:
        parts.append(
            Part(
                position=(position[used] + level * rise * normal[used]).astype(np.float32),
                normal=normal[used],
                rest=rest,
                strand=(46 * angle + 8 * rest[:, 1]).astype(np.float32),
                opacity=np.clip(density * share * 1.15, 0, 1).astype(np.float32),
                triangles=inverse.reshape(-1, 3).astype(np.int32),
                kind=HAIR,
                style=STRANDS,
            )
        )
    return parts


def long_hair(position: Floats, basis: HeadBasis, length_dm: float, opening_rad: float, volume_dm: float) -> Part:
    """A curtain of hair around the back and the sides of the head.

    Args:
        position: (V, 3) vertices of the head.
        basis: Head basis.
        length_dm: How far the hair falls below the eyes.
        opening_rad: Angle from the front at which it begins on either side.
        volume_dm: Distance from the head.
    """
    columns, rows = _CURTAIN
    angles = np.linspace(opening_rad, 2 * np.pi - opening_rad, columns)
    skull = basis.vertices_of("skin")
    skull = skull[(basis.mean[skull, 1] > 7.0) & (basis.mean[skull, 1] < 8.1)]
    x, z = position[skull, 0], position[skull, 2] + 0.75
    around = np.arctan2(x, z)
    radius = np.hypot(x, z)
    near = np.abs(np.angle(np.exp(1j * (around[None] - angles[:, None])))) < 0.22
    reach = np.array([np.quantile(radius[row], 0.97) if row.any() else 0.8 for row in near])
    top = float(position[skull, 1].max()) - 0.05
    down = np.linspace(0, 1, rows)[:, None]
    height = top + (-length_dm - top) * down
    curve = 1 - 0.55 * np.clip(1 - down / 0.30, 0, 1) ** 2  # closes towards the crown
    spread = (reach + volume_dm) * curve * (1 + 0.10 * down) + 0.025 * np.sin(9 * angles + 6 * down)
    spread = spread * (1 + 0.02 * np.sin(31 * angles))
    grid = np.stack(
        [spread * np.sin(angles), np.broadcast_to(height, spread.shape), spread * np.cos(angles) - 0.75], -1
    )
    cell = np.arange((rows - 1) * columns).reshape(rows - 1, columns)[:, :-1].ravel()
    triangles = np.concatenate(
        [np.stack([cell, cell + columns, cell + 1], 1), np.stack([cell + 1, cell + columns, cell + columns + 1], 1)]
    ).astype(np.int32)
    vertices = grid.reshape(-1, 3).astype(np.float32)
    edge = np.minimum(np.arange(columns), np.arange(columns)[::-1])
    opacity = np.clip(0.55 + 0.25 * edge, 0, 1) * np.where(down > 0.8, 1 - 0.75 * (down - 0.8) / 0.2, 1.0)
    rest = np.stack(np.broadcast_arrays(angles, height + 7.28, 0.0 * angles), -1).reshape(-1, 3).astype(np.float32)
    return Part(
        position=vertices,
        normal=vertex_normals(vertices, triangles),
        rest=rest,
        strand=np.broadcast_to((52 * angles).astype(np.float32), spread.shape).ravel().copy(),
        opacity=opacity.ravel().astype(np.float32),
        triangles=triangles,
        kind=HAIR,
        style=STRANDS,
    )


def glasses(
    eyes: Floats, temple: Floats, *, width_dm: float, height_dm: float, rim_dm: float, dark: bool
) -> list[Part]:
    """Frame and lenses in front of the eyes.

    Args:
        eyes: (2, 3) centres of the left and right eyeball of the person, in the frame of the head.
        temple: (2, 3) places above the left and right ear.
        width_dm: Half width of a lens.
        height_dm: Half height of a lens.
        rim_dm: Width of the rim.
        dark: Whether the lenses are those of sunglasses.
    """
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    outline = np.stack(
        [np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.6, np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.7]
    )
    front = float(eyes[:, 2].max()) + 0.40
    strips: list[npt.NDArray[np.float64]] = []
    lenses: list[npt.NDArray[np.float64]] = []
    for centre, ear in zip(eyes.astype(np.float64), temple.astype(np.float64), strict=True):
        side = np.sign(centre[0])
        middle = np.array([centre[0] + 0.02 * side, centre[1] - 0.04, front])
        curve = -0.12 * (outline[0] * side * 0.5 + 0.5) ** 2
        inner = middle + np.stack([outline[0] * width_dm, outline[1] * height_dm, curve], 1)
        outer = middle + np.stack([outline[0] * (width_dm + rim_dm), outline[1] * (height_dm + rim_dm), curve], 1)
        strips.append(np.stack([np.r_[inner, inner[:1]], np.r_[outer, outer[:1]]]))
        depth = np.array([0, 0, -0.05])
        strips.append(np.stack([np.r_[outer, outer[:1]], np.r_[outer, outer[:1]] + depth]))
        lenses.append(np.vstack([middle[None] - [0, 0, 0.03], inner]))
        hinge = middle + np.array([side * (width_dm + rim_dm), 0.05, -0.12])
        arm = np.stack([hinge, ear])
        strips.append(np.stack([arm + np.array([0, 0.03, 0]), arm - np.array([0, 0.03, 0])]))
    left, right = strips[0][1], strips[3][1]
    bridge = np.stack([right[np.argmax(right[:, 0])], left[np.argmin(left[:, 0])]])
    strips.append(np.stack([bridge + np.array([0, 0.05, 0.02]), bridge + np.array([0, 0.01, 0.02])]))
    parts = [_plain(*_strip_mesh(strips), FRAME, OPAQUE)]
    fans = [np.stack([np.zeros(28, int), np.arange(28) + 1, np.roll(np.arange(28), -1) + 1], 1) for _ in lenses]
    vertices = np.concatenate(lenses).astype(np.float32)
    triangles = np.concatenate([fans[0], fans[1] + 29]).astype(np.int32)
    if dark:
        parts.append(_plain(vertices, triangles, LENS, OPAQUE))
    return parts


def _strip_mesh(strips: list[npt.NDArray[np.float64]]) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Mesh of strips (2, n, 3)."""
    vertices, triangles, start = [], [], 0
    for strip in strips:
        n = strip.shape[1]
        first = start + np.arange(n - 1)
        triangles += [np.stack([first, first + n, first + 1], 1), np.stack([first + 1, first + n, first + n + 1], 1)]
        vertices.append(strip.reshape(-1, 3))
        start += 2 * n
    return np.concatenate(vertices).astype(np.float32), np.concatenate(triangles).astype(np.int32)


def glint(centre: Floats, width_dm: float, height_dm: float) -> Part:
    """A weak reflection on a lens: a slanted bar that hides half of what is behind it."""
    x, y, z = (float(value) for value in centre)
    w, h = 0.35 * width_dm, 0.8 * height_dm
    corners = [(x - w, y - h, z), (x - 0.4 * w, y - h, z), (x + w, y + h, z), (x + 0.4 * w, y + h, z)]
    return _plain(np.array(corners, np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32), GLINT, HALF)


def _plain(vertices: Floats, triangles: npt.NDArray[np.int32], kind: int, style: int) -> Part:
    zero = np.zeros(len(vertices), np.float32)
    normal = vertex_normals(vertices, triangles)
    return Part(vertices, normal, vertices, zero, zero, triangles, kind, style)


@cache
def _mask_mesh(basis: HeadBasis) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Vertices below a face mask, its triangles and the edges (E, 2) between its vertices."""
    x, y, z = basis.mean.T.astype(np.float64)
    top = 7.10 - 0.22 * np.abs(x)
    inside = (y < top) & (y > 6.10 - 0.1 * np.abs(x)) & (z > 0.55) & ~_not_outer_skin(basis)
    skin = basis.triangles[basis.regions == REGIONS.index("skin")]
    triangles = skin[inside[skin].all(1)]
    used, inverse = np.unique(triangles, return_inverse=True)
    faces = inverse.reshape(-1, 3).astype(np.int32)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    return used, faces, np.concatenate([edges, edges[:, ::-1]])


def face_mask(basis: HeadBasis, position: Floats) -> Part:
    """A cloth mask over nose, mouth and chin.

    Args:
        basis: Head basis.
        position: (V, 3) vertices of the head; where only the jaw moves, so that the cloth hides lips and cheeks.
    """
    used, triangles, edges = _mask_mesh(basis)
    vertices = position[used].astype(np.float64)
    vertices[:, 2] = np.maximum(vertices[:, 2], np.quantile(vertices[:, 2], 0.55) - 0.9 * np.abs(vertices[:, 0]))
    degree = np.maximum(np.bincount(edges[:, 0], minlength=len(used)), 1)[:, None]
    for _ in range(12):
        mean = np.stack([np.bincount(edges[:, 0], vertices[edges[:, 1], k], len(used)) for k in range(3)], 1) / degree
        vertices = 0.4 * vertices + 0.6 * mean
    normal = vertex_normals(vertices.astype(np.float32), triangles)
    vertices += 0.10 * normal + np.array([0, 0, 0.05])
    zero = np.zeros(len(used), np.float32)
    return Part(vertices.astype(np.float32), normal, basis.mean[used], zero, zero, triangles, FACE_MASK, OPAQUE)


def hand(basis: HeadBasis, rotation: npt.NDArray[np.float64], place: Floats, *, mirrored: bool) -> Part:
    """A hand before the face.

    Args:
        basis: Head basis.
        rotation: (3, 3) rotation from fingers up and back to the viewer.
        place: (3,) where the middle of the hand is, in the frame of the head.
        mirrored: Whether it is a right hand.
    """
    vertices = basis.hand.astype(np.float64) * ((-1, 1, 1) if mirrored else (1, 1, 1))
    vertices = vertices + np.array([0.0, 0.9, 0.0])
    triangles = basis.hand_triangles[:, ::-1].copy() if mirrored else basis.hand_triangles
    position = (vertices @ rotation.T + place).astype(np.float32)
    zero = np.zeros(len(position), np.float32)
    rest = (vertices + np.array([0.0, 5.0, 2.0])).astype(np.float32)
    return Part(position, vertex_normals(position, triangles), rest, zero, zero, triangles, HAND, OPAQUE)
