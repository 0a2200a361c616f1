# SPDX-License-Identifier: Apache-2.0
"""Finds the 68 landmarks of the 300-W scheme on the mesh, once, when the basis is converted.

Eyes and lips are read from rendered outlines (where the eyeball or the mouth begins), so the landmarks sit on the
edges of lids and lips and follow them in every action. Brows and nose are places of the mean head.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mien.core import MIRRORED_LANDMARKS
from mien.synthesis.head.basis import REGIONS, HeadBasis
from mien.synthesis.rendering.rasterizer import rasterize

_SIZE = 1600
_SCALE = 700.0
_CENTRE_Y = 7.1
_PARTED_LIPS = {
    "mouthLowerDownLeft": 0.6,
    "mouthLowerDownRight": 0.6,
    "mouthUpperUpLeft": 0.5,
    "mouthUpperUpRight": 0.5,
}
_CONTOUR_CANDIDATES = 12
_Doubles = npt.NDArray[np.float64]


def brow_line(t: npt.ArrayLike) -> _Doubles:
    """Height in decimetres of the middle of a brow on the mean head; ``t`` runs from the inner (0) to the outer end."""
    t = np.asarray(t, np.float64)
    return np.asarray(7.50 + 0.075 * np.sin(np.clip(t, 0, 1) * 2.4) - 0.05 * t)


class _View:
    """Frontal orthographic view of a head, with the triangle of every pixel.

    Attributes:
        owner: (size, size) triangle of each pixel.
        region: (size, size) region of each pixel, -1 where empty.
    """

    def __init__(self, basis: HeadBasis, vertices: npt.NDArray[np.float32], hidden: tuple[str, ...]) -> None:
        shown = ~np.isin(basis.regions, [REGIONS.index(name) for name in hidden])
        self._rows = np.flatnonzero(shown)
        self._basis = basis
        points = np.empty_like(vertices)
        points[:, 0] = _SIZE / 2 + vertices[:, 0] * _SCALE
        points[:, 1] = _SIZE / 2 - (vertices[:, 1] - _CENTRE_Y) * _SCALE
        points[:, 2] = -vertices[:, 2]
        triangles = basis.triangles[shown]
        none, opaque = np.zeros((len(vertices), 2), np.float32), np.zeros(len(triangles), np.int8)
        _, self.owner, self._first, self._second = rasterize(points, triangles, opaque, none, _SIZE)
        self.region = np.where(self.owner >= 0, basis.regions[shown][self.owner], -1)

    def value(self, mask: npt.NDArray[np.floating]) -> _Doubles:
        """Value (size, size) of a vertex attribute at every pixel."""
        corners = self._basis.triangles[self._rows[self.owner]]
        third = 1 - self._first - self._second
        weights = np.stack([self._first, self._second, third], -1)
        return np.asarray((mask[corners] * weights).sum(-1) * (self.owner >= 0), np.float64)

    def at(self, x_px: float, y_px: float) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Corners and weights of the surface at a pixel."""
        x, y = round(x_px), round(y_px)
        a, b = self._first[y, x], self._second[y, x]
        corners = self._basis.triangles[self._rows[self.owner[y, x]]]
        return corners, np.array([a, b, 1 - a - b], np.float32)

    def pixel(self, x_dm: float, y_dm: float) -> tuple[float, float]:
        """Pixel of a place of the mean head."""
        return _SIZE / 2 + x_dm * _SCALE, _SIZE / 2 - (y_dm - _CENTRE_Y) * _SCALE


def fit_landmarks(basis: HeadBasis) -> HeadBasis:
    """The basis with its 68 landmarks and the candidates of its jaw contour."""
    weights = np.zeros(len(basis.names))
    rest = _View(basis, basis.vertices(weights), ("lash",))
    for name, weight in _PARTED_LIPS.items():
        weights[basis.index[f"action/{name}"]] = weight
    parted = _View(basis, basis.vertices(weights), ("lash",))
    places: dict[int, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]] = {}
    for i in range(22, 27):
        t = (i - 22) / 4
        places[i] = rest.at(*rest.pixel(0.13 + 0.45 * t, float(brow_line(t)) + 0.01))
    for i, (x, y) in {27: (0.0, 7.27), 28: (0.0, 7.16), 29: (0.0, 7.05), 33: (0.0, 6.835)}.items():
        places[i] = rest.at(*rest.pixel(x, y))
    skin = basis.vertices_of("skin")
    middle = skin[(np.abs(basis.mean[skin, 0]) < 0.02) & (np.abs(basis.mean[skin, 1] - 7.0) < 0.2)]
    tip = basis.mean[middle[basis.mean[middle, 2].argmax()]]
    places[30] = rest.at(*rest.pixel(0.0, float(tip[1])))
    places[34] = rest.at(*rest.pixel(0.07, 6.845))
    places[35] = rest.at(*rest.pixel(0.15, 6.87))
    places |= _left_eye(rest) | _lips(parted, basis)
    vertices, shares = np.zeros((68, 3), np.int32), np.zeros((68, 3), np.float32)
    for i, (corners, barycentric) in places.items():
        vertices[i], shares[i] = corners, barycentric
    mirror = _mirror_vertices(basis)
    for i in range(17, 68):
        if i not in places:
            vertices[i], shares[i] = mirror[vertices[MIRRORED_LANDMARKS[i]]], shares[MIRRORED_LANDMARKS[i]]
    contour = _contour(basis, skin)
    vertices[:17], shares[:17] = contour[:, :1], (1.0, 0.0, 0.0)
    return replace(basis, landmark_vertices=vertices, landmark_weights=shares, contour_vertices=contour)


