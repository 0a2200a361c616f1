# SPDX-License-Identifier: Apache-2.0
"""The shipped basis is sound, and a basis survives a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core import MIRRORED_LANDMARKS, ModelError
from mien.synthesis import HeadBasis
from mien.synthesis.head.basis import REGIONS, read_basis, save_basis
from mien.synthesis.rendering.truth import landmark_places


def test_the_shipped_basis_is_a_symmetric_head(basis: HeadBasis) -> None:
    assert set(np.unique(basis.regions)) == set(range(len(REGIONS)))
    assert basis.triangles.max() < len(basis.mean)
    assert np.allclose(basis.landmark_weights.sum(1), 1, atol=1e-5)
    assert (basis.landmark_weights > -1e-5).all()
    places = landmark_places(basis, basis.mean)
    mirrored = places[list(MIRRORED_LANDMARKS)] * (-1, 1, 1)
    assert np.abs(places - mirrored).max() < 0.04  # decimetres


def test_landmarks_lie_where_the_scheme_says(basis: HeadBasis) -> None:
    x, y, _ = landmark_places(basis, basis.mean).T
    assert (np.diff(x[[0, 3, 6, 8, 10, 13, 16]]) > 0).all()  # the jaw runs from the image's left to its right
    assert y[8] < y[[6, 10]].min()
    assert (y[17:27] > y[36:48].max()).all()  # brows above eyes
    assert (np.diff(y[27:31]) < 0).all()
    assert y[51] > y[62] > y[66] > y[57]  # upper lip, gap, lower lip
    assert x[36] < x[39] < 0 < x[42] < x[45]
    assert x[48] < x[60] < x[64] < x[54]


def test_no_identity_shape_looks_like_an_action(basis: HeadBasis) -> None:
    skin = basis.vertices_of("skin")
    flat = basis.shapes[:, skin].reshape(len(basis.names), -1)
    unit = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9)
    of = {kind: [i for i, name in enumerate(basis.names) if name.startswith(kind)] for kind in ("identity", "action")}
    assert len(of["identity"]) > 200
    assert np.abs(unit[of["identity"]] @ unit[of["action"]].T).max() < 0.46


def test_vertices_are_the_weighted_sum(basis: HeadBasis) -> None:
    weights = np.zeros(len(basis.names))
    weights[[3, 100]] = (0.5, -0.25)
    expected = basis.mean + 0.5 * basis.shapes[3] - 0.25 * basis.shapes[100]
    assert np.allclose(basis.vertices(weights), expected, atol=1e-6)


def test_a_saved_basis_is_the_same(basis: HeadBasis, tmp_path: Path) -> None:
    small = replace(basis, names=basis.names[:4], shapes=basis.shapes[:4])
    save_basis(tmp_path / "basis.npz", small)
    again = read_basis(tmp_path / "basis.npz")
    assert again.names == small.names
    assert np.abs(again.shapes - small.shapes).max() < 2e-4
    assert (again.triangles == small.triangles).all()
    assert set(again.masks) == {"lips", "eyelids", "mouth"}


def test_a_damaged_basis_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"not an archive")
    with pytest.raises(ModelError, match=r"broken\.npz"):
        read_basis(tmp_path / "broken.npz")
    with pytest.raises(ModelError, match=r"absent\.npz"):
        read_basis(tmp_path / "absent.npz")
