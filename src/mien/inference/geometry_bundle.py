# SPDX-License-Identifier: Apache-2.0
"""Geometry bundles: folders with the weights of a linear model of landmark distances and their JSON description."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import GEOMETRY_OUTPUTS, Float32, GeometrySpec, ModelError
from mien.inference.bundle import bundled_folder
from mien.inference.model_files import MAX_DESCRIPTION_BYTES, is_model_file, read_description, read_verified_file

DEFAULT_GEOMETRY = "mien-geometry"
"""Name of the geometry bundle that is used where none is named."""

_N_DISTANCES = {"inner": 1275, "all": 2278, "published": 1275}
_FRONTAL = (137, 136)


@dataclass(frozen=True, eq=False)
class GeometryWeights:
    """Numbers of a geometry bundle.

    Attributes:
        frontal: (137, 136) map of posed shapes to frontal ones, see `mien.faces.frontal_shapes`.
        mean: (P,) mean of each distance over the training faces.
        weights: (P, 3) change of arousal, valence and intensity per unit of each distance.
        offset: (3,) arousal, valence and intensity at the mean distances.
    """

    frontal: Float32
    mean: Float32
    weights: Float32
    offset: Float32

    def to_bytes(self) -> bytes:
        """The content of ``geometry.bin``: all numbers as little-endian float32, in the order of the attributes."""
        parts = (self.frontal, self.mean, self.weights, self.offset)
        return b"".join(np.ascontiguousarray(part, dtype="<f4").tobytes() for part in parts)

    @classmethod
    def from_bytes(cls, content: bytes, n_distances: int) -> GeometryWeights:
        """Read the content of ``geometry.bin``.

        Raises:
            ModelError: It has another length, or a number is not finite.
        """
        shapes = (_FRONTAL, (n_distances,), (n_distances, len(GEOMETRY_OUTPUTS)), (len(GEOMETRY_OUTPUTS),))
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        if len(content) != 4 * ends[-1]:
            raise ModelError(f"geometry.bin has {len(content)} bytes, {4 * ends[-1]} fit {n_distances} distances")
        numbers = np.frombuffer(content, dtype="<f4").astype(np.float32)
        if not np.isfinite(numbers).all():
            raise ModelError("geometry.bin holds numbers that are not finite; the weights are damaged")
        parts = np.split(numbers, ends[:-1])
        return cls(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


@dataclass(frozen=True, eq=False)
class GeometryBundle:
    """A verified geometry bundle.

    Attributes:
        spec: Description of the bundle.
        digest: SHA-256 of ``geometry.json``; because that file holds the SHA-256 of the weights, it identifies both.
        weights: Numbers of the model.
        folder: Folder that the bundle was read from.
    """

    spec: GeometrySpec
    digest: str
    weights: GeometryWeights
    folder: Path


def list_geometry_bundles() -> list[str]:
    """Names of the geometry bundles that are installed with mien.

    Examples:
        >>> list_geometry_bundles()
        ['mien-geometry']
    """
    folder = bundled_folder()
    return sorted(entry.name for entry in folder.iterdir() if (entry / "geometry.json").is_file())


def is_geometry(name_or_path: str | Path) -> bool:
    """Whether a name or folder is that of a geometry bundle.

    Examples:
        >>> is_geometry("mien-geometry"), is_geometry("mien-light")
        (True, False)
    """
    return is_model_file(_folder(name_or_path) / "geometry.json")


def _folder(name_or_path: str | Path) -> Path:
    name = str(name_or_path)
    return bundled_folder() / name if name in list_geometry_bundles() else Path(name_or_path)


def load_geometry(name_or_path: str | Path = DEFAULT_GEOMETRY) -> GeometryBundle:
    """Read and verify a geometry bundle.

    Args:
        name_or_path: Name of a geometry bundle that is installed with mien, or a folder.

    Raises:
        ModelError: The bundle is missing or damaged, or of another version or kind.

    Examples:
        >>> load_geometry().spec.points
        'inner'
        >>> load_geometry("mien-light")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mien.core.errors.ModelError: mien-light: no geometry bundle of that name and no folder with geometry.json; ...
    """
    folder = _folder(name_or_path)
    if not is_model_file(folder / "geometry.json"):
        raise ModelError(
            f"{name_or_path}: no geometry bundle of that name and no folder with geometry.json; installed: "
            f"{', '.join(list_geometry_bundles()) or 'none'}"
        )
    description, spec = read_description(folder / "geometry.json", GeometrySpec.from_json)
    content = read_verified_file(folder / "geometry.bin", spec.sha256, "geometry.json", MAX_DESCRIPTION_BYTES)
    try:
        weights = GeometryWeights.from_bytes(content, _N_DISTANCES[spec.points])
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error
    return GeometryBundle(spec, hashlib.sha256(description).hexdigest(), weights, folder)
