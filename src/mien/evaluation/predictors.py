# SPDX-License-Identifier: Apache-2.0
"""Predictors of evaluations: files of predictions, and bundles on the crops of a data set."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.affect import Analyzer, compound_scores, fill_gaps
from mien.core import Bools, ConfigError, DatasetError, Float32, Float64, Floats, Image, InputError, Int64, Integers
from mien.datasets import CROP_FOLDERS, AnnotationError, ClipSamples, FrameSamples, ImageSamples, frame_columns
from mien.evaluation.challenge.blending import BlendOn, blend_scores
from mien.evaluation.challenge.image_names import ImageNames
from mien.evaluation.challenge.predictions import KEY, Predictions, read_predictions
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.media import cut_box, load_image
from mien.metrics import OFFICIAL_THRESHOLD
from mien.results import hash_file

Picture = Path | Image

_CROPS_A_BATCH = 64


class Predictor(Protocol):
    """The interface of predictors: (N, F) predictions, one column per field of the format."""

    @property
    def name(self) -> str:
        """Name of the file or bundle."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file or bundle."""

    def predict_frames(self, task_format: SubmissionFormat, samples: FrameSamples) -> Float64:
        """Predictions for every frame of the samples."""

    def predict_images(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """Predictions for every image of the samples."""

    def predict_clips(self, task_format: SubmissionFormat, samples: ClipSamples) -> Float64:
        """Predictions for every clip of the samples."""


class PredictionFile:
    """A predictor from a file in the format of the task's submissions; surplus rows are ignored.

    Args:
        path: File of predictions.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """Name of the file."""
        return self._path.name

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hash_file(self._path)

    def predict_frames(self, task_format: SubmissionFormat, samples: FrameSamples) -> Float64:
        """Predictions by video and frame number.

        Raises:
            InputError: The file does not have this format, or a frame has no row or several.
        """
        predictions = read_predictions(task_format, self._path)
        try:
            columns = frame_columns(predictions.table, None)
        except AnnotationError as error:
            raise InputError(str(error)) from error
        number = {track: index for index, track in enumerate(samples.tracks)}
        track = np.array([number.get(name, -1) for name in columns["tracks"]], dtype=np.int64)[columns["track_index"]]
        known = _keys(track, columns["frame"])
        wanted = _keys(samples.track_index, samples.frame)
        order = np.argsort(known)
        place = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
        rows = order[place]
        self._check(known[rows] != wanted, samples.image_location)
        return predictions.values[rows]

    def predict_images(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """Predictions by the path of the image as the data set writes it; see `ImageNames`.

        Raises:
            InputError: The file does not have this format, or an image has no row or several.
        """
        predictions = self._read(task_format)
        known = predictions.names.to_pylist()
        row_of = {name: row for row, name in enumerate(known)}
        names = ImageNames(known, self._path, samples.folder)
        found = [names.find(name) for name in samples.names]
        self._check(np.array([name is None for name in found]), lambda row: samples.names[row])
        chosen: Float64 = predictions.values[[row_of[name] for name in found if name is not None]]
        return chosen

    def predict_clips(self, task_format: SubmissionFormat, samples: ClipSamples) -> Float64:
        """Predictions by the name of the clip, which is text: ``00001`` is not 1.

        Raises:
            InputError: The file does not have this format, or a clip has no row or several.
        """
        predictions = self._read(task_format)
        rows = pc.index_in(pa.array(samples.names, pa.string()), value_set=predictions.names)
        missing = np.asarray(rows.is_null())
        bare = set(predictions.names.to_pylist())
        lost = [name for name in itertools.compress(samples.names, missing) if name.lstrip("0") in bare]
        if lost:
            raise InputError(
                f"{self._path} has {lost[0].lstrip('0')} where {lost[0]} is annotated: names are text, and a program"
                " took the zeros away"
            )
        self._check(missing, lambda row: samples.names[row])
        chosen: Float64 = predictions.values[rows.to_numpy()]
        return chosen

    def _read(self, task_format: SubmissionFormat) -> Predictions:
        predictions = read_predictions(task_format, self._path)
        if pc.count_distinct(predictions.names).as_py() < len(predictions):
            raise InputError(f"{self._path} names a row twice; keep one row for each {KEY}")
        return predictions

    def _check(self, missing: Bools, name_of: Naming) -> None:
        if missing.any():
            first = name_of(int(missing.argmax()))
            raise InputError(
                f"{self._path} has no prediction for {int(missing.sum())} annotated rows, the first is {first};"
                " fill in frames without a face, too (mien submit does)"
            )


class Naming(Protocol):
    """A function from row number to the name of the row."""

    def __call__(self, row: int, /) -> str:
        """Name of the row."""


class BundleOnCrops:
    """A predictor from a bundle on the data set's own crops, frame by frame and without smoothing.

    Frames without a crop are interpolated within their track; a track without any crop is left out. Action units count
    as present from `mien.metrics.OFFICIAL_THRESHOLD` on; `TablePredictor` takes other thresholds.

    Args:
        analyzer: Analyzer of the bundle.
    """

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._absent: dict[str, None] = {}

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self._analyzer.spec.name

    @property
    def digest(self) -> str:
        """SHA-256 of the bundle."""
        return self._analyzer.bundle_digest

    def predict_frames(self, task_format: SubmissionFormat, samples: FrameSamples) -> Float64:
        """Predictions for every frame of the tracks.

        A track without a crop is NaN.

        Raises:
            ConfigError: The bundle lacks what the task needs.
            DatasetError: No row has a crop.
            InputError: A crop cannot be read.
        """
        if not samples.has_image.any():
            raise no_crops(samples)
        labels = samples.expression_labels, samples.action_unit_labels
        result = np.full((len(samples), len(task_format.fields)), np.nan)
        for _, rows in samples.track_rows():
            with_crop = rows[samples.has_image[rows]]
            if not len(with_crop):
                continue
            raw = self._raw(task_format, labels, map(Path, samples.image_files(with_crop)))
            dense = fill_gaps(samples.frame[with_crop], raw, samples.frame[rows])
            result[rows] = _decode(task_format, dense)
        return result

    def frames_with_face(self, task_format: SubmissionFormat, samples: FrameSamples) -> Bools:  # noqa: ARG002 - as `TablePredictor`
        """(N,) frames with a crop."""
        return samples.has_image

    def missing(self, task_format: SubmissionFormat) -> tuple[str, ...]:  # noqa: ARG002 - as `TablePredictor`
        """Labels of what was predicted so far that the bundle does not know; they count as 0 throughout."""
        return tuple(self._absent)

    def predict_images(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """Predictions for every image, cut to its face box if the annotations give one.

        Raises:
            ConfigError: The set has no image files, or the bundle lacks what the task needs.
            InputError: An image cannot be read.
        """
        return _decode(task_format, self.image_scores(task_format, samples))

    def image_scores(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """(N, C) probabilities of the set's classes for every image, not yet decoded; errors as `predict_images`."""
        labels = samples.expression_labels, ()
        return self._raw(task_format, labels, (_picture(samples, row) for row in range(len(samples))))

    def predict_clips(self, task_format: SubmissionFormat, samples: ClipSamples) -> Float64:
        """Refused: a bundle predicts single frames, not intensities of whole clips.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"no trained weights for {task_format.name} ({samples.dataset}) come with mien, and a bundle predicts"
            " single frames; train a head (see docs/how-to/heads.md) and name it with --head, or a file with"
            " --predictions"
        )

    def _raw(
        self,
        task_format: SubmissionFormat,
        labels: tuple[tuple[str, ...], tuple[str, ...]],
        pictures: Iterable[Picture],
    ) -> Float64:
        """Scores that are not yet decoded: valence and arousal, one column per class, one per action unit."""
        parts = [self._scores(task_format, labels, batch) for batch in _batches(pictures)]
        return np.concatenate(parts)

    def _scores(
        self,
        task_format: SubmissionFormat,
        labels: tuple[tuple[str, ...], tuple[str, ...]],
        pictures: Sequence[Picture],
    ) -> Float64:
        faces = self._analyzer.crops(pictures)
        expressions, units = labels
        columns: list[Floats] = []
        if task_format.name in ("va", "mtl"):
            if len(faces) and not np.isfinite(faces.valence).any():
                raise ConfigError("the bundle predicts no valence and arousal")
            columns += [faces.valence[:, None], faces.arousal[:, None]]
        if task_format.name == "ce":
            columns.append(compound_scores(faces.expression, faces.expression_labels))
        elif expressions:
            columns.append(_by_label(faces.expression, faces.expression_labels, expressions))
            self._absent |= dict.fromkeys(name for name in expressions if name not in faces.expression_labels)
        if units:
            columns.append(_by_label(faces.action_units, faces.action_unit_labels, units))
            self._absent |= dict.fromkeys(name for name in units if name not in faces.action_unit_labels)
        return np.concatenate(columns, axis=1).astype(np.float64)


class BlendOnImages:
    """A predictor of single images from several bundles, whose scores are averaged before they are decoded.

    Args:
        analyzers: Analyzers of the bundles.
        weights: One number >= 0 per bundle, summing to 1; None for equal ones.
        blend_on: What is averaged: probabilities, or logits as in the LSD challenge.
    """

    def __init__(
        self,
        analyzers: Sequence[Analyzer],
        weights: Sequence[float] | None = None,
        blend_on: BlendOn = "probabilities",
    ) -> None:
        self._models = tuple(BundleOnCrops(analyzer) for analyzer in analyzers)
        self._weights = weights or [1 / len(analyzers)] * len(analyzers)
        self._blend_on = blend_on

    @property
    def name(self) -> str:
        """Names of the bundles."""
        return " + ".join(model.name for model in self._models)

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the bundles."""
        return hashlib.sha256("".join(model.digest for model in self._models).encode()).hexdigest()

    def predict_frames(self, task_format: SubmissionFormat, samples: FrameSamples) -> Float64:
        """Refused: frames need the interpolation of `TablePredictor`.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.name} predicts single images, not {task_format.name} of {samples.dataset}")

    def predict_images(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """Predictions for every image, cut to its face box if the annotations give one, else whole.

        Raises:
            ConfigError: The set has no image files, or a bundle lacks what the task needs.
            InputError: An image cannot be read.
        """
        scores = [model.image_scores(task_format, samples) for model in self._models]
        return _decode(task_format, blend_scores(scores, self._weights, "expr", self._blend_on))

    def predict_clips(self, task_format: SubmissionFormat, samples: ClipSamples) -> Float64:
        """Refused, as for `BundleOnCrops`.

        Raises:
            ConfigError: Always.
        """
        return self._models[0].predict_clips(task_format, samples)


def no_crops(samples: FrameSamples) -> DatasetError:
    """The error that a data set has no crop of any of its frames, so that there is nothing to predict from."""
    where = "" if samples.crops is None else f" in {samples.crops}"
    return DatasetError(
        f"{samples.dataset}, {samples.split}: none of {len(samples)} frames of {len(samples.tracks)} tracks has a"
        f" crop{where}, so there is nothing to predict from; put {' or '.join(CROP_FOLDERS)} into the folder of the"
        " data set"
    )


def _decode(task_format: SubmissionFormat, raw: Float64) -> Float64:
    """Fields of the format from raw columns: values, the class with the highest score, units by threshold."""
    n_values = sum(not field.whole for field in task_format.fields)
    n_units = sum(field.whole and field.name != "expression" for field in task_format.fields)
    parts = [raw[:, :n_values]]
    if any(field.name == "expression" for field in task_format.fields):
        parts.append(raw[:, n_values : raw.shape[1] - n_units].argmax(axis=1)[:, None])
    if n_units:
        parts.append((raw[:, raw.shape[1] - n_units :] >= OFFICIAL_THRESHOLD).astype(np.float64))
    return np.concatenate(parts, axis=1)


def _by_label(values: Float32, labels: Sequence[str], wanted: Sequence[str]) -> Float64:
    """Columns by name; 0 for a label that the bundle does not have, so that it is never predicted."""
    if not any(label in labels for label in wanted):
        raise ConfigError(f"the bundle has none of {', '.join(wanted)}")
    result = np.zeros((len(values), len(wanted)))
    for column, label in enumerate(wanted):
        if label in labels:
            result[:, column] = values[:, labels.index(label)]
    return result


def _picture(samples: ImageSamples, row: int) -> Picture:
    if samples.pixels is not None:
        return samples.gray_image(row)
    path, box = samples.image_path(row), samples.boxes[row]
    return path if np.isnan(box).any() else cut_box(load_image(path), box)


def _batches(pictures: Iterable[Picture]) -> Iterator[Sequence[Picture]]:
    iterator = iter(pictures)
    while batch := list(itertools.islice(iterator, _CROPS_A_BATCH)):
        yield batch


def _keys(track: Integers, frame: Integers) -> Int64:
    return track.astype(np.int64) << 32 | frame.astype(np.int64)
