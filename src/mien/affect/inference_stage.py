# SPDX-License-Identifier: Apache-2.0
"""The inference stage of `Analyzer`: crops through the affect network, decoded to `Faces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from mien.affect.adaptation.corrections import corrected
from mien.affect.adaptive import AdaptiveRate, predict_adaptively
from mien.affect.geometry import GeometryShare
from mien.affect.views import further_views, view_spread
from mien.core import (
    ACTION_UNIT_SIDES,
    EXPRESSIONS,
    Adaptation,
    CropReading,
    Faces,
    Float32,
    Frame,
    Image,
    Indices,
    Int64,
    ModelSpec,
    TaskSpec,
    UncertaintySpec,
    with_uncertainty,
)
from mien.faces import (
    N_KEYPOINTS,
    SIGNALS,
    Detections,
    LandmarkModel,
    QualityModel,
    align_faces,
    quality_signals,
    read_given_face,
    resize_face,
    share_inside,
    to_colour,
)
from mien.inference import Bundle


@dataclass(frozen=True, eq=False, kw_only=True)
class RawFrame:
    """Raw outputs of the affect network for the N >= 0 faces of one frame, before any activation.

    Attributes:
        index: Position of the frame, see `mien.core.Frame`.
        time_s: Presentation time of the frame in seconds, see `mien.core.Frame`.
        track_ids: (N,) int64 track numbers.
        outputs: Output name -> (N, ...) float32; empty where there is no face.
    """

    index: int
    time_s: float
    track_ids: Int64
    outputs: Mapping[str, Float32]


# Key of the factor of the quality of hidden faces, among the values of faces that wait to be put together.
_HIDING_FACTOR = "hiding_factor"


class AlignedFaces(NamedTuple):
    """The faces of one image between the face stage and the affect stage.

    Attributes:
        detections: N >= 0 faces.
        track_ids: (N,) track numbers, -1 where nothing is tracked.
        crops: (N, S, S) or (N, S, S, 3) uint8 input of the affect network.
        quality: (N,) in [0, 1], or NaN.
        numbers: (N,) numbers among all faces of the image, see `mien.core.Faces`.
        inside: (N,) share of the face in the image, the bound of its quality; None for whole faces.
        signals: (N, 11) quality signals, NaN where a face is read whole; None without a quality model.
    """

    detections: Detections
    track_ids: Int64
    crops: Image
    quality: Float32
    numbers: Int64
    inside: Float32 | None = None
    signals: Float32 | None = None

    def enlarged(self, factor: float) -> AlignedFaces:
        """The same faces, found in an image with so many times fewer pixels along each axis."""
        return self._replace(detections=self.detections.enlarged(factor))


@dataclass(frozen=True, eq=False)
class DetectedFrame:
    """A frame whose faces are detected; it holds its pixels only on request."""

    index: int
    time_s: float
    found: AlignedFaces
    image: Image | None
    dark: bool = False


def rows_of(batch: Sequence[AlignedFaces]) -> list[slice]:
    """Rows of each image's faces in the concatenation of the batch."""
    stops = np.cumsum([len(found.detections) for found in batch]).tolist()
    return [slice(start, stop) for start, stop in zip([0, *stops[:-1]], stops, strict=True)]


def read_crop(
    image: Image, spec: ModelSpec, landmark_model: LandmarkModel | None, given: CropReading
) -> tuple[Image, Detections]:
    """Input of a bundle's network for an image that is one face, and that face as the landmark model sees it.

    Args:
        image: (H, W, 3) uint8 RGB.
        spec: Description of the bundle.
        landmark_model: Landmark model; None reads the image whole.
        given: ``"whole"`` or ``"aligned"``, see `mien.core.CropSpec`.

    Returns:
        (S, S) for gray input, else (S, S, 3), uint8; and one face, or none where the image is read whole.
    """
    if given == "aligned" and landmark_model is not None:
        found = read_given_face(landmark_model, image, spec.crop.template)
        if len(found):
            return cut_faces(image, found, spec)[0], found
    return to_colour(resize_face(image, spec.input.size_px, spec.crop.shrink), spec.input.colour), Detections.empty()


