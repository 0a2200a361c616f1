# SPDX-License-Identifier: Apache-2.0
"""Affect of one or several models as answers: laid out on all frames, blended, smoothed, decided."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from mien.affect import Smoothing, blend, fill_gaps, strongest_per_frame
from mien.core import ConfigError, InputError
from mien.datasets import ClipSamples, FrameSamples, ImageSamples
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
from mien.evaluation.challenge.submission_formats import SubmissionFormat, TaskDecoder, task_decoders
from mien.evaluation.challenge.table_scores import VideoScores, faces_of_track, load_faces, table_files
from mien.results import hash_file

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.integer]


TASKS = ("va", "expr", "au")
"""Tasks whose models are blended with weights of their own."""


class TablePredictor:
    """A predictor: what `mien analyze` wrote about the videos (or the official crops) of a data set, or bundles.

    The values of a track are interpolated over all frames of its list, the last one repeated where the list is longer
    and the rest cut where it is shorter; several models are blended there; then the filter runs, and what is asked
    for is decided last.

    Args:
        models: one for each: a folder of tables, or a `BundleOnCropFolder`.
        smoothing: of the dense frames. Leave it out for tables that are smoothed already.
        thresholds: one probability per action unit; empty for .5 throughout.
        weights: task (``"va"``, ``"expr"``, ``"au"``) -> one share per model; equal ones where a task is left out.

    Raises:
        ConfigError: there is no model.
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
        """The folders and bundles."""
        return " + ".join(model.name for model in self._models)

    @property
    def digest(self) -> str:
        """SHA-256 over those of all tables and bundles."""
        return hashlib.sha256(
            "".join(digest for model in self._models for digest in model.digests()).encode()
        ).hexdigest()

    @property
    def n_systems(self) -> int:
        """Systems that are blended."""
        return len(self._models)

    def of_frames(self, form: SubmissionFormat, samples: FrameSamples) -> Floats:
        """Predictions to every frame of the tracks; see `faces_of_track` for tracks that share a video.

        Raises:
            ConfigError: tables do not hold what the form asks for.
            InputError: a table cannot be read, or a video is in none.
        """
        return np.concatenate([part.decode(self.scores(form, part, samples)) for part in self.parts(form)], axis=1)

    def of_images(self, form: SubmissionFormat, samples: ImageSamples) -> Floats:
        """Predictions to images, found by file name.

        Raises:
            ConfigError: as for `of_frames`.
            InputError: a table cannot be read, or an image is in none.
        """
        loaded = self.load(form)
        one = np.ones(1, dtype=np.int64)
        names = [PurePath(name).name for name in samples.names]
        rows = [[part.decode(self.video(part, loaded, name, one)) for part in self.parts(form)] for name in names]
        return np.concatenate([np.concatenate(row, axis=1) for row in rows])

    def of_clips(self, form: SubmissionFormat, samples: ClipSamples) -> Floats:
        """Refused: tables hold frames, no intensities of whole videos.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"affect tables do not answer {form.name} of {samples.dataset}; give a file of answers")

    def parts(self, form: SubmissionFormat) -> tuple[TaskDecoder, ...]:
        """The tasks of the form with the settings of this predictor."""
        return task_decoders(form, self._smoothing, self._thresholds)

    def scores(
        self,
        form: SubmissionFormat,
        part: TaskDecoder,
        samples: FrameSamples,
        *,
        loaded: list[LoadedTables] | None = None,
    ) -> Floats:
        """(N, C) blended and smoothed scores of one task, before any decision."""
        tables = loaded or self.load(form)
        result: Floats | None = None
        for track, rows in samples.track_rows():
            if not len(rows):
                continue
            own = self.video(part, tables, track, samples.frame[rows], other_tracks=samples.tracks)
            result = np.zeros((len(samples), own.shape[1])) if result is None else result
            result[rows] = own
        if result is None:
            raise InputError(f"{samples.dataset}, {samples.split} has no row to answer")
        return result

    def load(self, form: SubmissionFormat) -> list[LoadedTables]:
        """The tables of every model, with the columns that the form needs."""
        columns = [column for part in self.parts(form) for column in part.columns]
        return [LoadedTables(model, columns, of_frames=form.of_frames) for model in self._models]

    def video(
        self,
        part: TaskDecoder,
        loaded: Sequence[LoadedTables],
        track: str,
        frames: Frames,
        *,
        other_tracks: Sequence[str] = (),
    ) -> Floats:
        """(T, C) scores of one track in the given frames (from 1); zeros where it has no face at all.

        Raises:
            InputError: no table of a model has the video.
        """
        models = [tables.interpolated(part, track, int(frames.max()), other_tracks) for tables in loaded]
        longest = max(len(interpolated) for interpolated in models)
        # One model may have seen faces in later frames than another: the last value is repeated.
        level = [
            np.pad(interpolated, ((0, longest - len(interpolated)), (0, 0)), mode="edge") for interpolated in models
        ]
        interpolated = blend(level, self._shares(part.task))
        return (self._smoothing.filter(interpolated, part.width) if part.width else interpolated)[frames - 1]

    def _shares(self, task: str) -> Sequence[float]:
        return self._weights.get(task) or [1 / self.n_systems] * self.n_systems


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

    def videos(self, columns: Sequence[str], *, of_frames: bool) -> Mapping[str, VideoScores]:
        """Video -> its faces; see `load_faces`."""
        return load_faces(self.folder, columns, of_frames=of_frames)

    def absent(self, columns: Sequence[str], videos: Mapping[str, VideoScores]) -> tuple[str, ...]:
        """Columns that no table measured."""
        return tuple(name for name in columns if not any(np.isfinite(v.columns[name]).any() for v in videos.values()))


class LoadedTables:
    """The faces of one model.

    Args:
        model: that has them.
        columns: that are needed.
        of_frames: False for lists of single pictures.

    Attributes:
        absent: columns that no table measured; they count as 0 throughout.

    Raises:
        InputError: as for `load_faces`.
    """

    def __init__(self, model: TableFolder | BundleOnCropFolder, columns: Sequence[str], *, of_frames: bool) -> None:
        self._system = model
        self._interpolated: dict[tuple[str, str, int], Floats] = {}
        self._videos = model.videos(columns, of_frames=of_frames)
        self.absent = model.absent(columns, self._videos)

    def faces(self, track: str, other_tracks: Sequence[str]) -> VideoScores:
        """The faces of one track, with 0 in the columns that no table has.

        Raises:
            InputError: no table has its video.
        """
        faces = faces_of_track(track, self._videos, other_tracks)
        if faces is None:
            raise InputError(f"{self._system.folder}: no table has the video {track} of the list; analyse it too")
        return faces.with_zeros(self.absent)

    def interpolated(self, part: TaskDecoder, track: str, n_frames: int, other_tracks: Sequence[str]) -> Floats:
        """(T, C) scores on the frames 1 to T: all that the list asks for, and all that have a face; kept."""
        key = part.task, track, n_frames
        if key not in self._interpolated:
            self._interpolated[key] = self._laid_out(part, track, n_frames, other_tracks)
        return self._interpolated[key]

    def _laid_out(self, part: TaskDecoder, track: str, n_frames: int, other_tracks: Sequence[str]) -> Floats:
        frames, values = self.faces(track, other_tracks).measured(part.columns, main_only=part.scores is None)
        if part.scores is not None:
            values = part.scores(values)
        if not len(frames):
            return np.zeros((n_frames, values.shape[1]))
        # The main face is alone in its frame, so this changes something only where all faces count.
        known, strongest = strongest_per_frame(frames, values)
        return fill_gaps(known, strongest, np.arange(1, max(n_frames, int(known[-1])) + 1))
