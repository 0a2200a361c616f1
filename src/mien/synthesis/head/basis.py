# SPDX-License-Identifier: Apache-2.0
"""`HeadBasis`: the mesh of a head and its linear shapes, and the file format of its cache.

Lengths are decimetres. Axes are those of `mien.core.pose`: x to the image's right (the person's left), y up, z towards
the viewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from mien.core import ModelError, load_arrays

REGIONS = ("skin", "eye", "teeth", "tongue", "lash")
"""Regions of the triangles of a head; the index is the code."""

_STEP_DM = 2.0**-12

LAYOUT = 1
"""Version of the arrays in the file of a basis."""


@dataclass(frozen=True, eq=False)
class HeadBasis:
    """Mesh and linear shapes of a head.

    Attributes:
        names: S names, ``"macro/..."`` (population), ``"identity/..."``, ``"asymmetry/..."`` or ``"action/..."``.
        shapes: (S, V, 3) offsets in decimetres at weight 1.
        mean: (V, 3) rest position of the vertices in decimetres.
        triangles: (T, 3) vertex indices, counter-clockwise seen from outside.
        regions: (T,) index into `REGIONS`.
        masks: ``"lips"``, ``"eyelids"`` and ``"mouth"`` (its inside): (V,) 0 to 255.
        landmark_vertices: (68, 3) corners of the triangle that holds each 300-W landmark.
        landmark_weights: (68, 3) barycentric weights of the corners.
        contour_vertices: (17, K) candidates of each jaw landmark from the ear or jaw bone inwards, -1 where fewer;
            the visible contour of a turned head runs over them.
        hand: (H, 3) vertices of a left hand around its centre: fingers up, thumb to the right, back to the viewer.
        hand_triangles: (U, 3) its triangles.
    """

    names: tuple[str, ...]
    shapes: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.int32]
    regions: npt.NDArray[np.int8]
    masks: Mapping[str, npt.NDArray[np.uint8]]
    landmark_vertices: npt.NDArray[np.int32]
    landmark_weights: npt.NDArray[np.float32]
    contour_vertices: npt.NDArray[np.int32]
    hand: npt.NDArray[np.float32]
    hand_triangles: npt.NDArray[np.int32]

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each shape by its name."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """Names of the facial actions, without the prefix."""
        return tuple(name.removeprefix("action/") for name in self.names if name.startswith("action/"))

    def vertices_of(self, region: str) -> npt.NDArray[np.int64]:
        """Indices of the vertices of a region, sorted."""
        return np.unique(self.triangles[self.regions == REGIONS.index(region)]).astype(np.int64)

    def vertices(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Vertices (V, 3) of the head with weights (S,); the sum runs in a fixed order, so that seeds reproduce."""
        total = self.mean.copy()
        for i in np.flatnonzero(weights):
            total += np.float32(weights[i]) * self.shapes[i]
        return total


def save_basis(file: Path | BinaryIO, basis: HeadBasis) -> None:
    """Write a basis as compressed NumPy arrays; offsets are rounded to 0.025 mm."""
    np.savez_compressed(
        file,
        names=np.array(basis.names),
        shapes=np.round(basis.shapes / _STEP_DM).astype(np.int16),
        mean=basis.mean,
        triangles=basis.triangles.astype(np.uint16),
        regions=basis.regions,
        landmark_vertices=basis.landmark_vertices,
        landmark_weights=basis.landmark_weights,
        contour_vertices=basis.contour_vertices,
        hand=basis.hand,
        hand_triangles=basis.hand_triangles,
        **{f"mask_{name}": mask for name, mask in basis.masks.items()},  # type: ignore[arg-type]  # keywords are arrays
    )


def read_basis(path: Path) -> HeadBasis:
    """The head basis of a file that `save_basis` wrote.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        arrays = load_arrays(path)
        return HeadBasis(
            names=tuple(str(name) for name in arrays["names"]),
            shapes=arrays["shapes"].astype(np.float32) * np.float32(_STEP_DM),
            mean=arrays["mean"],
            triangles=arrays["triangles"].astype(np.int32),
            regions=arrays["regions"],
            masks={name[5:]: array for name, array in arrays.items() if name.startswith("mask_")},
            landmark_vertices=arrays["landmark_vertices"],
            landmark_weights=arrays["landmark_weights"],
            contour_vertices=arrays["contour_vertices"],
            hand=arrays["hand"],
            hand_triangles=arrays["hand_triangles"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: no head basis can be read ({error}); delete it to have it made again") from error
