# SPDX-License-Identifier: Apache-2.0
"""Where the answers of an evaluation come from: a file, or a bundle that looks at the data set's crops."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mien.affect import Analyzer, compound_scores, fill_gaps
from mien.core import ConfigError, InputError
from mien.datasets import AnnotationError, ClipSamples, FrameSamples, ImageSamples
from mien.datasets.track_files import frame_columns
from mien.evaluation.challenge.predictions import KEY, Predictions, read_predictions
from mien.evaluation.challenge.submission_formats import SubmissionFormat
from mien.media import cut_box, load_image
from mien.results import hash_file

Floats = npt.NDArray[np.float64]
Picture = Path | npt.NDArray[np.uint8]

_CROPS_A_BATCH = 64


class Predictor(Protocol):
    """What an evaluation asks of whoever answers."""

    @property
    def name(self) -> str:
        """Of the file or bundle."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file or bundle."""

    def of_frames(self, form: SubmissionFormat, samples: FrameSamples) -> Floats:
        """(N, entries) answers for the rows of the samples."""

    def of_images(self, form: SubmissionFormat, samples: ImageSamples) -> Floats:
        """(N, entries) answers for the images."""

    def of_clips(self, form: SubmissionFormat, samples: ClipSamples) -> Floats:
        """(N, entries) answers for the videos."""


class PredictionFile:
    """Predictions from a file in the form of the task's submissions; it may hold more rows than are asked for.

    Args:
        path: of the file.
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

    def of_frames(self, form: SubmissionFormat, samples: FrameSamples) -> Floats:
        """Predictions by video and frame number.

        Raises:
            InputError: the file is not in this form, or a frame has no row or several.
        """
        answers = read_predictions(form, self._path)
        try:
            columns = frame_columns(answers.table, None)
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
        return answers.values[rows]

    def of_images(self, form: SubmissionFormat, samples: ImageSamples) -> Floats:
        """Predictions by image name as the data set writes it.

        Raises:
            InputError: the file is not in this form, or an image has no row or several.
        """
        return self._by_name(form, samples.names)

    def of_clips(self, form: SubmissionFormat, samples: ClipSamples) -> Floats:
        """Predictions by the name of the video, which is text: ``00001`` is not 1.

        Raises:
            InputError: the file is not in this form, or a video has no row or several.
        """
        return self._by_name(form, samples.names)

    def _by_name(self, form: SubmissionFormat, names: Sequence[str]) -> Floats:
        answers: Predictions = read_predictions(form, self._path)
        if pc.count_distinct(answers.names).as_py() < len(answers):
            raise InputError(f"{self._path} names a row twice; keep one answer for each {KEY}")
        rows = pc.index_in(pa.array(names, pa.string()), value_set=answers.names)
        self._check(np.asarray(rows.is_null()), lambda row: names[row])
        chosen: Floats = answers.values[rows.to_numpy()]
        return chosen

    def _check(self, missing: npt.NDArray[np.bool_], name_of: Naming) -> None:
        if missing.any():
            first = name_of(int(missing.argmax()))
            raise InputError(
                f"{self._path} has no answer for {int(missing.sum())} annotated rows, the first is {first};"
                " fill in frames without a face too (mien submit does)"
            )


class Naming(Protocol):
    """Row number to the name of the row."""

    def __call__(self, row: int, /) -> str:
        """The name."""


class BundleOnCrops:
    """Predictions of a bundle that looks at the data set's own crops, frame by frame and unsmoothed.

    Frames without a crop are interpolated within their track. Action units count as present from .5.

    Args:
        analyzer: with the bundle.
    """

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self._analyzer.spec.name

    @property
    def digest(self) -> str:
        """SHA-256 of the bundle."""
        return self._analyzer.bundle_digest

    def of_frames(self, form: SubmissionFormat, samples: FrameSamples) -> Floats:
        """Predictions to every frame of the tracks.

        Raises:
            ConfigError: the samples have no crops, or the bundle lacks what the task asks for.
            InputError: a crop cannot be read.
        """
        labels = samples.expression_labels, samples.action_unit_labels
        result = np.zeros((len(samples), len(form.entries)))
        for _, rows in samples.track_rows():
            shown = rows[samples.has_image[rows]]
            if not len(shown):
                continue
            raw = self._raw(form, labels, [samples.image_path(int(row)) for row in shown])
            dense = fill_gaps(samples.frame[shown], raw, samples.frame[rows])
            result[rows] = _decided(form, dense)
        return result

    def of_images(self, form: SubmissionFormat, samples: ImageSamples) -> Floats:
        """Predictions to every image: cut to its face box where the annotations give one, else as it stands.

        Raises:
            ConfigError: the set has no image files, or the bundle lacks what the task asks for.
            InputError: an image cannot be read.
        """
        labels = samples.expression_labels, ()
        raw = self._raw(form, labels, (_picture(samples, row) for row in range(len(samples))))
        return raw if form.name == "affectnet" else _decided(form, raw)

    def of_clips(self, form: SubmissionFormat, samples: ClipSamples) -> Floats:
        """Refused: nothing that comes with mien was trained for intensities of whole videos.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"no trained weights for {form.name} ({samples.dataset}) come with mien, and a bundle reads single frames;"
            " train a head (see docs/heads.md) and name it with --head, or pass answers with --predictions FILE"
        )

    def _raw(
        self, form: SubmissionFormat, labels: tuple[tuple[str, ...], tuple[str, ...]], pictures: Iterable[Picture]
    ) -> Floats:
        """Scores before any decision: valence and arousal, one column per class, one per action unit."""
        parts = [self._scores(form, labels, batch) for batch in _batches(pictures)]
        return np.concatenate(parts)

    def _scores(
        self, form: SubmissionFormat, labels: tuple[tuple[str, ...], tuple[str, ...]], pictures: Sequence[Picture]
    ) -> Floats:
        faces = self._analyzer.crops(pictures)
        expressions, units = labels
        columns: list[npt.NDArray[np.floating]] = []
        if form.name in ("va", "mtl"):
            columns += [faces.valence[:, None], faces.arousal[:, None]]
        if form.name == "ce":
            columns.append(compound_scores(faces.expression, faces.expression_labels))
        elif expressions:
            columns.append(_by_label(faces.expression, faces.expression_labels, expressions))
        if units:
            columns.append(_by_label(faces.action_units, faces.action_unit_labels, units))
        return np.concatenate(columns, axis=1).astype(np.float64)


