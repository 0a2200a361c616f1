# SPDX-License-Identifier: Apache-2.0
"""`TablePredictor`: scores of one or several models, interpolated, blended, smoothed and decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import Smoothing, blend, fill_gaps, strongest_per_frame
from mien.core import Bools, ConfigError, Float64, InputError, Integers
from mien.datasets import ClipSamples, FrameSamples, ImageSamples
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
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
        models: Folder of tables or `BundleOnCropFolder`, one per model.
        smoothing: Filter over the interpolated frames; None for none, as for tables that are smoothed already.
        thresholds: One probability per action unit, from which it counts as present; empty for
            `mien.metrics.OFFICIAL_THRESHOLD` throughout.
        weights: Task (``"va"``, ``"expr"``, ``"au"``) -> one weight per model; equal ones for the other tasks.

    Raises:
        ConfigError: There is no model, or a weight is for an unknown task.
    """

    def __init__(
        self,
        models: Sequence[str | Path | BundleOnCropFolder],
        *,
        smoothing: Smoothing | None = None,
        thresholds: Sequence[float] = (),
        weights: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        if not models:
            raise ConfigError("at least one folder of affect tables is needed")
        self._models = tuple(TableFolder(Path(each)) if isinstance(each, (str, Path)) else each for each in models)
        self._smoothing = smoothing or Smoothing()
        self._thresholds = tuple(thresholds)
        self._weights = dict(weights or {})
        self._loaded: dict[tuple[str, Path | None], list[LoadedTables]] = {}
        unknown = sorted(set(self._weights) - set(TASKS))
        if unknown:
            raise ConfigError(f"weights are for {', '.join(TASKS)}, not for {', '.join(unknown)}")

    @property
    def name(self) -> str:
        """Names of the folders and bundles."""
        return " + ".join(model.name for model in self._models)

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all tables and bundles."""
        return hashlib.sha256(
            "".join(digest for model in self._models for digest in model.digests()).encode()
        ).hexdigest()

    @property
    def n_models(self) -> int:
        """Number of models."""
        return len(self._models)

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
                seen = [tables.scores(track, samples.tracks).frames for tables in loaded]
                found[rows] = np.isin(samples.frame[rows], np.concatenate(seen))
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
        return task_decoders(task_format, self._smoothing, self._thresholds)

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
        """The tables of every model, with the columns that the format needs; read once for each format.

        Args:
            task_format: Format of the task.
            folder: Folder of the images of a data set of single images; None where it is unknown.

        Raises:
            ConfigError: No model predicts a task of the format.
            InputError: A table cannot be read.
        """
        key = task_format.name, folder
        if key in self._loaded:
            return self._loaded[key]
        decoders = self.decoders(task_format)
        columns = [column for each in decoders for column in each.columns]
        loaded = [
            LoadedTables(model, columns, per_frame=task_format.per_frame, folder=folder) for model in self._models
        ]
        if all(tables.empty for tables in loaded):
            raise InputError(f"{self.name}: there is no face in any table, so there is nothing to predict from")
        for decoder in decoders:
            if not any(tables.predicts(decoder) for tables in loaded):
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
        blended = _blend_known(level, self._weights_of(decoder.task))
        chosen = np.asarray(frames) - 1
        if not np.isfinite(blended).all():
            return blended[chosen]
        return self._smoothing.sample(blended, decoder.width, chosen)

    def _weights_of(self, task: str) -> Sequence[float]:
        return self._weights.get(task) or [1 / self.n_models] * self.n_models


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
        model: TableFolder | BundleOnCropFolder,
        columns: Sequence[str],
        *,
        per_frame: bool,
        folder: Path | None = None,
    ) -> None:
        self._model = model
        self._interpolated: dict[tuple[str, str, int], Float64] = {}
        videos = model.videos(columns, per_frame=per_frame)
        self.missing = model.missing(columns, videos)
        self.empty = isinstance(model, TableFolder) and not any(len(video.frames) for video in videos.values())
        self._videos: Mapping[str, VideoScores] = videos
        if isinstance(model, TableFolder) and not per_frame:
            self._videos = ImageScores(videos, model.folder, folder)

    def predicts(self, decoder: TaskDecoder) -> bool:
        """Whether the model predicts a task: valence and arousal, or any class or action unit."""
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


def _blend_known(models: Sequence[Float64], weights: Sequence[float]) -> Float64:
    """The blend of the models that know a value; 0 in a column that none predicts, NaN in a row without any value."""
    stacked = np.stack(models)
    known: Bools = np.asarray(np.isfinite(stacked))
    if known.all():
        return blend(list(models), weights)
    given = np.asarray(weights, dtype=np.float64)[:, None, None] * known
    given = np.where(given.sum(axis=0) > 0, given, known)
    total = given.sum(axis=0)
    mean = (given * np.nan_to_num(stacked)).sum(axis=0) / np.where(total > 0, total, 1)
    any_known = np.asarray(known.any(axis=(0, 2)), dtype=bool)
    return np.where(any_known[:, None], mean, np.nan)
