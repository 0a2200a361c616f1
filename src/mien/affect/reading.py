# SPDX-License-Identifier: Apache-2.0
"""The last stage of `mien.affect.Analyzer`: crops of several images through the affect net, `Faces` out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.affect.adaptive import AdaptiveRate, read_adaptively
from mien.affect.decoding import Decoder
from mien.affect.stages import FoundFaces, rows_of
from mien.core import Faces
from mien.inference import Bundle

Floats = npt.NDArray[np.float32]


def outputs_of(batch: Sequence[FoundFaces], bundle: Bundle) -> list[dict[str, Floats]]:
    """The outputs for the faces of several images in one call of the net, by image; empty without a face."""
    outputs = bundle.run(np.concatenate([found.crops for found in batch]))
    return [
        {name: values[rows] for name, values in outputs.items()} if rows.start < rows.stop else {}
        for rows in rows_of(batch)
    ]


@dataclass(frozen=True, kw_only=True)
class FaceReader:
    """Reads found faces. Safe to share between threads.

    Attributes:
        decoder: of the bundle.
        has_points: whether the faces have 68 points, not the detector's five alone.
        min_quality: below it affect is left out.
    """

    decoder: Decoder
    has_points: bool
    min_quality: float

    def faces(self, batch: Sequence[FoundFaces], bundle: Bundle, rate: AdaptiveRate | None = None) -> list[Faces]:
        """Affect of the faces of several images; with a rate, of all from readings of some.

        Args:
            batch: images in order; with a rate, a stretch of a video.
            bundle: that the decoder belongs to.
            rate: how sparsely to read.
        """
        crops = np.concatenate([found.crops for found in batch])
        if rate is None or not len(crops):
            outputs = bundle.run(crops)
            read = self.decoder(outputs) if outputs else {}
        else:
            read = self._read_adaptively(batch, crops, bundle, rate)
        return [
            self._of_image(found, {name: _part(value, rows) for name, value in read.items()})
            for found, rows in zip(batch, rows_of(batch), strict=True)
        ]

    def _of_image(self, found: FoundFaces, read: dict[str, Any]) -> Faces:
        seen = found.detections
        if not len(seen):
            return Faces.empty(self.decoder.expression_labels, self.decoder.action_unit_labels)
        faces = Faces(
            boxes=seen.boxes,
            scores=seen.scores,
            landmarks=seen.points if self.has_points else seen.landmarks,
            pose_rad=seen.pose_rad,
            eyes_open=seen.eyes_open,
            track_ids=found.track_ids,
            quality=found.quality,
            **read,
        )
        return faces.without_affect(found.quality < self.min_quality)

    def _read_adaptively(
        self, batch: Sequence[FoundFaces], crops: npt.NDArray[np.uint8], bundle: Bundle, rate: AdaptiveRate
    ) -> dict[str, Any]:
        """Keyword arguments of `Faces` as the decoder gives them, for all faces of a stretch of a video."""
        places = np.repeat(np.arange(len(batch)), [len(found.track_ids) for found in batch])
        quality = np.concatenate([found.quality for found in batch])
        labels = {
            "expression_labels": self.decoder.expression_labels,
            "action_unit_labels": self.decoder.action_unit_labels,
        }

        def read(rows: npt.NDArray[np.intp]) -> dict[str, Floats]:
            values = self.decoder(bundle.run(crops[rows]))
            return {name: values[name] for name in values.keys() - labels.keys()}

        track_ids = np.concatenate([found.track_ids for found in batch])
        values, _ = read_adaptively(rate, places, track_ids, quality >= self.min_quality, read)
        return {**labels, **values}


def _part(value: Any, rows: slice) -> Any:
    """The rows of an array; labels as they are."""
    return value[rows] if isinstance(value, np.ndarray) else value