def _decided(form: SubmissionFormat, raw: Floats) -> Floats:
    """Entries of the form from raw columns: values, the highest class, units at .5."""
    n_values = sum(not entry.whole for entry in form.entries)
    n_units = sum(entry.whole and entry.name != "expression" for entry in form.entries)
    parts = [raw[:, :n_values]]
    if any(entry.name == "expression" for entry in form.entries):
        parts.append(raw[:, n_values : raw.shape[1] - n_units].argmax(axis=1)[:, None])
    if n_units:
        parts.append((raw[:, raw.shape[1] - n_units :] >= 0.5).astype(np.float64))
    return np.concatenate(parts, axis=1)


def _by_label(values: npt.NDArray[np.float32], labels: Sequence[str], wanted: Sequence[str]) -> Floats:
    """Columns by name; 0 for a label that the bundle does not have, which therefore is never the answer."""
    if not any(label in labels for label in wanted):
        raise ConfigError(f"the bundle knows none of {', '.join(wanted)}")
    result = np.zeros((len(values), len(wanted)))
    for column, label in enumerate(wanted):
        if label in labels:
            result[:, column] = values[:, labels.index(label)]
    return result


def _picture(samples: ImageSamples, row: int) -> Picture:
    path, box = samples.image_path(row), samples.boxes[row]
    return path if np.isnan(box).any() else cut_box(load_image(path), box)


def _batches(pictures: Iterable[Picture]) -> Iterator[Sequence[Picture]]:
    iterator = iter(pictures)
    while batch := list(itertools.islice(iterator, _CROPS_A_BATCH)):
        yield batch


def _keys(track: npt.NDArray[np.integer], frame: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    return track.astype(np.int64) << 32 | frame.astype(np.int64)
