# SPDX-License-Identifier: Apache-2.0
"""`TablePredictor`: scores of one or several models, interpolated, blended, smoothed and decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mien.affect import CompoundMean, Smoothing, confidence_filter, fill_gaps, strongest_per_frame
from mien.core import Bools, ConfigError, Float64, InputError, Integers
from mien.datasets import ClipSamples, FrameSamples, ImageSamples
from mien.evaluation.challenge.blending import BlendOn, Weights, blend_scores, complete_weights
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
from mien.evaluation.challenge.head_scores import HeadOnFrames
from mien.evaluation.challenge.submission_formats import SubmissionFormat, TaskDecoder, task_decoders
from mien.evaluation.challenge.table_scores import (
    ImageScores,
    VideoScores,
    load_video_scores,
    table_files,
    track_faces,
)
from mien.results import hash_file

TASKS = ("va", "expr", "au")
"""Tasks whose models are blended with weights of their own."""


class TablePredictor:
    """A predictor from affect tables of the videos (or the official crops) of a data set, or from bundles on crops.

    The scores of a track are interpolated over all frames of its list (the last one is repeated if the list is longer
    than the video, surplus frames are dropped if it is shorter), blended over the models, smoothed, and decoded last.

    Args:
        models: Folder of tables, `BundleOnCropFolder` or `HeadOnFrames`, one per model. A head has one task; the other
            tasks are left to the other models.
        smoothing: Filter over the interpolated frames; None for none, as for tables that are smoothed already.
        thresholds: One probability per action unit, from which it counts as present; empty for
            `mien.metrics.OFFICIAL_THRESHOLD` throughout.
        weights: Task (``"va"``, ``"expr"``, ``"au"``) -> one weight per model, or the first of two; equal ones for the
            other tasks.
        blend_on: What is averaged: probabilities, or logits.
        confident: A pretrained model and the probability above which it decides the expression: its smoothed
            probabilities of the classes that both know are compared with it. None for no such filter.
        compound_mean: Mean of two probabilities that scores a compound expression.

    Raises:
        ConfigError: There is no model, a weight is for an unknown task, or the weights do not fit the models.
    """

    def __init__(
        self,
        models: Sequence[str | Path | BundleOnCropFolder | HeadOnFrames],
        *,
        smoothing: Smoothing | None = None,
        thresholds: Sequence[float] = (),
        weights: Weights | None = None,
        blend_on: BlendOn = "probabilities",
        confident: tuple[str | Path | BundleOnCropFolder | HeadOnFrames, float] | None = None,
        compound_mean: CompoundMean = "arithmetic",
    ) -> None:
        if not models:
            raise ConfigError("at least one folder of affect tables is needed")
        self._models = tuple(map(_model, models))
        self._confident = None if confident is None else _model(confident[0])
        self._confidence = 1.0 if confident is None else confident[1]
        self._blend_on = blend_on
        self._compound_mean = compound_mean
        self._smoothing = smoothing or Smoothing()
        self._thresholds = tuple(thresholds)
        self._loaded: dict[tuple[str, Path | None], list[LoadedTables]] = {}
        unknown = sorted(set(weights or {}) - set(TASKS))
        if unknown:
            raise ConfigError(f"weights are for {', '.join(TASKS)}, not for {', '.join(unknown)}")
        self._weights = complete_weights(weights or {}, len(self._models), ())

    @property
    def name(self) -> str:
        """Names of the folders and bundles."""
        names = " + ".join(model.name for model in self._models)
        return names if self._confident is None else f"{names}, {self._confident.name} where it is certain"

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all tables and bundles."""
        return hashlib.sha256(
            "".join(digest for model in self._all_models for digest in model.digests()).encode()
        ).hexdigest()

    @property
    def n_models(self) -> int:
        """Number of models that are blended."""
        return len(self._models)

    @property
    def _all_models(self) -> tuple[Model, ...]:
        """The models that are blended, then the confident one."""
        return self._models if self._confident is None else (*self._models, self._confident)

    def predict_frames(self, task_format: SubmissionFormat, samples: FrameSamples) -> Float64:
        """(N, F) predictions for every frame of the tracks; see `track_faces` for tracks that share a video.

        A track in which no model has a face is NaN.

        Raises:
            ConfigError: The tables do not hold what the format needs.
            InputError: A table cannot be read, or a video is in none.
        """
        return self._decoded(self.decoders(task_format), partial(self.scores, task_format, samples=samples))

    def predict_images(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """(N, F) predictions for images, which are found by their paths; NaN for an image without a face.

        Raises:
            ConfigError: As for `predict_frames`.
            InputError: A table cannot be read, or an image is in none or in several places.
        """
        loaded = self.load(task_format, folder=samples.folder)
        one = np.ones(1, dtype=np.int64)

        def scores(decoder: TaskDecoder) -> Float64:
            return np.concatenate([self.track_scores(decoder, loaded, name, one) for name in samples.names])

        return self._decoded(self.decoders(task_format), scores)

    def frames_with_face(self, task_format: SubmissionFormat, samples: FrameSamples) -> Bools:
        """(N,) frames in which any model has a face; the others are interpolated, or NaN in a track without any.

        Raises:
            InputError: A table cannot be read, or a video is in none.
        """
        found = np.zeros(len(samples), dtype=bool)
        loaded = self.load(task_format)
        for track, rows in samples.track_rows():
            if len(rows):
                seen = [tables.knows(track, samples.frame[rows], samples.tracks) for tables in loaded]
                found[rows] = np.any(seen, axis=0)
        return found

    @staticmethod
    def _decoded(decoders: Sequence[TaskDecoder], scores: Callable[[TaskDecoder], Float64]) -> Float64:
        fields = []
        for decoder in decoders:
            own = scores(decoder)
            unknown = np.isnan(own).all(axis=1, keepdims=True)
            fields.append(np.where(unknown, np.nan, decoder.decode(np.where(unknown, 0.0, own))))
        return np.concatenate(fields, axis=1)

    def predict_clips(self, task_format: SubmissionFormat, samples: ClipSamples) -> Float64:
        """Refused: tables hold frames, not intensities of whole videos.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"affect tables hold no predictions of {task_format.name} for {samples.dataset}; give a file of predictions"
        )

    def decoders(self, task_format: SubmissionFormat) -> tuple[TaskDecoder, ...]:
        """The decoders of the format's tasks with the settings of this predictor."""
        return task_decoders(task_format, self._smoothing, self._thresholds, self._compound_mean)

    def scores(
        self,
        task_format: SubmissionFormat,
        decoder: TaskDecoder,
        samples: FrameSamples,
        *,
        loaded: list[LoadedTables] | None = None,
    ) -> Float64:
        """(N, C) blended and smoothed scores of one task, not yet decoded.

        Raises:
            InputError: A table cannot be read, a video is in none, or the samples have no row.
        """
        tables = loaded or self.load(task_format)
        result: Float64 | None = None
        for track, rows in samples.track_rows():
            if not len(rows):
                continue
            own = self.track_scores(decoder, tables, track, samples.frame[rows], other_tracks=samples.tracks)
            result = np.zeros((len(samples), own.shape[1])) if result is None else result
            result[rows] = own
        if result is None:
            raise InputError(f"{samples.dataset}, {samples.split} has no row to predict")
        return result

    def load(self, task_format: SubmissionFormat, *, folder: Path | None = None) -> list[LoadedTables]:
        """The tables of every model, the confident one last, with the columns that the format needs; read once.

        Args:
            task_format: Format of the task.
            folder: Folder of the images of a data set of single images; None where it is unknown.

        Raises:
            ConfigError: No model predicts a task of the format, or there is a confident model and no expression of one
                class per frame.
            InputError: A table cannot be read.
        """
        key = task_format.name, folder
        if key in self._loaded:
            return self._loaded[key]
        decoders = self.decoders(task_format)
        if self._confident and not any(each.task == "expr" and each.scores is None for each in decoders):
            raise ConfigError(f"a confident model decides expressions; {task_format.name} has none that it could")
        columns = [column for each in decoders for column in each.columns]
        loaded = [
            LoadedTables(model, columns, per_frame=task_format.per_frame, folder=folder) for model in self._all_models
        ]
        if all(tables.empty for tables in loaded):
            raise InputError(f"{self.name}: there is no face in any table, so there is nothing to predict from")
        for decoder in decoders:
            if not any(tables.predicts(decoder) for tables in loaded[: self.n_models]):
                raise ConfigError(f"{self.name}: no model predicts {', '.join(decoder.columns)}")
        self._loaded = {key: loaded}
        return loaded

    def missing(self, task_format: SubmissionFormat) -> tuple[str, ...]:
        """Columns that no model predicts; they count as 0 throughout."""
        loaded = self.load(task_format)
        return tuple(name for name in loaded[0].missing if all(name in tables.missing for tables in loaded))

    def track_scores(
        self,
        decoder: TaskDecoder,
        loaded: Sequence[LoadedTables],
        track: str,
        frames: Integers,
        *,
        other_tracks: Sequence[str] = (),
    ) -> Float64:
        """(T, C) scores of one track in the given frames (from 1); NaN if no model has a face in the track.

        The weight of a model without a face goes to the others, as does that of a model that lacks a column.

        Raises:
            InputError: No table of a model has the video.
        """
        models = [tables.interpolated(decoder, track, int(frames.max()), other_tracks) for tables in loaded]
        longest = max(len(scores) for scores in models)
        # One model may have found faces in later frames than another: the last value is repeated.
        level = [np.pad(scores, ((0, longest - len(scores)), (0, 0)), mode="edge") for scores in models]
        blended = blend_scores(level[: self.n_models], self._weights_of(decoder.task), decoder.task, self._blend_on)
        chosen = np.asarray(frames) - 1
        width = decoder.width if np.isfinite(blended).all() else 0
        own = self._smoothing.sample(blended, width, chosen)
        if self._confident is None or decoder.task != "expr":
            return own
        sure = self._smoothing.sample(level[-1], decoder.width, chosen)
        return self._filtered(decoder, np.nan_to_num(sure), own, loaded[-1].missing)

    def _filtered(self, decoder: TaskDecoder, sure: Float64, own: Float64, missing: Sequence[str]) -> Float64:
        """One-hot classes of the confident model where it is certain, the scores of the trained models elsewhere."""
        known = [column for column in decoder.columns if column not in missing]
        kept = [decoder.columns.index(column) for column in known]
        decided = confidence_filter(sure[:, kept], known, own, decoder.columns, self._confidence)
        certain = sure[:, kept].max(axis=1) > self._confidence
        return np.where(certain[:, None], np.eye(own.shape[1])[decided], own)

    def _weights_of(self, task: str) -> Sequence[float]:
        return self._weights.get(task) or [1 / self.n_models] * self.n_models


def _model(given: str | Path | BundleOnCropFolder | HeadOnFrames) -> Model:
    return TableFolder(Path(given)) if isinstance(given, (str, Path)) else given


class TableFolder:
    """A model: a folder of tables that `mien analyze` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def place(self) -> str:
        """The folder, for messages."""
        return str(self.folder)

    def digests(self) -> Iterator[str]:
        """SHA-256 of each table."""
        return map(hash_file, table_files(self.folder))

    def videos(self, columns: Sequence[str], *, per_frame: bool) -> Mapping[str, VideoScores]:
        """Video -> its scores; see `load_video_scores`."""
        return load_video_scores(self.folder, columns, per_frame=per_frame)

    def missing(self, columns: Sequence[str], videos: Mapping[str, VideoScores]) -> tuple[str, ...]:
        """Columns that have no value in any table."""
        return tuple(name for name in columns if not any(np.isfinite(v.columns[name]).any() for v in videos.values()))


Model: TypeAlias = TableFolder | BundleOnCropFolder | HeadOnFrames
"""What the scores of a blend come from."""


class LoadedTables:
    """The scores of one model.

    Args:
        model: Model whose tables are read.
        columns: Names of the table columns that are needed.
        per_frame: False for lists of single images.
        folder: Folder of the images of a data set of single images; None where it is unknown.

    Attributes:
        missing: Columns that have no value in any table.
        empty: Whether no table has a face.

    Raises:
        InputError: As for `load_video_scores`.
    """

    def __init__(
        self,
        model: Model,
        columns: Sequence[str],
        *,
        per_frame: bool,
        folder: Path | None = None,
    ) -> None:
        self._model = model
        self._interpolated: dict[tuple[str, str, int], Float64] = {}
        if isinstance(model, HeadOnFrames) and not per_frame:
            raise ConfigError(f"{model.name} predicts frames of videos, not single images")
        videos = {} if isinstance(model, HeadOnFrames) else model.videos(columns, per_frame=per_frame)
        self.missing = model.missing(columns, videos)
        self.empty = isinstance(model, TableFolder) and not any(len(video.frames) for video in videos.values())
        self._videos: Mapping[str, VideoScores] = videos
        if isinstance(model, TableFolder) and not per_frame:
            self._videos = ImageScores(videos, model.folder, folder)

    def predicts(self, decoder: TaskDecoder) -> bool:
        """Whether the model predicts a task: valence and arousal, or any class or action unit."""
        if isinstance(self._model, HeadOnFrames) and self._model.task != decoder.task:
            return False
        lacking = [name for name in decoder.columns if name in self.missing]
        return not lacking if decoder.task == "va" else len(lacking) < len(decoder.columns)

    def scores(self, track: str, other_tracks: Sequence[str]) -> VideoScores:
        """Scores of one track.

        Raises:
            InputError: No table has its video.
        """
        scores = track_faces(track, self._videos, other_tracks)
        if scores is None:
            raise InputError(f"{self._model.place}: no table has the video {track} of the list; analyse it too")
        return scores

    def knows(self, track: str, frames: Integers, other_tracks: Sequence[str]) -> Bools:
        """(T,) whether the model has a face, or a vector, in each of some frames of a track.

        Raises:
            InputError: No table has its video.
        """
        if isinstance(self._model, HeadOnFrames):
            return self._model.knows(track, int(frames.max()))[np.asarray(frames) - 1]
        return np.isin(frames, self.scores(track, other_tracks).frames)

    def anywhere(self, track: str, other_tracks: Sequence[str]) -> bool:
        """Whether the model has a face, or a vector, in any frame of a track."""
        if isinstance(self._model, HeadOnFrames):
            return self._model.has_vectors(track)
        return len(self.scores(track, other_tracks).frames) > 0

    def interpolated(self, decoder: TaskDecoder, track: str, n_frames: int, other_tracks: Sequence[str]) -> Float64:
        """(T, C) scores of one task on the frames 1 to T: all that the list names and all with a face; cached.

        NaN are the columns that the model does not predict, and all columns of a track without a face.
        """
        key = decoder.task, track, n_frames
        if key not in self._interpolated:
            self._interpolated[key] = self._interpolate(decoder, track, n_frames, other_tracks)
        return self._interpolated[key]

    def _interpolate(self, decoder: TaskDecoder, track: str, n_frames: int, other_tracks: Sequence[str]) -> Float64:
        lacking = [name in self.missing for name in decoder.columns]
        if isinstance(self._model, HeadOnFrames):
            return self._of_head(self._model, decoder, track, n_frames)
        scores = self.scores(track, other_tracks).with_zeros(self.missing)
        frames, values = scores.known_rows(decoder.columns, main_only=decoder.scores is None)
        if decoder.scores is not None:
            values = decoder.scores(values)
        if not len(frames) or not self.predicts(decoder):
            return np.full((n_frames, values.shape[1]), np.nan)
        # The main face is alone in its frame, so this changes something only where all faces count.
        known, strongest = strongest_per_frame(frames, values)
        dense = fill_gaps(known, strongest, np.arange(1, max(n_frames, int(known[-1])) + 1))
        if decoder.scores is None:
            dense[:, lacking] = np.nan
        return dense

    def _of_head(self, head: HeadOnFrames, decoder: TaskDecoder, track: str, n_frames: int) -> Float64:
        if not self.predicts(decoder):
            return np.full((n_frames, len(decoder.columns)), np.nan)
        values = head.scores(decoder.columns, track, n_frames)
        if decoder.scores is None:
            return values
        known = np.isfinite(values).any(axis=1)
        derived = decoder.scores(np.nan_to_num(values[known]))
        result = np.full((n_frames, derived.shape[1]), np.nan)
        result[known] = derived
        return result
