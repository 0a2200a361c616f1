# SPDX-License-Identifier: Apache-2.0
"""Frames encoded as rows: many frames become one Arrow record batch by whole-column operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mien.core import (
    ABSTAIN_REASONS,
    ACTION_UNIT_SIDES,
    UNCERTAIN_NUMBERS,
    Bools,
    ConfigError,
    Faces,
    Float32,
    Floats,
    Frame,
    Int64,
    joined_names,
    uncertain_numbers,
)
from mien.results.tables.schema import Layout
from mien.results.tables.table_columns import (
    EYE_COLUMNS,
    FACE_COLUMN,
    INTENSITY_SUFFIX,
    INTERVAL_SUFFIXES,
    STREAM_OFFSET_COLUMN,
)
from mien.results.tables.table_formats import boolean_column, numeric_column, text_column

SourcedFrame = tuple[str, Frame]
"""A frame and the name of the input that it comes from."""

# Number of landmarks per face in a table -> the array of `Faces` that holds them.
_LANDMARK_ARRAYS = {0: "", 5: "keypoints", 68: "landmarks"}


class RowEncoder:
    """Turns frames into record batches of one schema.

    A frame with N > 0 faces gives N rows. A frame without a face gives one row with ``success = false`` in which
    everything but ``source``, ``frame`` and ``time_s`` is null: a confidence of 0 there would pull down every mean.
    Values of `Faces` that are not finite (NaN: unknown) are null too.

    Args:
        schema: Schema from `mien.results.table_schema`.

    Attributes:
        stream_offsets_s: Source -> value of the column ``stream_offset_s``; null for other sources.

    Raises:
        ConfigError: The schema does not come from `table_schema`.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.stream_offsets_s: dict[str, float] = {}
        self._layout = Layout.from_schema(schema)
        if self._layout.n_landmarks not in _LANDMARK_ARRAYS:
            raise ConfigError(f"a table has 0, 5 or 68 landmarks per face, not {self._layout.n_landmarks}")
        self._no_faces = Faces.empty(self._layout.expression_labels, self._layout.action_unit_labels)

    def check(self, faces: Faces) -> None:
        """Refuses faces that do not fit the table, before they are queued.

        Args:
            faces: Faces of one frame.

        Raises:
            ConfigError: Labels differ from the schema's.
        """
        if not len(faces):
            return
        for name in ("expression_labels", "action_unit_labels"):
            expected, got = getattr(self._layout, name), getattr(faces, name)
            if got != expected:
                raise ConfigError(f"the table has {name} {expected}, the faces have {got}; use one bundle per table")

    def encode(self, frames: Sequence[SourcedFrame]) -> pa.RecordBatch:
        """All rows of the frames, in their order. The frames must have passed `check`.

        Args:
            frames: Frames with the names of their sources, any number of them.
        """
        counts = np.array([len(frame.faces) for _, frame in frames], dtype=np.intp)
        frame_of_row = np.repeat(np.arange(len(frames), dtype=np.int64), np.maximum(counts, 1))
        success = counts[frame_of_row] > 0
        faces = [frame.faces for _, frame in frames if len(frame.faces)] or [self._no_faces]

        index = np.array([frame.index for _, frame in frames], dtype=np.int64)
        time_s = np.array([frame.time_s for _, frame in frames], dtype=np.float64)
        columns: dict[str, pa.Array] = {
            "source": text_column([_utf8(source) for source, _ in frames], frame_of_row),
            "frame": numeric_column(index[frame_of_row]),
            "time_s": _nullable(time_s[frame_of_row]),
            "track_id": _numbers([each.track_ids for each in faces], success),
            FACE_COLUMN.name: _numbers([each.numbers for each in faces], success),
            "success": boolean_column(success),
            "expression": self._top_expression(faces, success),
        }
        for name, values in self._values(faces).items():
            rows = np.full(len(success), np.nan, dtype=np.float32)
            rows[success] = values
            columns[name] = _nullable(rows)
        if STREAM_OFFSET_COLUMN.name in self.schema.names:
            offsets_s = np.array([self.stream_offsets_s.get(source, np.nan) for source, _ in frames])
            columns[STREAM_OFFSET_COLUMN.name] = _nullable(offsets_s[frame_of_row])
        if "possible_expressions" in self.schema.names:
            sets, labels = _joined(faces, "expression_sets"), self._layout.expression_labels
            columns["possible_expressions"] = _names(sets, labels, success)
            columns["abstain"] = _names(_joined(faces, "abstain"), ABSTAIN_REASONS, success)
        nulls = pa.nulls(len(success), pa.float32())
        return pa.record_batch([columns.get(name, nulls) for name in self.schema.names], schema=self.schema)

    def _values(self, faces: Sequence[Faces]) -> dict[str, Float32]:
        """Every float column, one value per face."""
        n_landmarks = self._layout.n_landmarks
        groups: list[tuple[Sequence[str], Float32]] = [
            (("x0", "y0", "x1", "y1"), _joined(faces, "boxes")),
            (("pitch_rad", "yaw_rad", "roll_rad"), _joined(faces, "pose_rad")),
            ([f"expression_{label}" for label in self._layout.expression_labels], _joined(faces, "expression")),
            (self._layout.action_unit_labels, _joined(faces, "action_units")),
        ]
        if self._layout.intensity_labels:
            labels, units = self._layout.intensity_labels, self._layout.action_unit_labels
            intensity = _joined(faces, "action_unit_intensity")[:, [units.index(label) for label in labels]]
            groups.append(([f"{label}{INTENSITY_SUFFIX}" for label in labels], intensity))
        if self._layout.side_labels:
            places = [ACTION_UNIT_SIDES.index(label) for label in self._layout.side_labels]
            sides = [f"{label}{INTENSITY_SUFFIX}" for label in self._layout.side_labels]
            groups.append((sides, _joined(faces, "action_unit_sides")[:, places]))
        if n_landmarks:
            landmarks = _joined(faces, _LANDMARK_ARRAYS[n_landmarks])
            for i, axis in enumerate("xy"):
                groups.append(([f"lm_{axis}{k:02d}" for k in range(n_landmarks)], landmarks[:, :, i]))
            groups.append((EYE_COLUMNS, _joined(faces, "eyes_open")))
        values = {
            "confidence": _joined(faces, "confidence"),
            **{name: _joined(faces, name) for name in ("quality", "valence", "arousal")},
        }
        if "unfamiliar" in self.schema.names:
            parts = [uncertain_numbers(each) for each in faces]
            values |= {name: np.concatenate([part[name] for part in parts]) for name in UNCERTAIN_NUMBERS}
        bounded = [label for label in self._layout.action_unit_labels if f"{label}_low" in self.schema.names]
        if bounded:
            places = [self._layout.action_unit_labels.index(label) for label in bounded]
            intervals = _joined(faces, "action_unit_intervals")[:, places].reshape(-1, 2 * len(bounded))
            groups.append(([f"{label}{end}" for label in bounded for end in INTERVAL_SUFFIXES], intervals))
        for names, matrix in groups:
            values |= {name: matrix[:, i] for i, name in enumerate(names)}
        return values

    def _top_expression(self, faces: Sequence[Faces], success: Bools) -> pa.Array:
        labels = self._layout.expression_labels
        if not labels:
            return pa.nulls(len(success), pa.string())
        probabilities = _joined(faces, "expression")
        absent = np.isnan(probabilities)
        best = np.zeros(len(success), dtype=np.int64)
        best[success] = np.where(absent, -np.inf, probabilities).argmax(axis=1)
        unknown = ~success
        unknown[success] = absent.all(axis=1)
        return text_column(labels, best, unknown)


def _joined(faces: Sequence[Faces], name: str) -> Any:
    return np.concatenate([getattr(each, name) for each in faces])


def _names(members: Bools, labels: Sequence[str], success: Bools) -> pa.Array:
    """Names of the members of each face's set, joined; null for an empty set and a row without a face."""
    sets, place = np.unique(members, axis=0, return_inverse=True)
    texts = joined_names(sets, labels)
    index = np.zeros(len(success), np.int64)
    index[success] = place.reshape(-1)
    empty = np.array([text is None for text in texts], np.bool_)
    unknown = ~success if not len(texts) else ~success | empty[index]
    return text_column([text or "" for text in texts] or [""], index, unknown)


def _numbers(parts: Sequence[Int64], success: Bools) -> pa.Array:
    rows = np.full(len(success), -1, dtype=np.int64)
    rows[success] = np.concatenate(parts)
    return numeric_column(rows, rows < 0)


def _nullable(values: Floats) -> pa.Array:
    return numeric_column(values, ~np.isfinite(values))


def _utf8(source: str) -> str:
    """The name as valid UTF-8: bytes of a file name that are not UTF-8 become escapes."""
    return source.encode("utf-8", "backslashreplace").decode("utf-8")