def _left_eye(view: _View) -> dict[int, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """Landmarks 42 to 47: corners and lid edges of the person's left eye (right in the image)."""
    eye = view.region == REGIONS.index("eye")
    eye[:, : _SIZE // 2] = False
    ys, xs = np.nonzero(eye)
    left, right = int(xs.min()), int(xs.max())
    places = {
        42: view.at(left - 3, float(ys[xs == left].mean())),
        45: view.at(right + 3, float(ys[xs == right].mean())),
    }
    for i, share, edge in ((43, 0.33, -1), (44, 0.67, -1), (46, 0.67, 1), (47, 0.33, 1)):
        x = round(left + share * (right - left))
        column = ys[xs == x]
        places[i] = view.at(x, float(column.min() - 3 if edge < 0 else column.max() + 3))
    return places


def _lips(view: _View, basis: HeadBasis) -> dict[int, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """Landmarks of the person's left half of the lips, from the outlines of lips that are parted."""
    lips = (view.value(basis.masks["lips"].astype(np.float64)) > 110) & (view.region == 0)
    lips &= view.value(basis.masks["mouth"].astype(np.float64)) < 110
    ys, xs = np.nonzero(lips)
    right = int(xs.max())
    corner = float(np.median(ys[xs >= right - 2]))
    half = right - _SIZE // 2
    places = {54: view.at(right - 1, corner), 64: view.at(right - 0.10 * half, corner)}
    for upper, lower, share in ((51, 57, 0.0), (52, 56, 0.27), (53, 55, 0.62)):
        column = ys[xs == _SIZE // 2 + round(share * half)]
        x = _SIZE / 2 + round(share * half)
        places[upper], places[lower] = view.at(x, float(column.min() + 2)), view.at(x, float(column.max() - 2))
    for upper, lower, share in ((62, 66, 0.0), (63, 65, 0.35)):
        x = _SIZE / 2 + round(share * half)
        column = np.sort(ys[xs == round(x)])
        gap = int(np.diff(column).argmax())
        places[upper], places[lower] = view.at(x, float(column[gap] - 2)), view.at(x, float(column[gap + 1] + 2))
    return places


def _mirror_vertices(basis: HeadBasis) -> npt.NDArray[np.int64]:
    """Vertex on the other side of the face for each vertex."""
    mirrored = basis.mean * np.array([-1, 1, 1], np.float32)
    result = np.empty(len(mirrored), np.int64)
    for start in range(0, len(mirrored), 256):
        distance = ((mirrored[start : start + 256, None] - basis.mean[None]) ** 2).sum(-1)
        result[start : start + 256] = distance.argmin(1)
    return result


def _contour(basis: HeadBasis, skin: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Candidates (17, K) of the jaw landmarks: from the ear or the jaw bone along the cheek towards the middle."""
    position = basis.mean[skin]
    outer = (basis.masks["mouth"][skin] < 100) & (np.abs(position[:, 0]) < 0.74)
    chin = skin[outer & (np.abs(position[:, 0]) < 0.03) & (position[:, 1] < 6.6) & (position[:, 2] > 1.15)]
    lowest = basis.mean[chin[np.abs(basis.mean[chin, 1] - 6.20).argmin()]]
    heights = (7.28, 7.06, 6.85, 6.64, 6.50)
    back_z = np.linspace(0.64, 0.74, 5)
    starts = [(0.70, heights[k], back_z[k]) for k in range(5)]
    starts += [(0.55, 6.40, 0.86), (0.40, 6.30, 1.02), (0.22, 6.23, 1.16)]
    rows: list[list[int]] = []
    for x, y, z in starts:
        inner = np.array([max(0.25, 0.55 * x), y + 0.03 * (x < 0.6), z + 0.62 * (x > 0.6) + 0.25 * (x < 0.6)])
        rows.append(_walk(basis, skin[outer], np.array([x, y, z]), inner))
    mirror = _mirror_vertices(basis)
    left = rows
    right = [[int(mirror[i]) for i in row] for row in rows]
    nearest = skin[outer][np.linalg.norm(basis.mean[skin[outer]] - lowest, axis=1).argmin()]
    ordered = [*right, [int(nearest)], *left[::-1]]
    table = np.full((17, _CONTOUR_CANDIDATES), -1, np.int32)
    for i, row in enumerate(ordered):
        table[i, : len(row)] = row
    return table


def _walk(basis: HeadBasis, skin: npt.NDArray[np.int64], start: _Doubles, end: _Doubles) -> list[int]:
    """Vertices nearest to places between two points, without repeats."""
    found: list[int] = []
    for share in np.linspace(0, 1, _CONTOUR_CANDIDATES):
        place = start + share * (end - start)
        offset = basis.mean[skin] - place
        offset[:, 0] *= 0.5  # height and depth choose the place, the surface its x
        nearest = int(skin[np.where(basis.mean[skin, 0] > 0, (offset**2).sum(1), np.inf).argmin()])
        if nearest not in found:
            found.append(nearest)
    return found
