# SPDX-License-Identifier: Apache-2.0
"""Feature vectors on disk: Parquet shards that a kill cannot tear, and what each of them says of itself.

A shard takes its name only when it is complete, and says in its metadata which inputs are done and up to which frame
the last one has come. Rows and progress thus become safe in one rename: whatever moment a kill falls on, the next run
goes on exactly after the last row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien._version import __version__
from mien.core import ConfigError, InputError

FEATURES_VERSION = 1
"""Version of the shards' layout; a reader refuses a higher one."""

_KEY = b"mien.features"
_PATTERN = "shard-*.parquet"


@dataclass(frozen=True, kw_only=True)
class FeatureInfo:
    """What the vectors of a folder are; the same in each of its shards.

    Attributes:
        made_by: name of the bundle or the audio encoder.
        digest: SHA-256 of the bundle's description, or of the encoder's model.
        n_features: D, length of the embedding.
        score_names: K names ``task.label`` of the raw scores: logits, and values before they are clipped.
        dtype: of the vectors, ``"float32"`` or ``"float16"``.
        settings: of the extraction, such as which frames; any JSON values.
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
            ConfigError: the vectors have no scores of it.
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
        source: as in the column.
        n_frames: frames or steps that were looked at.
        n_rows: vectors of it.
        messages: what was lost, in sentences.
    """

    source: str
    n_frames: int
    n_rows: int
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far an input has come that is not at its end.

    Attributes:
        source: as in the column.
        frame: the last one that is safe, with or without a face.
        n_rows: vectors of the input so far.
    """

    source: str
    frame: int
    n_rows: int


@dataclass(frozen=True, kw_only=True)
class ShardProgress:
    """What one shard tells beside its rows.

    Attributes:
        done: inputs that ended in it.
        positions: inputs that have begun and are not at their end, those of earlier shards included.
        failures: ``(source, frame, reason)`` of single frames that could not be read.
    """

    done: tuple[SourceRecord, ...] = ()
    positions: tuple[Position, ...] = ()
    failures: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One file and what it says of itself.

    Attributes:
        path: of the file.
        n_rows: in it.
        info: of the vectors.
        progress: of the run that wrote it.
    """

    path: Path
    n_rows: int
    info: FeatureInfo
    progress: ShardProgress


def shard_path(folder: Path, number: int) -> Path:
    """Where shard ``number``, from 0, is or will be."""
    return folder / f"shard-{number:05d}.parquet"


def shard_schema(info: FeatureInfo, progress: ShardProgress) -> pa.Schema:
    """The columns, with everything that a shard says of itself as metadata."""
    content = {"version": FEATURES_VERSION, "mien": __version__, "info": asdict(info), "progress": asdict(progress)}
    # ASCII: a file name that is not UTF-8 (lone surrogates) becomes an escape and reads back unchanged.
    return info.schema.with_metadata({_KEY: json.dumps(content).encode("ascii")})


def list_shards(folder: Path) -> tuple[Shard, ...]:
    """The shards of a folder in order; none where there is no such folder.

    Raises:
        InputError: a shard is missing among the others, damaged, not mien's or of a newer version, or the shards hold
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
        about = pq.read_metadata(path)
        content = json.loads((about.metadata or {})[_KEY])
        version = content["version"]
        if version > FEATURES_VERSION:
            raise InputError(f"{path}: version {version}, this mien reads up to {FEATURES_VERSION}; update mien")
        return Shard(
            path=path,
            n_rows=about.num_rows,
            info=FeatureInfo(**{**content["info"], "score_names": tuple(content["info"]["score_names"])}),
            progress=_progress(content["progress"]),
        )
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: no shard of feature vectors, or damaged ({error}); delete it and every later one, and run "
            "mien features again"
        ) from error


def _progress(content: Mapping[str, Any]) -> ShardProgress:
    return ShardProgress(
        done=tuple(SourceRecord(**{**record, "messages": tuple(record["messages"])}) for record in content["done"]),
        positions=tuple(Position(**position) for position in content["positions"]),
        failures=tuple((source, frame, reason) for source, frame, reason in content["failures"]),
    )