def aligned_faces(
    model: QualityModel | None,
    shape: tuple[int, int],
    detections: Detections,
    track_ids: Int64,
    crops: Image,
    numbers: Int64,
) -> AlignedFaces:
    """The faces of an image for the inference stage, with the quality of the image.

    Args:
        model: Quality model of the bundle, or None.
        shape: Height and width of the image in pixels.
        detections: N faces in the image.
        track_ids: (N,) track numbers.
        crops: (N, S, S) or (N, S, S, 3) uint8: the faces, aligned.
        numbers: (N,) numbers among all faces of the image.
    """
    inside = share_inside(shape, detections)
    if model is None:
        unknown = np.full(len(detections), np.nan, np.float32)
        return AlignedFaces(detections, track_ids, crops, unknown, numbers, inside)
    signals = quality_signals(shape, detections, crops)
    return AlignedFaces(detections, track_ids, crops, model(signals), numbers, inside, signals)


def given_crop(model: QualityModel | None, shape: tuple[int, int], crop: Image, found: Detections) -> AlignedFaces:
    """One face that was given as a crop, for the inference stage; its box is the whole image.

    Args:
        model: Quality model of the bundle, or None.
        shape: Height and width of the image in pixels.
        crop: Input of the network, as `read_crop` gives it.
        found: The face in the image, or none.
    """
    box = np.array([[0, 0, shape[1], shape[0]]], np.float32)
    unknown, no_track, first = np.full(1, np.nan, np.float32), np.array([-1]), np.array([1])
    if len(found):
        seen = aligned_faces(model, shape, found, no_track, crop[None], first)
        return seen._replace(detections=replace(found, boxes=box, confidence=unknown), inside=None)
    face = Detections(box, unknown, np.full((1, N_KEYPOINTS, 2), np.nan, np.float32))
    signals = None if model is None else np.full((1, len(SIGNALS)), np.nan, np.float32)
    return AlignedFaces(face, no_track, crop[None], unknown, first, None, signals)


def fit_crop(image: Image, spec: ModelSpec, landmark_model: LandmarkModel | None = None) -> Image:
    """Input of a bundle's network for an image that is one face, read as ``spec.crop.given`` says.

    Args:
        image: (H, W, 3) uint8 RGB.
        spec: Description of the bundle.
        landmark_model: Landmark model for bundles that read given crops aligned; None reads them whole.

    Returns:
        (S, S) for gray input, else (S, S, 3), uint8.
    """
    return read_crop(image, spec, landmark_model, spec.crop.given)[0]


def cut_faces(image: Image, detections: Detections, spec: ModelSpec) -> Image:
    """Input of a bundle's network for the faces of an image, aligned.

    Args:
        image: (H, W, 3) RGB, or (H, W) for a bundle with gray input.
        detections: N >= 0 faces of the image.
        spec: Description of the bundle.

    Returns:
        (N, S, S) for gray input, else (N, S, S, 3), uint8.
    """
    crops = align_faces(image, detections.keypoints, spec.crop.template, spec.input.size_px)
    return crops if image.ndim == 2 else to_colour(crops, spec.input.colour)


def activate(raw: Float32, task: TaskSpec) -> Float32:
    """The values of a task (N, L) from its raw outputs (N, L): temperature, activation, range.

    Examples:
        >>> task = TaskSpec(
        ...     task="expression", output="e", labels=("neutral", "happiness"), activation="softmax", low=0.0, high=1.0,
        ...     unit="probability", temperature=2.0,
        ... )
        >>> activate(np.log(np.array([[1, 9]], np.float32)), task).round(2).tolist()
        [[0.25, 0.75]]
    """
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
        spec: Description of the bundle.
        keep_features: Whether the result holds the embedding.
        adaptation: Corrections for a person or a site; None for none.

    Examples:
        >>> from mien.inference import load_spec
        >>> decoder = Decoder(load_spec("mien-light"))
        >>> decoder.expression_labels[:2], decoder.action_unit_labels[:2]
        (('neutral', 'happiness'), ('AU01', 'AU02'))
    """

    spec: ModelSpec
    keep_features: bool = False
    adaptation: Adaptation | None = None

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

    def __call__(self, outputs: dict[str, Float32]) -> dict[str, Any]:
        """Keyword arguments of `Faces` for N >= 1 faces."""
        fields: dict[str, Any] = {
            "expression_labels": self.expression_labels,
            "action_unit_labels": self.action_unit_labels,
        }
        changed = corrected(outputs, self.spec, self.adaptation)
        for task in self.spec.tasks:
            values = activate(changed[task.output], task)
            if task.task == "valence_arousal":
                fields["valence"], fields["arousal"] = values.T
            elif task.task == "action_unit_intensity":
                known = np.full((len(values), len(self.action_unit_labels)), np.nan, np.float32)
                known[:, [self.action_unit_labels.index(label) for label in task.labels]] = values
                fields[task.task] = known
            elif task.task == "action_unit_sides":
                fields[task.task] = np.full((len(values), len(ACTION_UNIT_SIDES)), np.nan, np.float32)
                fields[task.task][:, [ACTION_UNIT_SIDES.index(label) for label in task.labels]] = values
            else:
                order = fields[{"expression": "expression_labels", "action_units": "action_unit_labels"}[task.task]]
                fields[task.task] = values[:, [task.labels.index(label) for label in order]]
        if self.spec.features:
            fields |= self._of_features(outputs[self.spec.features])
        return fields

    def _of_features(self, features: Float32) -> dict[str, Float32]:
        """The probes of the bundle's calibration, and the embedding where it is kept."""
        spec = self.spec.uncertainty
        scores = {} if spec is None else {name: getattr(spec, name) for name in ("covered", "unfamiliar")}
        known = {name: score(features) for name, score in scores.items() if score is not None}
        return known | ({"features": features} if self.keep_features else {})


