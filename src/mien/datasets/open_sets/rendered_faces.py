# SPDX-License-Identifier: Apache-2.0
"""Reader of the rendered faces that `mien synthesize` writes: images with exact labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import ACTION_UNIT_SIDES, ACTION_UNITS, EXPRESSIONS, MAX_INTENSITY, Float32, Int64, open_regular
from mien.datasets.samples import Column, RowColumns, check_length, freeze_columns
from mien.datasets.text_files import AnnotationError
from mien.media import decode_image

_SPLITS = ("train", "valid", "test")
_ABSENT, _PRESENT = 0.3, 2.0
_KINDS_WITH_NAME = ("neutral", "basic")


@dataclass(frozen=True, eq=False, kw_only=True)
class RenderedFaces(RowColumns):
    """N rendered faces with exact labels.

    Attributes:
        names: N unique names.
        images: N encoded images (JPEG bytes).
        identity: (N,) number of the person.
        expression: (N, 8) one-hot canonical expression; NaN for compounds, speech and independent action units.
        intensity: (N, A) intensities of ``action_unit_labels`` in [0, 5], the stronger side.
        action_unit_labels: A names, those of `mien.core.ACTION_UNITS`.
        sides: (N, S) intensities of each side in [0, 5], in the order of `mien.core.ACTION_UNIT_SIDES`.
        landmarks: (N, 68, 2) in 300-W order as fractions of the image's width and height; they may leave [0, 1].
        pose_rad: (N, 3) pitch, yaw, roll (`mien.core.rotation_matrices` defines them).
    """

    row_columns = ("names", "images", "identity", "expression", "intensity", "sides", "landmarks", "pose_rad")

    names: tuple[str, ...]
    images: tuple[bytes, ...]
    identity: Int64
    expression: Float32
    intensity: Float32
    action_unit_labels: tuple[str, ...]
    sides: Float32
    landmarks: Float32
    pose_rad: Float32

    def __post_init__(self) -> None:
        n = len(self.names)
        check_length("images", self.images, n)
        columns: dict[str, Column] = {
            "identity": ((n,), np.int64, -1),
            "expression": ((n, len(EXPRESSIONS)), np.float32, np.nan),
            "intensity": ((n, len(self.action_unit_labels)), np.float32, np.nan),
            "sides": ((n, len(ACTION_UNIT_SIDES)), np.float32, np.nan),
            "landmarks": ((n, 68, 2), np.float32, np.nan),
            "pose_rad": ((n, 3), np.float32, np.nan),
        }
        freeze_columns(self, columns)

    @property
    def presence(self) -> Float32:
        """(N, A) probability that each action unit is visible: 0 up to intensity 0.3, 1 from 2 on, linear between."""
        share = (self.intensity - _ABSENT) / (_PRESENT - _ABSENT)
        return np.asarray(np.clip(share, 0, 1), dtype=np.float32)


def load_rendered_faces(folder: str | Path, split: str) -> RenderedFaces:
    """Faces of a folder that ``mien synthesize --format parquet`` wrote.

    Args:
        folder: Folder with ``faces-00000.parquet`` and so on.
        split: ``"train"``, ``"valid"`` or ``"test"``; no person is in two of them.

    Raises:
        AnnotationError: The folder holds no such file, a file is damaged or lacks a column, or the split is unknown.
    """
    folder = Path(folder)
    if split not in _SPLITS:
        raise AnnotationError(folder, f"rendered faces have the splits {', '.join(_SPLITS)}, not {split!r}")
    files = sorted(folder.glob("faces-*.parquet"))
    if not files:
        raise AnnotationError(folder, "holds no faces-*.parquet; write them with mien synthesize --format parquet")
    table = pa.concat_tables([_read(path, split) for path in files])
    images = tuple(table["image"].to_pylist())
    n, labels = len(images), ACTION_UNITS.labels
    # All images of a run have one size.
    height, width = decode_image(images[0], name=table["name"][0].as_py()).shape[:2] if n else (1, 1)
    points = np.asarray(table["landmarks"].combine_chunks().flatten(), np.float64).reshape(n, 68, 2)
    return RenderedFaces(
        names=tuple(table["name"].to_pylist()),
        images=images,
        identity=table["identity"].to_numpy().astype(np.int64),
        expression=_expressions(table),
        intensity=_intensities(table, labels),
        action_unit_labels=labels,
        sides=_intensities(table, ACTION_UNIT_SIDES),
        landmarks=(points / (width, height)).astype(np.float32),
        pose_rad=np.stack([table[f"{angle}_rad"].to_numpy() for angle in ("pitch", "yaw", "roll")], axis=1),
    )


def _read(path: Path, split: str) -> pa.Table:
    angles = ("pitch_rad", "yaw_rad", "roll_rad")
    wanted = [
        "name",
        "image",
        "identity",
        "split",
        "expression",
        "expression_kind",
        *ACTION_UNITS.labels,
        *ACTION_UNIT_SIDES,
        *angles,
        "landmarks",
    ]
    try:
        with open_regular(path) as file:
            names = pq.read_schema(file).names
            missing = [name for name in wanted if names.count(name) != 1]
            if missing:
                raise AnnotationError(path, f"columns {missing} are missing or given twice; found {names}")
            return pq.read_table(file, columns=wanted, filters=[("split", "=", split)])
    except pa.ArrowException as error:
        raise AnnotationError(path, f"not a Parquet file ({error})") from error
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error.strerror or error})") from error


def _intensities(table: pa.Table, labels: tuple[str, ...]) -> Float32:
    """(N, L) intensities from 0 to 5 of some columns."""
    return np.asarray(MAX_INTENSITY * np.stack([table[label].to_numpy() for label in labels], axis=1), np.float32)


def _expressions(table: pa.Table) -> Float32:
    """(N, 8) one-hot expressions, NaN for kinds without a canonical name."""
    names, kinds = table["expression"].to_pylist(), table["expression_kind"].to_pylist()
    shares = np.full((len(names), len(EXPRESSIONS)), np.nan, np.float32)
    for row, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if kind in _KINDS_WITH_NAME and name in EXPRESSIONS:
            shares[row] = np.eye(len(EXPRESSIONS))[EXPRESSIONS.index(name)]
    return shares
