# SPDX-License-Identifier: Apache-2.0
"""Stored vectors: rows of several arrays, and concatenations that stay on disk."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError
from mien.training.data.feature_vectors import StoredVectors, is_vectors, join_vectors

FEATURES, SCORES = np.arange(12.0).reshape(6, 2), np.arange(6.0).reshape(6, 1)
ROWS = np.array([5, 0, 3])


def stored() -> StoredVectors:
    return StoredVectors(((FEATURES, ROWS), (SCORES, ROWS)))


def test_stretches_are_concatenated_by_row() -> None:
    vectors = stored()
    assert len(vectors) == 3
    assert vectors.shape == (3, 3)
    np.testing.assert_array_equal(vectors[np.array([0, 2])], [[10, 11, 5], [6, 7, 3]])
    np.testing.assert_array_equal(vectors.take(np.array([2, 0]))[np.arange(2)], [[6, 7, 3], [10, 11, 5]])


def test_rows_of_the_same_arrays_are_joined_without_reading_them(tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", FEATURES.astype(np.float16))
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    vectors = StoredVectors(((mapped, ROWS),))
    twice = join_vectors([vectors, vectors.take(np.array([1]))])
    assert isinstance(twice, StoredVectors)
    assert twice.stretches[0][0] is mapped
    assert twice.stretches[0][1].tolist() == [5, 0, 3, 0]
    assert twice[np.array([3])].dtype == np.float16
    np.testing.assert_array_equal(twice[np.array([3])], [[0, 1]])


def test_other_vectors_are_joined_in_memory() -> None:
    joined = join_vectors([stored(), np.ones((2, 3))])
    assert isinstance(joined, np.ndarray)
    np.testing.assert_array_equal(joined, [[10, 11, 5], [0, 1, 0], [6, 7, 3], [1, 1, 1], [1, 1, 1]])


def test_vectors_and_images_are_distinguished() -> None:
    assert is_vectors(stored())
    assert is_vectors(FEATURES)
    assert not is_vectors(["images"])


def test_lengths_must_agree() -> None:
    with pytest.raises(ConfigError, match=r"the same number of rows, got \[2, 3\]"):
        StoredVectors(((FEATURES, ROWS), (SCORES, ROWS[:2])))
    with pytest.raises(ConfigError, match=r"vectors of lengths \[2, 3\] cannot be joined"):
        join_vectors([stored(), FEATURES])