def raw_outputs(batch: Sequence[AlignedFaces], bundle: Bundle) -> list[dict[str, Float32]]:
    """Raw outputs for the faces of several images from one run of the network, by image; empty without a face."""
    outputs = bundle.run(np.concatenate([found.crops for found in batch]))
    return [
        {name: values[rows] for name, values in outputs.items()} if rows.start < rows.stop else {}
        for rows in rows_of(batch)
    ]


def raw_frames(batch: Sequence[DetectedFrame], bundle: Bundle) -> list[RawFrame]:
    """Raw outputs for the faces of several frames from one run of the network."""
    outputs = raw_outputs([one.found for one in batch], bundle)
    return [
        RawFrame(index=one.index, time_s=one.time_s, track_ids=one.found.track_ids, outputs=own)
        for one, own in zip(batch, outputs, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class AffectInference:
    """Predicts the affect of detected faces. Safe to share between threads.

    Attributes:
        decoder: Decoder of the bundle.
        min_quality: Quality in [0, 1] below which a face gets no affect; a quality of NaN is never below.
        quality_model: Quality model of the bundle, or None.
        n_views: Number of further views of each face, see `mien.affect.views`.
        geometry: Geometry model that gives valence and arousal, or a share of them; None for the network alone.
    """

    decoder: Decoder
    min_quality: float
    quality_model: QualityModel | None = None
    n_views: int = 0
    geometry: GeometryShare | None = None

    def faces(self, batch: Sequence[AlignedFaces], bundle: Bundle, rate: AdaptiveRate | None = None) -> list[Faces]:
        """Affect of the faces of several images; with a rate, predicted for some and interpolated for the others.

        Args:
            batch: Images in order; with a rate, a stretch of a video.
            bundle: Bundle that the decoder belongs to.
            rate: Adaptive rate, or None to predict every face.
        """
        crops = np.concatenate([found.crops for found in batch])
        if rate is None or not len(crops):
            predicted = self._predict(crops, bundle, _signals(batch)) if len(crops) else {}
        else:
            predicted = self._predict_adaptively(batch, crops, bundle, rate)
        if self.geometry is not None and len(crops):
            landmarks = np.concatenate([found.detections.landmarks for found in batch])
            predicted = self.geometry.apply(predicted, landmarks)
        return self._by_image(batch, predicted)

    def frames(self, batch: Sequence[DetectedFrame], bundle: Bundle, rate: AdaptiveRate | None = None) -> list[Frame]:
        """Frames with the affect of their faces; arguments as for `faces`."""
        affect = self.faces([one.found for one in batch], bundle, rate) if batch else []
        return [
            Frame(index=one.index, time_s=one.time_s, faces=own, image=one.image, dark=one.dark)
            for one, own in zip(batch, affect, strict=True)
        ]

    def _predict(self, crops: Image, bundle: Bundle, signals: Float32 | None) -> dict[str, Any]:
        """Keyword arguments of `Faces` for N >= 1 crops."""
        outputs = bundle.run(crops)
        values = self.decoder(outputs)
        if self.quality_model is not None and signals is not None and self.decoder.spec.features:
            factor = self.quality_model.hiding_factor(signals, outputs[self.decoder.spec.features])
            values |= {} if factor is None else {_HIDING_FACTOR: factor}
        if self.n_views and "expression" in values:
            others = [self.decoder(bundle.run(view))["expression"] for view in further_views(crops, self.n_views)]
            values["view_spread"] = view_spread(values["expression"], others)
        return values

    def given(self, crops: Sequence[AlignedFaces], bundle: Bundle) -> Faces:
        """Affect of faces that were given as crops, N >= 1, all in one run."""
        whole = _joined(crops)._replace(numbers=np.arange(1, len(crops) + 1))
        return self.faces([whole], bundle)[0]

    def _by_image(self, batch: Sequence[AlignedFaces], predicted: dict[str, Any]) -> list[Faces]:
        """The faces of each image. All are put together at once: what a call costs is paid once a batch."""
        together = self._of_faces(batch[0] if len(batch) == 1 else _joined(batch), predicted)
        if len(batch) == 1:
            return [together]
        return [together[rows] if rows.start < rows.stop else self._no_faces() for rows in rows_of(batch)]

    def _no_faces(self) -> Faces:
        return Faces.empty(self.decoder.expression_labels, self.decoder.action_unit_labels)

    def _of_faces(self, found: AlignedFaces, predicted: dict[str, Any]) -> Faces:
        seen = found.detections
        if not len(seen):
            return self._no_faces()
        faces = Faces(
            boxes=seen.boxes,
            confidence=seen.confidence,
            landmarks=seen.landmarks,
            keypoints=seen.keypoints,
            pose_rad=seen.pose_rad,
            eyes_open=seen.eyes_open,
            track_ids=found.track_ids,
            quality=self._quality(found, predicted),
            numbers=found.numbers,
            **{name: values for name, values in predicted.items() if name != _HIDING_FACTOR},
        )
        return with_uncertainty(faces.without_affect(faces.quality < self.min_quality), self.uncertainty)

    @property
    def uncertainty(self) -> UncertaintySpec | None:
        """Calibration of the bundle; its intervals of valence and arousal are of the network alone."""
        spec = self.decoder.spec.uncertainty
        return spec if spec is None or self.geometry is None else replace(spec, half_widths={})

    def _quality(self, found: AlignedFaces, predicted: Mapping[str, Any]) -> Float32:
        """Quality (N,) from that of the image, for how sure the network is of its expressions and how hidden a face."""
        quality, expression = found.quality, predicted.get("expression")
        if self.quality_model is not None and expression is not None and expression.shape[1]:
            quality = self.quality_model.with_sureness(quality, expression.max(axis=1))
            quality = self.quality_model.with_hiding(quality, predicted.get(_HIDING_FACTOR))
        return quality if found.inside is None else np.minimum(quality, found.inside)

    def _predict_adaptively(
        self, batch: Sequence[AlignedFaces], crops: Image, bundle: Bundle, rate: AdaptiveRate
    ) -> dict[str, Any]:
        """Keyword arguments of `Faces` as the decoder gives them, for all faces of a stretch of a video."""
        places = np.repeat(np.arange(len(batch)), [len(found.track_ids) for found in batch])
        quality = np.concatenate([found.quality for found in batch])
        labels = {
            "expression_labels": self.decoder.expression_labels,
            "action_unit_labels": self.decoder.action_unit_labels,
        }

        signals = _signals(batch)

        def predict(rows: Indices) -> dict[str, Float32]:
            values = self._predict(crops[rows], bundle, None if signals is None else signals[rows])
            return {name: values[name] for name in values.keys() - labels.keys()}

        track_ids = np.concatenate([found.track_ids for found in batch])
        values, _ = predict_adaptively(rate, places, track_ids, ~(quality < self.min_quality), predict)
        return {**labels, **values}


def _signals(batch: Sequence[AlignedFaces]) -> Float32 | None:
    """Quality signals (N, 11) of the faces of several images; None without a quality model."""
    known = [found.signals for found in batch if found.signals is not None]
    return np.concatenate(known) if len(known) == len(batch) else None


def _joined(batch: Sequence[AlignedFaces]) -> AlignedFaces:
    """The faces of several images as if they were of one; their numbers stay."""
    whole = [np.ones(len(found.detections), np.float32) if found.inside is None else found.inside for found in batch]
    return AlignedFaces(
        Detections.concatenated([found.detections for found in batch]),
        np.concatenate([found.track_ids for found in batch]),
        np.concatenate([found.crops for found in batch]),
        np.concatenate([found.quality for found in batch]),
        np.concatenate([found.numbers for found in batch]),
        np.concatenate(whole),
        _signals(batch),
    )
