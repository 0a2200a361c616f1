# SPDX-License-Identifier: Apache-2.0
"""Feature vectors on disk: Parquet shards with metadata, and how they are read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mien._version import __version__
from mien.core import (
    ConfigError,
    Float64,
    Floats,
    Indices,
    InputError,
    Int64,
    load_array,
    open_regular,
    printable,
    read_regular,
)
from mien.results.files import atomic_write, output_errors
from mien.results.tables.schema import with_current_keys
from mien.results.tables.table_check import NotATableError, cell_error, shown

FEATURES_VERSION = 1
"""Version of the shards' layout; shards of a higher version are refused."""

_KEY = b"mien.features"
_PATTERN = "shard-*.parquet"


@dataclass(frozen=True, kw_only=True)
class FeatureInfo:
    """The description of the vectors of a folder, the same in each of its shards.

    Attributes:
        made_by: Name of the bundle or the audio encoder.
        digest: SHA-256 of the bundle's description, or of the encoder's model.
        n_features: D, length of the embedding.
        score_names: K names ``task.label`` of the raw scores: logits, and values before they are clipped.
        dtype: Type of the vectors, ``"float32"`` or ``"float16"``.
        settings: Settings of the extraction, such as which frames; any JSON values.
    """

    made_by: str
    digest: str
    n_features: int
    score_names: tuple[str, ...] = ()
    dtype: str = "float32"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float16"):
            raise ConfigError(f"vectors are float32 or float16, got {self.dtype!r}")
        if self.n_features < 1:
            raise ConfigError(f"{self.made_by} gives no embedding; choose a bundle with one")

    @property
    def schema(self) -> pa.Schema:
        """Columns of a shard, without metadata."""
        number = pa.float16() if self.dtype == "float16" else pa.float32()

        def vectors(name: str, length: int) -> pa.Field:
            return pa.field(name, pa.list_(pa.field("item", number, nullable=False), length), nullable=False)

        columns = [
            pa.field("source", pa.string(), nullable=False),
            pa.field("frame", pa.int64(), nullable=False),
            pa.field("time_s", pa.float64()),
            pa.field("track", pa.int64(), nullable=False),
            vectors("features", self.n_features),
        ]
        # A list of length 0 is not something that Parquet can store.
        return pa.schema([*columns, vectors("scores", len(self.score_names))] if self.score_names else columns)

    def scores_of(self, task: str) -> slice:
        """The columns of a task among the scores.

        Raises:
            ConfigError: The vectors have no scores of it.
        """
        rows = [row for row, name in enumerate(self.score_names) if name.partition(".")[0] == task]
        if not rows:
            tasks = sorted({name.partition(".")[0] for name in self.score_names})
            raise ConfigError(f"there are no scores of {task!r}; {self.made_by} has {tasks}")
        return slice(rows[0], rows[-1] + 1)


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """An input that was read to its end.

    Attributes:
        source: Name of the input, as in the column ``source``.
        n_frames: Number of frames or time steps that were read.
        n_rows: Number of vectors of the input.
        messages: Sentences about lost frames.
    """

    source: str
    n_frames: int
    n_rows: int
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Position:
    """The progress of an input that is not at its end.

    Attributes:
        source: Name of the input, as in the column ``source``.
        frame: Number of the last frame that is safe, with or without a face.
        n_rows: Number of vectors of the input so far.
    """

    source: str
    frame: int
    n_rows: int


