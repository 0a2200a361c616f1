# SPDX-License-Identifier: Apache-2.0
"""The rasterizer against single triangles that can be checked by hand."""

import numpy as np
import numpy.typing as npt
import pytest

from mien.synthesis.rendering.rasterizer import FAR, depth_map, rasterize, vertex_normals

pytestmark = pytest.mark.usefixtures("renderer_installed")

SQUARE = np.array([[0, 0, 5], [8, 0, 5], [8, 8, 5], [0, 8, 5]], np.float32)
TWO = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def draw(style: int, opacity: float = 1.0, points: npt.NDArray[np.float32] = SQUARE) -> npt.NDArray[np.int32]:
    density = np.stack([np.full(len(points), opacity), points[:, 0] * 3.7], 1).astype(np.float32)
    return rasterize(points, TWO, np.full(2, style, np.int8), density, 8)[1]


def test_a_square_covers_every_pixel_once() -> None:
    depth, owner, first, second = rasterize(SQUARE, TWO, np.zeros(2, np.int8), np.zeros((4, 2), np.float32), 8)
    assert (owner >= 0).all()
    assert np.allclose(depth, 5)
    assert ((first >= 0) & (second >= 0) & (first + second <= 1 + 1e-5)).all()
    assert (depth_map(SQUARE, TWO, 8) == depth).all()


def test_the_nearer_triangle_hides_the_other_in_any_order() -> None:
    points = np.concatenate([SQUARE, SQUARE - np.array([0, 0, 2], np.float32)])
    for triangles in (np.array([[0, 1, 2], [4, 5, 6]], np.int32), np.array([[4, 5, 6], [0, 1, 2]], np.int32)):
        depth, owner, _, _ = rasterize(points, triangles, np.zeros(2, np.int8), np.zeros((8, 2), np.float32), 8)
        near = 1 if triangles[1, 0] == 4 else 0
        assert set(np.unique(owner)) == {-1, near}
        assert np.allclose(depth[owner >= 0], 3)
        assert (depth[owner < 0] == FAR).all()


def test_half_transparent_triangles_are_drawn_on_every_second_pixel() -> None:
    assert (draw(1) >= 0).sum() == 32


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_strands_cover_about_their_opacity(opacity: float) -> None:
    large = SQUARE * np.array([8, 8, 1], np.float32)
    density = np.stack([np.full(4, opacity), large[:, 0] * 9.7], 1).astype(np.float32)
    owner = rasterize(large, TWO, np.full(2, 2, np.int8), density, 64)[1]
    assert (owner >= 0).mean() == pytest.approx(opacity, abs=0.15)


def test_triangles_outside_and_flat_ones_are_left_out() -> None:
    points = np.array([[-9, -9, 1], [-5, -9, 1], [-5, -5, 1], [3, 3, 1], [3, 3, 1], [5, 5, 1]], np.float32)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    owner = rasterize(points, triangles, np.zeros(2, np.int8), np.zeros((6, 2), np.float32), 8)[1]
    assert (owner == -1).all()


def test_normals_point_outwards_and_have_unit_length() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    outside = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    normals = vertex_normals(corners, outside)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert np.allclose(normals[0], -np.ones(3) / np.sqrt(3), atol=1e-5)
