# SPDX-License-Identifier: Apache-2.0
"""Reader of everyday photos with the faces that a teacher detector found in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import Float32
from mien.datasets.open_sets.face_parquet import read_columns
from mien.datasets.text_files import AnnotationError

_TEST_SHARE = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenes:
    """N photos with the faces that a detector found.

    Attributes:
        names: N names of image files.
        images: N encoded images (JPEG bytes).
        boxes: N arrays (M, 4) xyxy in pixels; most have M = 0.
        keypoints: N arrays (M, 5, 2) in pixels, in the order of `mien.faces.Detections`.
        confidence: N arrays (M,) of the teacher's confidence in [0, 1].
    """

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    boxes: tuple[Float32, ...]
    keypoints: tuple[Float32, ...]
    confidence: tuple[Float32, ...]

    def __len__(self) -> int:
        return len(self.names)


def load_scenes(folder: str | Path, split: str) -> Scenes:
    """The scenes of a split, divided by a hash of their names.

    Args:
        folder: Folder that holds ``scenes/photos.parquet``.
        split: ``"train"``, or ``"test"`` for about a fifth of the photos.

    Raises:
        AnnotationError: The file is missing, malformed or lacks a column, or the split is unknown.
    """
    if split not in ("train", "test"):
        raise AnnotationError(Path(folder), f"scenes has the splits train, test, not {split!r}")
    path = Path(folder) / "scenes/photos.parquet"
    table = read_columns(path, ("name", "image", "boxes", "points", "scores"), nested=("boxes", "points"))
    columns = {name: table[name].to_pylist() for name in table.column_names}
    rows = [row for row, name in enumerate(columns["name"]) if is_test_scene(name) == (split == "test")]
    try:
        boxes = [np.array(columns["boxes"][row], np.float32).reshape(-1, 4) for row in rows]
        keypoints = [np.array(columns["points"][row], np.float32).reshape(-1, 5, 2) for row in rows]
        confidence = [np.array(columns["scores"][row], np.float32).reshape(-1) for row in rows]
    except ValueError as error:
        raise AnnotationError(path, f"boxes, points and scores do not fit: {error}") from error
    sizes = [(len(one), len(two), len(three)) for one, two, three in zip(boxes, keypoints, confidence, strict=True)]
    for row, (n_boxes, *others) in zip(rows, sizes, strict=True):
        if set(others) != {n_boxes}:
            raise AnnotationError(path, f"{columns['name'][row]} has {n_boxes} boxes, and {others} points and scores")
    return Scenes(
        names=tuple(columns["name"][row] for row in rows),
        images=tuple(columns["image"][row] for row in rows),
        boxes=tuple(boxes),
        keypoints=tuple(keypoints),
        confidence=tuple(confidence),
    )


def is_test_scene(name: str) -> bool:
    """Whether a scene is held out for testing.

    Examples:
        >>> is_test_scene("n01440764_tench.JPEG"), is_test_scene("n01443537_goldfish.JPEG")
        (False, True)
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") < _TEST_SHARE * 2**64
