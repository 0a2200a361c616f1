# SPDX-License-Identifier: Apache-2.0
"""Z-buffer rasterizer, compiled with Numba at its first call and cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from mien.core import MissingExtraError

Function = TypeVar("Function", bound=Callable[..., Any])
Floats = npt.NDArray[np.float32]


def compiled(function: Function) -> Function:
    """Decorator that compiles a function at its first call; without Numba, the call raises `MissingExtraError`.

    Neither fast-math nor threads are used, so that every process gives the same bytes.
    """
    try:
        import numba
    except ModuleNotFoundError:

        @wraps(function)
        def missing(*_: object) -> Any:
            raise MissingExtraError("numba", "synthesis")

        return cast("Function", missing)
    return cast("Function", numba.njit(cache=True, nogil=True)(function))


FAR = np.float32(1e30)
"""Depth of an empty pixel."""


@compiled
def _random(a: int, b: int) -> float:
    """Number in [0, 1) that two whole numbers determine."""
    h = (a * 374761393 + b * 668265263) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = (h ^ (h >> 16)) & 0xFFFF
    return h / 65536.0


@compiled
def rasterize(
    points: Floats, triangles: npt.NDArray[np.int32], styles: npt.NDArray[np.int8], density: Floats, size: int
) -> tuple[Floats, npt.NDArray[np.int32], Floats, Floats]:
    """Visible triangle of every pixel.

    Args:
        points: (V, 3) x and y in pixels (y down) and depth, smaller is nearer.
        triangles: (T, 3) vertex indices.
        styles: (T,) 0 is drawn as it is, 1 is drawn on every second pixel (half transparent after 2 x 2 averaging),
            2 is drawn strand by strand, as often as the opacity of its vertices says.
        density: (V, 2) opacity of style 2, in [0, 1], and the coordinate across its strands.
        size: Width and height of the image in pixels.

    Returns:
        Depth (size, size), triangle (size, size; -1 where empty) and the weights of its first two corners.
    """
    depth = np.full((size, size), FAR, np.float32)
    owner = np.full((size, size), -1, np.int32)
    first = np.zeros((size, size), np.float32)
    second = np.zeros((size, size), np.float32)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(size - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(size - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        inverse = 1.0 / area
        style = styles[t]
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
                wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
                wc = 1.0 - wa - wb
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                z = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                if z >= depth[y, x]:
                    continue
                if style == 1 and (x + y) & 1:
                    continue
                if style == 2:
                    opacity = wa * density[a, 0] + wb * density[b, 0] + wc * density[c, 0]
                    strand = int(np.floor(3.0 * (wa * density[a, 1] + wb * density[b, 1] + wc * density[c, 1])))
                    if opacity < 0.75 * _random(strand, 0) + 0.25 * _random(x, y):
                        continue
                depth[y, x] = z
                owner[y, x] = t
                first[y, x] = wa
                second[y, x] = wb
    return depth, owner, first, second


@compiled
def depth_map(points: Floats, triangles: npt.NDArray[np.int32], size: int) -> Floats:
    """Depth of the nearest triangle (size, size), for shadows; see `rasterize`."""
    depth = np.full((size, size), FAR, np.float32)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(size - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(size - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        inverse = 1.0 / area
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
                wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
                wc = 1.0 - wa - wb
                if wa >= 0 and wb >= 0 and wc >= 0:
                    z = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                    if z < depth[y, x]:
                        depth[y, x] = z
    return depth


@compiled
def vertex_normals(vertices: Floats, triangles: npt.NDArray[np.int32]) -> Floats:
    """Unit normals (V, 3), weighted by the area of the triangles around a vertex."""
    normals = np.zeros_like(vertices)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for i in range(len(normals)):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-9
        for k in range(3):
            normals[i, k] /= length
    return normals
