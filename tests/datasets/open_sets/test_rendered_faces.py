# SPDX-License-Identifier: Apache-2.0
"""Rendered faces are read with exact labels, split by person."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mien.core import ACTION_UNIT_SIDES, ACTION_UNITS, EXPRESSIONS, DatasetError
from mien.datasets import FERPLUS_TEMPLATE, load_rendered_faces
from mien.faces import keypoints_of
from tests.helpers.rendered_sets import write_rendered


def test_labels_have_their_units_and_splits_their_persons(tmp_path: Path) -> None:
    folder = write_rendered(tmp_path / "set", 36)
    faces, held_out = load_rendered_faces(folder, "train"), load_rendered_faces(folder, "test")
    assert (len(faces), len(held_out)) == (30, 6)
    assert not set(faces.identity) & set(held_out.identity)
    assert faces.action_unit_labels == ACTION_UNITS.labels
    np.testing.assert_allclose(faces.intensity[:3, 0], [0, 1, 2], atol=1e-6)  # of 5
    assert faces.sides.shape == (30, len(ACTION_UNIT_SIDES))
    np.testing.assert_allclose(faces.sides[:3, 1], [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(faces.presence[:3, 0], [0, 0.7 / 1.7, 1], atol=1e-6)
    np.testing.assert_allclose(keypoints_of(faces.landmarks)[0], FERPLUS_TEMPLATE, atol=1e-6)
    assert faces.expression[0, EXPRESSIONS.index("neutral")] == 1
    assert faces.expression[1, EXPRESSIONS.index("anger")] == 1
    assert np.isnan(faces.expression[2]).all()  # independent units have no expression


def test_a_slip_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no faces"):
        load_rendered_faces(tmp_path, "train")
    folder = write_rendered(tmp_path / "set", 6)
    with pytest.raises(DatasetError, match="not 'all'"):
        load_rendered_faces(folder, "all")
    path = folder / "faces-00000.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["AU04"]), path)
    with pytest.raises(DatasetError, match="AU04"):
        load_rendered_faces(folder, "train")
    path.write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match="not a Parquet file"):
        load_rendered_faces(folder, "train")
