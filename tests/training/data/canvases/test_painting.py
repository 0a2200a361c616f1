# SPDX-License-Identifier: Apache-2.0
"""Patterns, drawings, covers and light keep shape and type, and change what they say."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.training.data.canvases.painting import cover_face, drawing, hidden_face, pattern, relit

FIVE = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (120, 120), dtype=np.uint8)


def test_patterns_are_of_several_kinds() -> None:
    drawn = [pattern(64, np.random.default_rng(seed)) for seed in range(40)]
    assert {one.shape for one in drawn} == {(64, 64)}
    assert {one.dtype for one in drawn} == {np.dtype(np.uint8)}
    assert len({one.tobytes() for one in drawn}) > 35


def test_a_drawing_changes_its_place_only() -> None:
    canvas = np.full((120, 120), 100, np.uint8)
    drawing(canvas, np.array([60, 60], np.float32), 40, np.random.default_rng(1))
    assert (canvas[:30] == 100).all()
    assert (canvas[40:80, 40:80] != 100).any()


def test_a_hidden_face_loses_its_detail() -> None:
    image, box = noise(), np.array([20, 20, 100, 100], np.float32)
    for seed in range(6):
        hidden = hidden_face(image, box, np.random.default_rng(seed))
        inner = (slice(30, 90), slice(30, 90))
        assert (
            np.abs(np.diff(hidden[inner].astype(float))).mean()
            < 0.3 * np.abs(np.diff(image[inner].astype(float))).mean()
        )
        np.testing.assert_array_equal(hidden[:10], image[:10])
    np.testing.assert_array_equal(
        hidden_face(image, np.array([5, 5, 9, 9], np.float32), np.random.default_rng(0)), image
    )


def test_a_cover_hides_a_part_of_the_face() -> None:
    for seed in range(12):
        canvas, texture = np.full((120, 120), 100, np.uint8), noise(1)
        cover_face(canvas, FIVE, np.random.default_rng(seed), texture)
        share = (canvas != 100).mean()
        assert 0 <= share < 0.6
    canvas = np.full((120, 120), 100, np.uint8)
    cover_face(canvas, np.zeros((5, 2), np.float32), np.random.default_rng(0), noise(1))  # without a place
    assert (canvas == 100).all()


def test_light_changes_pixels_and_not_the_shape() -> None:
    lit = [relit(noise(), np.random.default_rng(seed)) for seed in range(30)]
    assert {one.shape for one in lit} == {(120, 120)}
    assert len({round(float(one.mean())) for one in lit}) > 5
