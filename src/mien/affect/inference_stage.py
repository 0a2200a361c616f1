# SPDX-License-Identifier: Apache-2.0
"""The inference stage of `Analyzer`: aligned crops through the affect network, decoded to `Faces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mien.affect.adaptive import AdaptiveRate, read_adaptively
from mien.core import EXPRESSIONS, Faces, ModelSpec, TaskSpec
from mien.faces import Detections, align_faces, resize_face, to_colour
from mien.inference import Bundle

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, kw_only=True)
class RawFrame:
    """What the net says of the N >= 0 faces of one frame, before any activation.

    Attributes:
        index: as `mien.core.Frame.index`.
        time_s: as `mien.core.Frame.time_s`.
        track_ids: (N,) int64.
        outputs: output name -> (N, ...) float32; empty where there is no face.
    """

    index: int
    time_s: float
    track_ids: npt.NDArray[np.int64]
    outputs: Mapping[str, npt.NDArray[np.float32]]


class AlignedFaces(NamedTuple):
    """The faces of one image on their way through the stages.

    Attributes:
        detections: N >= 0 faces.
        track_ids: (N,), -1 where nothing is tracked.
        crops: (N, S, S) or (N, S, S, 3) uint8, as the bundle wants them.
        quality: (N,) in [0, 1].
    """

    detections: Detections
    track_ids: npt.NDArray[np.int64]
    crops: Image
    quality: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class DetectedFrame:
    """A frame whose faces are found; its pixels only where somebody wants them."""

    index: int
    time_s: float
    found: AlignedFaces
    image: Image | None


def rows_of(batch: Sequence[AlignedFaces]) -> list[slice]:
    """Where the faces of each image stand among those of all."""
    stops = np.cumsum([len(found.detections) for found in batch]).tolist()
    return [slice(start, stop) for start, stop in zip([0, *stops[:-1]], stops, strict=True)]


def fit_crop(image: Image, spec: ModelSpec) -> Image:
    """An image that is one face as a bundle wants it: (S, S) for gray input, else (S, S, 3), uint8."""
    return to_colour(resize_face(image, spec.input.size_px, spec.crop.shrink), spec.input.colour)


def cut_faces(image: Image, detections: Detections, spec: ModelSpec) -> Image:
    """The crops of found faces as a bundle wants them.

    Args:
        image: (H, W, 3) RGB, or (H, W) for a bundle that reads gray.
        detections: N >= 0 faces of the image.
        spec: of the bundle.

    Returns:
        (N, S, S) for gray input, else (N, S, S, 3), uint8.
    """
    crops = align_faces(image, detections.keypoints, spec.crop.template, spec.input.size_px)
    return crops if image.ndim == 2 else to_colour(crops, spec.input.colour)


Floats = npt.NDArray[np.float32]


def activate(raw: Floats, task: TaskSpec) -> Floats:
    """The values of a task (N, L) from its raw outputs (N, L): temperature, activation, range."""
    scaled = raw.astype(np.float32) / np.float32(task.temperature)
    if task.activation == "softmax":
        shifted = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)
    if task.activation == "sigmoid":
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scaled)), dtype=np.float32)
    return np.asarray(np.clip(scaled, task.low, task.high), dtype=np.float32)


@dataclass(frozen=True)
class Decoder:
    """Turns the outputs of one bundle into the fields of `Faces`.

    Expressions come out in canonical order whatever the order of the graph; classes that are not canonical follow.

    Attributes:
        spec: of the bundle.
        keep_features: whether the embedding is passed on.
    """

    spec: ModelSpec
    keep_features: bool = False

    @property
    def expression_labels(self) -> tuple[str, ...]:
        """Labels of the expression columns; empty where the bundle has none."""
        task = self.spec.task("expression")
        if task is None:
            return ()
        known = tuple(label for label in EXPRESSIONS if label in task.labels)
        return known + tuple(label for label in task.labels if label not in EXPRESSIONS)

    @property
    def action_unit_labels(self) -> tuple[str, ...]:
        """Labels of the action-unit columns in ascending order; empty where the bundle has none."""
        task = self.spec.task("action_units")
        return tuple(sorted(task.labels)) if task else ()

    def __call__(self, outputs: dict[str, Floats]) -> dict[str, Any]:
        """Keyword arguments of `Faces` for N >= 1 faces."""
        fields: dict[str, Any] = {
            "expression_labels": self.expression_labels,
            "action_unit_labels": self.action_unit_labels,
        }
        for task in self.spec.tasks:
            values = activate(outputs[task.output], task)
            if task.task == "valence_arousal":
                fields["valence"], fields["arousal"] = values.T
            else:
                order = fields[{"expression": "expression_labels", "action_units": "action_unit_labels"}[task.task]]
                fields[task.task] = values[:, [task.labels.index(label) for label in order]]
        if self.keep_features and self.spec.features:
            fields["features"] = outputs[self.spec.features]
        return fields


def raw_outputs(batch: Sequence[AlignedFaces], bundle: Bundle) -> list[dict[str, Floats]]:
    """The outputs for the faces of several images in one call of the net, by image; empty without a face."""
    outputs = bundle.run(np.concatenate([found.crops for found in batch]))
    return [
        {name: values[rows] for name, values in outputs.items()} if rows.start < rows.stop else {}
        for rows in rows_of(batch)
    ]


@dataclass(frozen=True, kw_only=True)
class AffectInference:
    """Reads found faces. Safe to share between threads.

    Attributes:
        decoder: of the bundle.
        min_quality: below it affect is left out.
    """

    decoder: Decoder
    min_quality: float

    def faces(self, batch: Sequence[AlignedFaces], bundle: Bundle, rate: AdaptiveRate | None = None) -> list[Faces]:
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

    def _of_image(self, found: AlignedFaces, read: dict[str, Any]) -> Faces:
        seen = found.detections
        if not len(seen):
            return Faces.empty(self.decoder.expression_labels, self.decoder.action_unit_labels)
        faces = Faces(
            boxes=seen.boxes,
            confidence=seen.confidence,
            landmarks=seen.landmarks,
            keypoints=seen.keypoints,
            pose_rad=seen.pose_rad,
            eyes_open=seen.eyes_open,
            track_ids=found.track_ids,
            quality=found.quality,
            **read,
        )
        return faces.without_affect(found.quality < self.min_quality)

    def _read_adaptively(
        self, batch: Sequence[AlignedFaces], crops: npt.NDArray[np.uint8], bundle: Bundle, rate: AdaptiveRate
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
