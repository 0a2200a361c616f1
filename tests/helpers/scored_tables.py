# SPDX-License-Identifier: Apache-2.0
"""Affect tables of given faces, and Aff-Wild2 annotations that fit them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mien.core import EXPRESSIONS, Faces, Frame
from mien.datasets import ACTION_UNITS_12
from mien.results import TableWriter, table_schema


def table_faces(va: Sequence[float], *, x: Sequence[float] = (), units: Sequence[float] = ()) -> Faces:
    """Faces whose valence and arousal are one number each, side by side where ``x`` says."""
    n = len(va)
    left = np.array(x or [0.0] * n)
    boxes = np.stack([left, np.zeros(n), left + 40, np.full(n, 40.0)], axis=1)
    return Faces(
        boxes=boxes,
        track_ids=np.arange(n),
        valence=np.array(va),
        arousal=np.array(va),
        expression=np.full((n, 8), 1 / 8),
        action_units=np.tile(np.array(units or [0.5] * 12), (n, 1)),
        expression_labels=EXPRESSIONS,
        action_unit_labels=ACTION_UNITS_12,
    )


def write_tables(folder: Path, videos: Mapping[str, Sequence[Faces]]) -> Path:
    """A folder with one table per video, one `Faces` per frame."""
    folder.mkdir(exist_ok=True)
    for video, frames in videos.items():
        with TableWriter(folder / f"{video}.parquet", table_schema(action_unit_labels=ACTION_UNITS_12)) as writer:
            for index, faces in enumerate(frames):
                writer.append(f"batch1/{video}.mp4", Frame(index=index, time_s=index / 30, faces=faces))
    return folder


def write_va_tree(folder: Path, tracks: Mapping[str, Sequence[float]]) -> Path:
    """Aff-Wild2 annotations of the validation set: valence and arousal are the same number in each frame."""
    place = folder / "VA_Estimation_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    for name, values in tracks.items():
        (place / f"{name}.txt").write_text("valence,arousal\n" + "".join(f"{v},{v}\n" for v in values))
    return folder


def write_two_models(folder: Path) -> tuple[Path, list[Path]]:
    """Annotations that are 0.3 of the first model's valence and 0.7 of the second's, and the tables of both."""
    first, second = np.random.default_rng(1).uniform(-1, 1, (2, 60)).astype(np.float32).astype(np.float64)
    data = write_va_tree(folder, {"v": 0.3 * first + 0.7 * second})
    models = {"a": first, "b": second}
    return data, [write_tables(folder / name, {"v": [table_faces([v]) for v in own]}) for name, own in models.items()]
