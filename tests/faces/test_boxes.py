# SPDX-License-Identifier: Apache-2.0
import numpy as np

from mien.faces import boxes

A = np.array([[0, 0, 10, 10]], np.float32)


def test_iou_by_hand() -> None:
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(boxes.iou(A, others), [[1, 1 / 3, 0, 0.04, 0]], atol=1e-6)
    np.testing.assert_allclose(boxes.overlap_of_smaller(A, others), [[1, 0.5, 0, 1, 0]], atol=1e-6)


def test_iou_of_none() -> None:
    assert boxes.iou(A[:0], A).shape == (0, 1)
    assert boxes.iou(A, A[:0]).shape == (1, 0)


def test_squares_keep_the_centre() -> None:
    tall = np.array([[10, 0, 20, 40]], np.float32)
    np.testing.assert_allclose(boxes.squares(tall), [[-5, 0, 35, 40]])
    np.testing.assert_allclose(boxes.squares(tall, 0.5), [[5, 10, 25, 30]])


def test_shifted_is_in_fractions_of_the_size() -> None:
    tall = np.array([[10, 0, 20, 40]], np.float32)
    moved = boxes.shifted(tall, np.array([[0.1, 0.1, -0.2, 0]], np.float32))
    np.testing.assert_allclose(moved, [[11, 4, 18, 40]])
