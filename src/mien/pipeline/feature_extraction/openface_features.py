# SPDX-License-Identifier: Apache-2.0
"""Vectors from OpenFace's CSV files: its 17 intensities and 18 presences of action units, as heads on them need."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.core import DEFAULT_THRESHOLD, ConfigError, Float64, InputError, is_folder, is_regular_file
from mien.pipeline.feature_extraction.feature_source import FeatureSource
from mien.results import FeatureInfo, FrameVectors, InputFailure, read_openface, to_intensity

_INTENSITIES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
_PRESENCES = (*_INTENSITIES[:-1], 28, 45)

OPENFACE_COLUMNS = (*(f"AU{unit:02d}_r" for unit in _INTENSITIES), *(f"AU{unit:02d}_c" for unit in _PRESENCES))
"""The 35 columns of a vector, as OpenFace 2.2 names them."""


class OpenFaceExtractor:
    """An `Extractor` of the CSV files that OpenFace 2 writes, one for each video; the file's name is that of the track.

    Frames without success have no vector: a blend leaves them to the other models. Of several faces in a frame the most
    confident one counts.

    Args:
        float16: Whether vectors are stored in half precision.
    """

    def __init__(self, *, float16: bool) -> None:
        self.info = FeatureInfo(
            made_by="openface",
            digest="openface-2.2-action-units",
            n_features=len(OPENFACE_COLUMNS),
            dtype="float16" if float16 else "float32",
            settings={"openface": True},
        )

    def find(self, inputs: Sequence[str]) -> tuple[list[FeatureSource], list[InputFailure]]:
        """CSV files among the inputs, and those in folders.

        Raises:
            ConfigError: Two files have one name.
        """
        found: dict[str, FeatureSource] = {}
        failures = []
        for name in inputs:
            path = Path(name)
            files = sorted(path.glob("*.csv")) if is_folder(path) else [path]
            if not files or not is_regular_file(files[0]):
                failures.append(InputFailure(path=name, reason=f"{name}: no CSV file of OpenFace here"))
                continue
            for file in files:
                other = found.setdefault(file.stem, FeatureSource(file.stem, file))
                if other.path.resolve() != file.resolve():
                    raise ConfigError(f"{other.path} and {file} are both the track {file.stem}; extract them apart")
        return list(found.values()), failures

    def open(self, source: FeatureSource, after: int) -> OpenFaceVectors:
        """Open a file; frames up to number ``after`` are passed over."""
        return OpenFaceVectors(source, after)


class OpenFaceVectors:
    """A `VectorRun` of one file."""

    messages: tuple[str, ...] = ()

    def __init__(self, source: FeatureSource, after: int) -> None:
        self._source, self._after = source, after
        self.n_expected: int | None = None
        self.n_frames = 0

    def vectors(self) -> Generator[FrameVectors, None, None]:
        """One row for every frame; frames are counted from 1, as in the lists of the challenges.

        Raises:
            InputError: The file cannot be read, or it lacks a column of action units.
        """
        table = read_openface(self._source.path)
        values = _values(table, self._source.path)
        frames, times = table["frame"].to_numpy() + 1, table["time_s"].to_numpy(zero_copy_only=False)
        confidence = table["confidence"].cast(pa.float64()).to_numpy(zero_copy_only=False)
        numbers = np.unique(frames)
        self.n_expected = len(numbers)
        order = np.lexsort((-np.nan_to_num(confidence), frames))
        first = order[np.searchsorted(frames[order], numbers)]
        for number, row in zip(numbers.tolist(), first.tolist(), strict=True):
            self.n_frames += 1
            if number <= self._after:
                continue
            own = values[row : row + 1]
            own = own if np.isfinite(own).all() else own[:0]
            yield FrameVectors(
                source=self._source.name,
                frame=number,
                time_s=float(times[row]),
                tracks=np.full(len(own), -1, np.int64),
                features=own.astype(np.float32),
                scores=np.empty((len(own), 0), np.float32),
            )


def _values(table: pa.Table, path: Path) -> Float64:
    """(N, 35) intensities on OpenFace's scale and presences; NaN in rows without success."""
    # A unit without a column of intensities would be read as its presence.
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = {name.strip() for name in file.readline().split(",")}
    missing = [name for name in OPENFACE_COLUMNS if name not in header]
    if missing:
        raise InputError(f"{path}: there is no column {missing[0]}; run OpenFace with action units (-aus)")
    columns = []
    for name in OPENFACE_COLUMNS:
        unit, _, kind = name.partition("_")
        values = table[unit if kind == "r" else name].cast(pa.float64()).to_numpy(zero_copy_only=False)
        columns.append(to_intensity(values, DEFAULT_THRESHOLD) if kind == "r" else values)
    found = np.stack(columns, axis=1)
    failed = ~table["success"].to_numpy(zero_copy_only=False).astype(bool)
    found[failed] = np.nan
    return found
