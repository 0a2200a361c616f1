# SPDX-License-Identifier: Apache-2.0
"""Feature vectors back from their shards: streamed, or as arrays that stay on the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import InputError
from mien.results.durable import durable_file, output_errors
from mien.results.feature_shards import FeatureInfo, Shard, SourceRecord, list_shards

_MARK = "arrays.json"
_ARRAYS = ("source_index", "frame", "time_s", "track", "features", "scores")


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureArrays:
    """N vectors, in the order in which they were extracted.

    Attributes:
        sources: S names.
        source_index: (N,) int32 into ``sources``.
        frame: (N,) int64; of crops the number in the file name, which starts at 1, of videos counted from 0.
        time_s: (N,) float64, NaN where nothing tells.
        track: (N,) int64, -1 where nothing is tracked.
        features: (N, D) float32 or float16.
        scores: (N, K) of the same type, raw; the folder's `FeatureInfo` names the columns.
    """

    sources: tuple[str, ...]
    source_index: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]
    track: npt.NDArray[np.int64]
    features: npt.NDArray[np.floating]
    scores: npt.NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.frame)

    def rows_of(self, source: str) -> npt.NDArray[np.intp]:
        """The rows of one input; none where it has none."""
        if source not in self.sources:
            return np.empty(0, np.intp)
        return np.flatnonzero(self.source_index == self.sources.index(source))


@dataclass(frozen=True)
class FeatureSet:
    """A folder that `mien features` wrote; made by `open_features`.

    Attributes:
        folder: of the shards.
        info: what the vectors are.
        shards: in order.
    """

    folder: Path
    info: FeatureInfo
    shards: tuple[Shard, ...]

    def __len__(self) -> int:
        return sum(shard.n_rows for shard in self.shards)

    @property
    def records(self) -> tuple[SourceRecord, ...]:
        """The inputs that were read to their end."""
        return tuple(record for shard in self.shards for record in shard.progress.done)

    def stream(self) -> Iterator[FeatureArrays]:
        """All rows, one shard at a time: memory holds one.

        Raises:
            InputError: a shard is damaged or gone.
        """
        for shard in self.shards:
            try:
                table = pq.read_table(shard.path, partitioning=None)
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{shard.path}: cannot be read ({error}); delete it and extract again") from error
            yield _arrays(table, self.info)

    def load(self) -> FeatureArrays:
        """All rows in memory; for sets that fit."""
        parts = list(self.stream())
        sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
        number = {name: index for index, name in enumerate(sources)}
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS if name != "source_index"
        }
        renumbered = [np.array([number[name] for name in part.sources], np.int32)[part.source_index] for part in parts]
        return FeatureArrays(sources=sources, source_index=np.concatenate(renumbered), **columns)

    def mapped(self, cache: Path | None = None) -> FeatureArrays:
        """All rows as arrays that stay on the disk and are read where they are touched, for training.

        The first call copies the shards into ``.npy`` files, which later calls open as long as the shards are the
        same.

        Args:
            cache: where to; ``arrays`` beside the shards if None. It takes as much room as the shards.

        Raises:
            InputError: a shard is damaged.
            OutputError: the copies cannot be written.
        """
        place = self.folder / "arrays" if cache is None else cache
        mark = place / _MARK
        key = self._key()
        sources = _read_mark(mark, key)
        if sources is None:
            with output_errors(place, "make room, or name another folder"):
                place.mkdir(parents=True, exist_ok=True)
                mark.unlink(missing_ok=True)
                sources = self._copy(place)
                with durable_file(mark) as file:
                    file.write(json.dumps({"key": key, "sources": sources}).encode("ascii"))
        columns: dict[str, Any] = {name: _map(place / f"{name}.npy") for name in _ARRAYS}
        return FeatureArrays(sources=tuple(sources), **columns)

    def _key(self) -> str:
        """Changes when a shard does."""
        stats = [
            (shard.path.name, shard.n_rows, (at := shard.path.stat()).st_size, at.st_mtime_ns) for shard in self.shards
        ]
        return hashlib.sha256(json.dumps(stats).encode()).hexdigest()

    def _copy(self, place: Path) -> list[str]:
        n, vector = len(self), np.dtype(self.info.dtype)
        kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {
            "source_index": ((n,), np.dtype(np.int32)),
            "frame": ((n,), np.dtype(np.int64)),
            "time_s": ((n,), np.dtype(np.float64)),
            "track": ((n,), np.dtype(np.int64)),
            "features": ((n, self.info.n_features), vector),
            "scores": ((n, len(self.info.score_names)), vector),
        }
        files = {}
        try:
            for name, (shape, dtype) in kinds.items():
                files[name] = (place / f"{name}.npy").open("wb")
                header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(files[name], header)
            numbers: dict[str, int] = {}
            for part in self.stream():
                own = np.array([numbers.setdefault(name, len(numbers)) for name in part.sources], np.int32)
                for name, file in files.items():
                    values = own[part.source_index] if name == "source_index" else getattr(part, name)
                    file.write(np.ascontiguousarray(values).data)
        finally:
            for file in files.values():
                file.close()
        return list(numbers)


def open_features(folder: str | Path) -> FeatureSet:
    """A folder of feature vectors, checked but not read.

    Raises:
        InputError: there are no shards, or one of them is missing or damaged.
    """
    shards = list_shards(Path(folder))
    if not shards:
        raise InputError(f"{folder}: no feature vectors here; mien features writes them")
    return FeatureSet(Path(folder), shards[0].info, shards)


def _arrays(table: pa.Table, info: FeatureInfo) -> FeatureArrays:
    table = table.combine_chunks()
    source = table["source"].combine_chunks().dictionary_encode()

    def vectors(name: str, length: int) -> npt.NDArray[np.floating]:
        if not length:
            return np.empty((len(table), 0), info.dtype)
        chunks = [chunk.flatten().to_numpy() for chunk in table[name].chunks]
        flat = chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, info.dtype), *chunks])
        values: npt.NDArray[np.floating] = flat.reshape(-1, length)
        return values

    return FeatureArrays(
        sources=tuple(source.dictionary.to_pylist()),
        source_index=source.indices.to_numpy().astype(np.int32),
        frame=table["frame"].to_numpy(),
        time_s=table["time_s"].to_numpy(),
        track=table["track"].to_numpy(),
        features=vectors("features", info.n_features),
        scores=vectors("scores", len(info.score_names)),
    )


def _read_mark(mark: Path, key: str) -> list[str] | None:
    """The names of the inputs in the copies; None where there are none of these very shards."""
    try:
        content = json.loads(mark.read_bytes())
        return list(content["sources"]) if content["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # they are made again


def _map(path: Path) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        # An array without an element cannot be mapped.
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error}); delete its folder, it is made again") from error
    return array
