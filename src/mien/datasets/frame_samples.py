# SPDX-License-Identifier: Apache-2.0
"""`FrameSamples`: annotated frames of face tracks, as columns that hold millions of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.core import Bools, ConfigError, Float32, Indices
from mien.datasets.crop_folders import CROP_FOLDERS, CropFolders, base_video, crop_files, crop_name
from mien.datasets.samples import (
    NOT_GIVEN,
    UNKNOWN,
    Column,
    RowColumns,
    SplitCounts,
    class_counts,
    freeze_columns,
    some_names,
)

_TRACKS_KEPT = 64  # listings of crops in memory; the rows of a track mostly follow each other


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameSamples(RowColumns):
    """N annotated frames of T tracks (one track is one face in one video). Labels that are not given are unknown.

    Attributes:
        dataset: Name in `DATASETS`.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        tracks: T names; ``X``, ``X_left`` and ``X_right`` are three tracks of the video ``X``.
        track_index: (N,) int32 indices into ``tracks``.
        frame: (N,) int32 frame numbers, counted from 1: line i below the header of a track's file is frame i.
        valence_arousal: (N, 2) float32 in [-1, 1]; both NaN in a row that is not valid.
        expression: (N,) int8 indices into ``expression_labels``; `UNKNOWN` in a row that is not valid.
        action_units: (N, A) int8, 0 or 1, `UNKNOWN` where not annotated.
        expression_labels: Names in the data set's order, in canonical spelling.
        action_unit_labels: A names such as ``"AU12"``.
        crops: Folders that hold ``<track>/00001.jpg`` (one folder may be given as a path); None where the reader found
            none.
        has_image: (N,) whether the crop of the row exists.
        n_crop_frames: (T,) int32 number of the last crop of each track; 0 where it has none.
        remarks: Sentences of the reader for `notes`.

    Examples:
        >>> samples = FrameSamples(
        ...     dataset="affwild2-expr", split="train", tracks=("video1", "video1_left"), track_index=[0, 0, 1],
        ...     frame=[1, 2, 1], expression=[1, -1, 0], expression_labels=("neutral", "anger")
        ... )
        >>> samples.valid_expression.tolist()
        [True, False, True]
        >>> samples.image_location(1), samples.groups() == {"video1"}
        ('video1/00002.jpg', True)
        >>> [(track, rows.tolist()) for track, rows in samples.take(samples.valid_expression).track_rows()]
        [('video1', [0]), ('video1_left', [1])]
    """

    row_columns = ("frame", "track_index", "valence_arousal", "expression", "action_units", "has_image")

    dataset: str
    split: str
    tracks: tuple[str, ...]
    track_index: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    valence_arousal: Float32 = NOT_GIVEN
    expression: npt.NDArray[np.int8] = NOT_GIVEN
    action_units: npt.NDArray[np.int8] = NOT_GIVEN
    expression_labels: tuple[str, ...] = ()
    action_unit_labels: tuple[str, ...] = ()
    crops: CropFolders | None = None
    has_image: Bools = NOT_GIVEN
    n_crop_frames: npt.NDArray[np.int32] = NOT_GIVEN
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, n_tracks = len(self.frame), len(self.tracks)
        columns: dict[str, Column] = {
            "track_index": ((n,), np.int32, 0),
            "frame": ((n,), np.int32, 0),
            "valence_arousal": ((n, 2), np.float32, np.nan),
            "expression": ((n,), np.int8, UNKNOWN),
            "action_units": ((n, len(self.action_unit_labels)), np.int8, UNKNOWN),
            "has_image": ((n,), np.bool_, False),
            "n_crop_frames": ((n_tracks,), np.int32, 0),
        }
        freeze_columns(self, columns)
        if isinstance(self.crops, Path):
            object.__setattr__(self, "crops", CropFolders((self.crops,)))

    @property
    def valid_valence_arousal(self) -> Bools:
        """(N,) rows in which both valence and arousal are annotated."""
        valid: Bools = ~np.isnan(self.valence_arousal.sum(axis=1))
        return valid

    @property
    def valid_expression(self) -> Bools:
        """(N,) rows with an annotated expression."""
        valid: Bools = self.expression != UNKNOWN
        return valid

    @property
    def valid_action_units(self) -> Bools:
        """(N,) rows in which every action unit is annotated."""
        if not self.action_unit_labels:
            return np.zeros(len(self), dtype=bool)
        valid: Bools = (self.action_units != UNKNOWN).all(axis=1)
        return valid

    def image_path(self, row: int) -> Path:
        """Path of the crop of a row; the file exists where `has_image` is True.

        Raises:
            ConfigError: The samples were read without a folder of crops.
        """
        return Path(self.image_files([row])[0])

    def image_files(self, rows: Sequence[int] | Indices) -> list[str]:
        """Paths of the crops of rows, as text; the folder of each track is listed once.

        Raises:
            ConfigError: The samples were read without a folder of crops.
        """
        if self.crops is None:
            raise ConfigError(f"{self.dataset} was read without crops; put {' or '.join(CROP_FOLDERS)} into its folder")
        listed: dict[int, tuple[Path, dict[int, str]]] = {}
        files = []
        for row in rows:
            track, frame = int(self.track_index[row]), int(self.frame[row])
            if track not in listed:
                place = self.crops.track_folder(self.tracks[track])
                if len(listed) == _TRACKS_KEPT:
                    listed.clear()
                listed[track] = place, dict(crop_files(place))
            place, names = listed[track]
            files.append(f"{place}/{names.get(frame) or crop_name(frame)}")
        return files

    def image_location(self, row: int) -> str:
        """Name of a row in lists and submissions: ``video/00001.jpg``."""
        return f"{self.tracks[self.track_index[row]]}/{crop_name(int(self.frame[row]))}"

    def track_rows(self) -> Iterator[tuple[str, Indices]]:
        """Each track and its rows by rising frame number; temporal filters must not cross tracks."""
        order = np.lexsort((self.frame, self.track_index))
        bounds = np.searchsorted(self.track_index[order], np.arange(len(self.tracks) + 1))
        for track, start, stop in zip(self.tracks, bounds[:-1], bounds[1:], strict=True):
            yield track, order[start:stop]

    def counts(self) -> SplitCounts:
        """Counts of rows, tracks, crops, valid labels and classes."""
        valid: dict[str, int] = {}
        classes: dict[str, int] = {}
        if self.valid_valence_arousal.any():
            valid["valence_arousal"] = int(self.valid_valence_arousal.sum())
        if self.expression_labels:
            valid["expression"] = int(self.valid_expression.sum())
            classes |= class_counts(self.expression_labels, self.expression)
        if self.action_unit_labels:
            usable = self.valid_action_units
            valid["action_units"] = int(usable.sum())
            active = self.action_units[usable].sum(axis=0, dtype=np.int64)
            classes |= {label: int(n) for label, n in zip(self.action_unit_labels, active, strict=True)}
        return SplitCounts(
            n_rows=len(self),
            n_tracks=len(self.tracks),
            n_media=None if self.crops is None else int(self.has_image.sum()),
            valid=valid,
            classes=classes,
        )

    def groups(self) -> frozenset[str]:
        """Names of the videos, which all tracks of a video share."""
        return frozenset(map(base_video, self.tracks))

    def absent(self) -> tuple[Path, ...]:
        """Empty: a frame without a face has no crop, so a missing crop is not a problem."""
        return ()

    def notes(self) -> tuple[str, ...]:
        """Notes on frames without a crop, tracks without crops, and tracks with more crops than lines."""
        notes = [f"{self.split}: {remark}" for remark in self.remarks]
        if self.crops is None:
            return (*notes, f"{self.split}: no folder of crops, so images were not searched for")
        n_missing = int((~self.has_image).sum())
        if n_missing:
            notes.append(f"{self.split}: {n_missing} of {len(self)} frames have no crop (no face was found there)")
        empty = [track for track, last in zip(self.tracks, self.n_crop_frames, strict=True) if last == 0]
        if empty:
            notes.append(f"{self.split}: {len(empty)} tracks have no crop at all: {some_names(empty)}")
        last_line = np.zeros(len(self.tracks), dtype=np.int64)
        np.maximum.at(last_line, self.track_index, self.frame)
        surplus = self.n_crop_frames - last_line
        longer = [f"{self.tracks[i]} (+{surplus[i]})" for i in np.flatnonzero(surplus > 0)]
        if longer:
            notes.append(f"{self.split}: {len(longer)} tracks have crops beyond their last line: {some_names(longer)}")
        return tuple(notes)
