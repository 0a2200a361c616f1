# SPDX-License-Identifier: Apache-2.0
"""A bundle on folders of official crops, as a model of `TablePredictor` in place of affect tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mien.affect import Analyzer
from mien.core import Faces, Float64, InputError, ModelSpec
from mien.datasets import AnnotationError, CropFolders, crop_files, crops_at
from mien.evaluation.challenge.table_scores import VideoScores

_CROPS_A_BATCH = 64


class BundleOnCropFolder:
    """A model of `TablePredictor`: a bundle and folders of crops, ``<track>/00001.jpg``, or of single images.

    Args:
        analyzer: Analyzer of the bundle.
        crops: Folders of the crops; of a path, all that it stands for (`mien.datasets.crops_at`).

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, analyzer: Analyzer, crops: CropFolders | Path) -> None:
        try:
            self.crops = crops_at(crops) if isinstance(crops, Path) else crops
        except AnnotationError as error:
            raise InputError(str(error)) from error
        self._analyzer = analyzer

    @property
    def place(self) -> str:
        """The folders of crops, for messages."""
        return str(self.crops)

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self._analyzer.spec.name

    @property
    def spec(self) -> ModelSpec:
        """Description of the bundle."""
        return self._analyzer.spec

    def digests(self) -> Iterator[str]:
        """SHA-256 of the bundle."""
        yield self._analyzer.bundle_digest

    def videos(self, columns: Sequence[str], *, per_frame: bool) -> Mapping[str, VideoScores]:
        """Track -> its scores, predicted at first use; a track without a crop has no row."""
        return _CropVideos(self._analyzer, self.crops, columns, per_frame=per_frame)

    def missing(self, columns: Sequence[str], videos: Mapping[str, VideoScores]) -> tuple[str, ...]:  # noqa: ARG002 - tables need the videos
        """Columns that the bundle does not predict."""
        return tuple(name for name in columns if name not in self._predicted)

    @property
    def _predicted(self) -> frozenset[str]:
        empty = Faces.empty(self._analyzer.expression_labels, self._analyzer.action_unit_labels)
        names = [*_columns(empty)]
        if self._analyzer.spec.task("valence_arousal") is None:
            names = [name for name in names if name not in ("valence", "arousal")]
        return frozenset(names)


class _CropVideos(Mapping[str, VideoScores]):
    def __init__(self, analyzer: Analyzer, crops: CropFolders, columns: Sequence[str], *, per_frame: bool) -> None:
        self._analyzer, self._crops, self._columns, self._per_frame = analyzer, crops, columns, per_frame
        self._scores: dict[str, VideoScores] = {}

    def __contains__(self, track: object) -> bool:
        # A track without a folder had no face in any frame; the faces of other tracks do not replace it.
        return isinstance(track, str)

    def __getitem__(self, track: str) -> VideoScores:
        if track not in self._scores:
            self._scores[track] = self._predict(track)
        return self._scores[track]

    def __iter__(self) -> Iterator[str]:
        return iter(self._crops.tracks())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _predict(self, track: str) -> VideoScores:
        files = self._files(track)
        batches = iter(files)
        parts: list[Faces] = []
        while batch := list(itertools.islice(batches, _CROPS_A_BATCH)):
            parts.append(self._analyzer.crops([path for _, path in batch]))
        values = [_columns(part) for part in parts]
        unknown = np.full(len(files), np.nan)
        columns = {
            name: np.concatenate([part[name] for part in values]) if values and name in values[0] else unknown
            for name in self._columns
        }
        frames = np.array([number for number, _ in files], np.int64)
        return VideoScores.of(frames, columns, np.full(len(files), -1, np.int64), unknown, unknown)

    def _files(self, track: str) -> list[tuple[int, Path]]:
        if not self._per_frame:
            places = (folder / track for folder in self._crops.folders)
            return [(1, place) for place in places if place.is_file()][:1]
        place = self._crops.track_folder(track)
        return [(number, place / name) for number, name in crop_files(place)]


def _columns(faces: Faces) -> dict[str, Float64]:
    """Columns of an affect table."""
    columns = {f"expression_{label}": faces.expression[:, i] for i, label in enumerate(faces.expression_labels)}
    columns |= {label: faces.action_units[:, i] for i, label in enumerate(faces.action_unit_labels)}
    columns |= {"valence": faces.valence, "arousal": faces.arousal}
    return {name: np.asarray(values, np.float64) for name, values in columns.items()}