@dataclass(frozen=True, kw_only=True)
class ShardProgress:
    """The metadata of one shard about the progress of its run.

    Attributes:
        done: Inputs that ended in the shard.
        positions: Inputs that have begun and are not at their end, those of earlier shards included.
        failures: Triples ``(source, frame, reason)`` of single frames that could not be read.
    """

    done: tuple[SourceRecord, ...] = ()
    positions: tuple[Position, ...] = ()
    failures: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One file of vectors and its metadata.

    Attributes:
        path: Path of the file.
        n_rows: Number of rows.
        info: Description of the vectors.
        progress: Progress of the run that wrote the shard.
    """

    path: Path
    n_rows: int
    info: FeatureInfo
    progress: ShardProgress


def shard_path(folder: Path, number: int) -> Path:
    """The path of shard ``number``, counted from 0, whether it exists or not.

    Examples:
        >>> shard_path(Path("vectors"), 3).name
        'shard-00003.parquet'
    """
    return folder / f"shard-{number:05d}.parquet"


def shard_schema(info: FeatureInfo, progress: ShardProgress) -> pa.Schema:
    """The columns of a shard, with its description and progress as metadata."""
    content = {"version": FEATURES_VERSION, "mien": __version__, "info": asdict(info), "progress": asdict(progress)}
    # ASCII: a file name that is not UTF-8 (lone surrogates) becomes an escape and reads back unchanged.
    return info.schema.with_metadata({_KEY: json.dumps(content).encode("ascii")})


def list_shards(folder: Path) -> tuple[Shard, ...]:
    """The shards of a folder in order; none where there is no such folder.

    Raises:
        InputError: A shard is missing among the others, damaged, not mien's or of a newer version, or the shards hold
            different kinds of vectors.
    """
    paths = sorted(folder.glob(_PATTERN))
    shards = tuple(map(_load_shard, paths))
    for number, shard in enumerate(shards):
        if shard.path != shard_path(folder, number):
            raise InputError(
                f"{folder}: {shard_path(folder, number).name} is missing before {shard.path.name}; put it back, or "
                "delete every later one and extract again"
            )
        if shard.info != shards[0].info:
            raise InputError(f"{shard.path}: holds other vectors than {shards[0].path.name}; keep them in two folders")
    return shards


def _load_shard(path: Path) -> Shard:
    try:
        with open_regular(path) as file:
            about = pq.read_metadata(file)
        content = json.loads((about.metadata or {})[_KEY])
        version = content["version"]
        if version > FEATURES_VERSION:
            raise InputError(f"{path}: version {version}, this mien reads up to {FEATURES_VERSION}; update mien")
        return Shard(
            path=path,
            n_rows=about.num_rows,
            info=_info(content["info"]),
            progress=_progress(content["progress"]),
        )
    except (pa.ArrowException, OSError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: no shard of feature vectors, or damaged ({printable(str(error))}); delete it and every later "
            "one, and run mien features again"
        ) from error


def _info(content: Mapping[str, Any]) -> FeatureInfo:
    settings = with_current_keys(content["settings"])
    return FeatureInfo(**{**content, "score_names": tuple(content["score_names"]), "settings": settings})


def _progress(content: Mapping[str, Any]) -> ShardProgress:
    return ShardProgress(
        done=tuple(SourceRecord(**{**record, "messages": tuple(record["messages"])}) for record in content["done"]),
        positions=tuple(Position(**position) for position in content["positions"]),
        failures=tuple((source, frame, reason) for source, frame, reason in content["failures"]),
    )


_MARK = "arrays.json"
_ARRAYS = ("source_index", "frame", "time_s", "track", "features", "scores")


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureArrays:
    """N vectors, in the order in which they were extracted.

    Attributes:
        sources: S names.
        source_index: (N,) int32 into ``sources``.
        frame: (N,) int64; for crops the number in the file name, which starts at 1; for videos counted from 0.
        time_s: (N,) float64, NaN where unknown.
        track: (N,) int64, -1 where nothing is tracked.
        features: (N, D) float32 or float16.
        scores: (N, K) of the same type, raw; the folder's `FeatureInfo` names the columns.
    """

    sources: tuple[str, ...]
    source_index: npt.NDArray[np.int32]
    frame: Int64
    time_s: Float64
    track: Int64
    features: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.frame)

    def rows_of(self, source: str) -> Indices:
        """The row indices of one input; empty if it has no rows."""
        if source not in self.sources:
            return np.empty(0, np.intp)
        return np.flatnonzero(self.source_index == self.sources.index(source))


@dataclass(frozen=True)
class FeatureSet:
    """A folder of vectors that `mien features` wrote; `open_features` makes it.

    Attributes:
        folder: Folder of the shards.
        info: Description of the vectors.
        shards: Shards in order.
    """

    folder: Path
    info: FeatureInfo
    shards: tuple[Shard, ...]

    def __len__(self) -> int:
        return sum(shard.n_rows for shard in self.shards)

    @property
    def records(self) -> tuple[SourceRecord, ...]:
        """Records of the inputs that were read to their end."""
        return tuple(record for shard in self.shards for record in shard.progress.done)

    def stream(self) -> Iterator[FeatureArrays]:
        """All rows, one shard at a time: memory holds one.

        Raises:
            InputError: A shard is damaged or gone.
        """
        for shard in self.shards:
            try:
                with open_regular(shard.path) as file:
                    table = _checked(pq.read_table(file), self.info)
            except NotATableError as error:
                raise InputError(f"{shard.path} {error}; delete it and every later one, and extract again") from error
            except (pa.ArrowException, OSError, ValueError) as error:
                reason = printable(" ".join(str(error).split()), limit=300)
                raise InputError(f"{shard.path}: cannot be read ({reason}); delete it and extract again") from error
            yield _arrays(table, self.info)

    def load(self) -> FeatureArrays:
        """All rows in memory, for folders that fit."""
        parts = list(self.stream())
        sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
        number = {name: index for index, name in enumerate(sources)}
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS if name != "source_index"
        }
        renumbered = [np.array([number[name] for name in part.sources], np.int32)[part.source_index] for part in parts]
        return FeatureArrays(sources=sources, source_index=np.concatenate(renumbered), **columns)

    def mapped(self, cache: Path | None = None) -> FeatureArrays:
        """All rows as memory-mapped arrays, for training.

        The first call copies the shards into ``.npy`` files, which later calls open as long as the shards are the
        same.

        Args:
            cache: Folder for the copies; ``arrays`` beside the shards if None. It takes as much space as the shards.

        Raises:
            InputError: A shard is damaged.
            OutputError: The copies cannot be written.
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
                with atomic_write(mark) as file:
                    file.write(json.dumps({"key": key, "sources": sources}).encode("ascii"))
        columns: dict[str, Any] = {name: _map(place / f"{name}.npy") for name in _ARRAYS}
        return FeatureArrays(sources=tuple(sources), **columns)

    def _key(self) -> str:
        """A digest that changes whenever a shard changes."""
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
        InputError: There are no shards, or one of them is missing or damaged.
    """
    shards = list_shards(Path(folder))
    if not shards:
        raise InputError(f"{folder}: no feature vectors here; mien features writes them")
    return FeatureSet(Path(folder), shards[0].info, shards)


def _checked(table: pa.Table, info: FeatureInfo) -> pa.Table:
    """The table of a shard with the columns and types of its description.

    Raises:
        NotATableError: A column is missing, or a value in it is missing or impossible.
    """
    columns = []
    for expected in info.schema:
        if table.schema.names.count(expected.name) != 1:
            raise NotATableError(f"cannot be used: it must have one column {expected.name}")
        column = table[expected.name]
        try:
            columns.append(column.cast(expected.type))
        except pa.ArrowException as error:
            kind = f"its type is {column.type}, and it cannot be read as {expected.type}"
            raise NotATableError(f"cannot be used: column {expected.name}: {shown(kind)}") from error
        if column.null_count and expected.name != "time_s":
            row = int(np.flatnonzero(column.is_null().to_numpy())[0])
            raise cell_error(row, expected.name, "there is no value")
    checked = pa.Table.from_arrays(columns, names=info.schema.names)
    for name, lowest in (("frame", 0), ("track", -1)):
        wrong = np.flatnonzero(checked[name].to_numpy() < lowest)
        if len(wrong):
            value = checked[name][int(wrong[0])].as_py()
            raise cell_error(int(wrong[0]), name, f"{value} is less than {lowest}")
    for name in ("features", "scores"):
        if name in checked.schema.names and len(checked):
            lists = checked[name].combine_chunks()
            values = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(checked), -1)
            wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if len(wrong):
                raise cell_error(int(wrong[0]), name, "a number of the vector is missing or not finite")
    _refuse_repeated_faces(checked)
    return checked


def _refuse_repeated_faces(table: pa.Table) -> None:
    """Refuses a face with two vectors of one frame.

    Raises:
        NotATableError: There is one.
    """
    source = table["source"].combine_chunks().dictionary_encode()
    keys = np.stack([source.indices.to_numpy(), table["frame"].to_numpy(), table["track"].to_numpy()], axis=1)
    followed = np.flatnonzero(keys[:, 2] >= 0)  # faces without a track may share a frame
    _, first = np.unique(keys[followed], axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(followed)), first)
    if len(again):
        row = int(followed[again[0]])
        name = shown(table["source"][row].as_py())
        complaint = f"{name} has two vectors of track {keys[row, 2]} in frame {keys[row, 1]}"
        raise cell_error(row, "frame", complaint)


def _arrays(table: pa.Table, info: FeatureInfo) -> FeatureArrays:
    table = table.combine_chunks()
    source = table["source"].combine_chunks().dictionary_encode()

    def vectors(name: str, length: int) -> Floats:
        if not length:
            return np.empty((len(table), 0), info.dtype)
        chunks = [chunk.flatten().to_numpy() for chunk in table[name].chunks]
        flat = chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, info.dtype), *chunks])
        values: Floats = flat.reshape(-1, length)
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
    """The names of the inputs in the copies; None without copies of exactly these shards."""
    try:
        content = json.loads(read_regular(mark))
        return list(content["sources"]) if content["key"] == key else None
    except (OSError, RecursionError, ValueError, KeyError, TypeError):
        return None  # they are made again


def _map(path: Path) -> npt.NDArray[Any]:
    try:
        with suppress(ValueError):  # an array without an element cannot be mapped
            return load_array(path, mapped=True)
        return load_array(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({printable(str(error))}); delete its folder, it is made again"
        ) from error
