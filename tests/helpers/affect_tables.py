# SPDX-License-Identifier: Apache-2.0
"""Small affect tables whose summaries can be counted by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mien.core import EXPRESSIONS, Faces, Frame
from mien.results import TableWriter, table_schema

UNITS = ("AU01", "AU12")

Row = Mapping[str, Any]
"""A row of a table or of a summary, by the names of its columns."""


def faces(*readings: tuple[int, str, float, float]) -> Faces:
    """Faces of (track, expression, valence, AU12)."""
    n = len(readings)
    expression = np.full((n, len(EXPRESSIONS)), 0.02)
    for index, (_, label, _, _) in enumerate(readings):
        expression[index, EXPRESSIONS.index(label)] = 0.86
    return Faces(
        boxes=np.tile(np.float32([0, 0, 9, 9]), (n, 1)),
        confidence=np.full(n, 0.9),
        track_ids=[reading[0] for reading in readings],
        expression=expression,
        valence=[reading[2] for reading in readings],
        arousal=np.zeros(n),
        action_units=[[0.1, reading[3]] for reading in readings],
        expression_labels=EXPRESSIONS,
        action_unit_labels=UNITS,
    )


NOBODY = Faces.empty(EXPRESSIONS, UNITS)


def steady(n: int, fps: float, reading: tuple[int, str, float, float]) -> list[tuple[float, Faces]]:
    """The same face in n frames: (time_s, Faces) each."""
    return [(index / fps, faces(reading)) for index in range(n)]


def write_frames(path: Path, sources: Mapping[str, list[tuple[float, Faces]]], **metadata: str) -> Path:
    """A table of ``{"a.mp4": [(time_s, Faces), ...]}``."""
    with TableWriter(path, table_schema(action_unit_labels=UNITS, metadata=metadata)) as writer:
        for source, frames in sources.items():
            for index, (time_s, found) in enumerate(frames):
                writer.append(source, Frame(index=index, time_s=time_s, faces=found))
    return path
