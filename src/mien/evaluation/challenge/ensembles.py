# SPDX-License-Identifier: Apache-2.0
"""`TablePredictor`: scores of one or several models, interpolated, blended, smoothed and decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from mien.affect import Smoothing, blend, fill_gaps, strongest_per_frame
from mien.core import ConfigError, Float64, InputError, Integers
from mien.datasets import ClipSamples, FrameSamples, ImageSamples
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
from mien.evaluation.challenge.submission_formats import SubmissionFormat, TaskDecoder, task_decoders
from mien.evaluation.challenge.table_scores import VideoScores, load_video_scores, table_files, track_faces
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

        Raises:
            ConfigError: The tables do not hold what the format needs.
            InputError: A table cannot be read, or a video is in none.
        """
        decoders = self.decoders(task_format)
        return np.concatenate([each.decode(self.scores(task_format, each, samples)) for each in decoders], axis=1)

    def predict_images(self, task_format: SubmissionFormat, samples: ImageSamples) -> Float64:
        """(N, F) predictions for images, which are found by file name.

        Raises:
            ConfigError: As for `predict_frames`.
            InputError: A table cannot be read, or an image is in none.
        """
        loaded, decoders = self.load(task_format), self.decoders(task_format)
        one = np.ones(1, dtype=np.int64)
        names = [PurePath(name).name for name in samples.names]
        rows = [[each.decode(self.track_scores(each, loaded, name, one)) for each in decoders] for name in names]
        return np.concatenate([np.concatenate(row, axis=1) for row in rows])

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

    def load(self, task_format: SubmissionFormat) -> list[LoadedTables]:
        """The tables of every model, with the columns that the format needs."""
        columns = [column for each in self.decoders(task_format) for column in each.columns]
        return [LoadedTables(model, columns, per_frame=task_format.per_frame) for model in self._models]

    def track_scores(
        self,
        decoder: TaskDecoder,
        loaded: Sequence[LoadedTables],
        track: str,
        frames: Integers,
        *,
        other_tracks: Sequence[str] = (),
    ) -> Float64:
        """(T, C) scores of one track in the given frames (from 1); zeros if the track has no face at all.

        Raises:
            InputError: No table of a model has the video.
        """
        models = [tables.interpolated(decoder, track, int(frames.max()), other_tracks) for tables in loaded]
        longest = max(len(scores) for scores in models)
        # One model may have found faces in later frames than another: the last value is repeated.
        level = [np.pad(scores, ((0, longest - len(scores)), (0, 0)), mode="edge") for scores in models]
        blended = blend(level, self._weights_of(decoder.task))
        return self._smoothing.sample(blended, decoder.width, np.asarray(frames) - 1)

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

    Attributes:
        missing: Columns that have no value in any table; they count as 0 throughout.

    Raises:
        InputError: As for `load_video_scores`.
    """

    def __init__(self, model: TableFolder | BundleOnCropFolder, columns: Sequence[str], *, per_frame: bool) -> None:
        self._model = model
        self._interpolated: dict[tuple[str, str, int], Float64] = {}
        self._videos = model.videos(columns, per_frame=per_frame)
        self.missing = model.missing(columns, self._videos)

    def scores(self, track: str, other_tracks: Sequence[str]) -> VideoScores:
        """Scores of one track, with 0 in the missing columns.

        Raises:
            InputError: No table has its video.
        """
        scores = track_faces(track, self._videos, other_tracks)
        if scores is None:
            raise InputError(f"{self._model.folder}: no table has the video {track} of the list; analyse it too")
        return scores.with_zeros(self.missing)

    def interpolated(self, decoder: TaskDecoder, track: str, n_frames: int, other_tracks: Sequence[str]) -> Float64:
        """(T, C) scores of one task on the frames 1 to T: all that the list names and all with a face; cached."""
        key = decoder.task, track, n_frames
        if key not in self._interpolated:
            self._interpolated[key] = self._interpolate(decoder, track, n_frames, other_tracks)
        return self._interpolated[key]

    def _interpolate(self, decoder: TaskDecoder, track: str, n_frames: int, other_tracks: Sequence[str]) -> Float64:
        scores = self.scores(track, other_tracks)
        frames, values = scores.known_rows(decoder.columns, main_only=decoder.scores is None)
        if decoder.scores is not None:
            values = decoder.scores(values)
        if not len(frames):
            return np.zeros((n_frames, values.shape[1]))
        # The main face is alone in its frame, so this changes something only where all faces count.
        known, strongest = strongest_per_frame(frames, values)
        return fill_gaps(known, strongest, np.arange(1, max(n_frames, int(known[-1])) + 1))
