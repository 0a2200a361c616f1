# SPDX-License-Identifier: Apache-2.0
"""Shards: tables of many photos each in a folder of tables, which the next run completes photo by photo."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mien.core import InputError, source_path
from mien.jobs import batched
from mien.media import MediaInput
from mien.results import InputRecord, RunManifest, hash_file, read_facts

SHARD_KEY = "shard_sha256"
"""Key of a table's metadata under which the digest of what decides its rows, apart from its photos, is."""

_STEM = "photos"
_ENDING = ".parquet"
_MANIFEST = ".manifest.json"


@dataclass(frozen=True)
class FinishedShards:
    """What earlier runs have left in a folder.

    Attributes:
        tables: Shards that this run keeps.
        records: Records of this run's photos in them, by the identity of the file.
    """

    tables: tuple[Path, ...]
    records: dict[str, InputRecord]


def shard_names(n: int, in_use: Collection[str] = ()) -> Iterator[str]:
    """The first n names of shards that are free.

    Examples:
        >>> list(shard_names(2, {"photos-00000.parquet"}))
        ['photos-00001.parquet', 'photos-00002.parquet']
    """
    free = (name for number in count() if (name := f"{_STEM}-{number:05d}{_ENDING}") not in in_use)
    return (name for name, _ in zip(free, range(n), strict=False))


def split_photos(photos: Sequence[MediaInput], size: int) -> list[tuple[MediaInput, ...]]:
    """The photos of each shard, in order."""
    return [tuple(part) for part in batched(photos, size)]


def finished_shards(folder: Path, photos: Sequence[MediaInput], digest: str) -> FinishedShards:
    """The shards of a folder whose rows a new run would write again, and its photos in them.

    A shard with a photo that has changed, or that another run cannot have written alike, is not kept: its photos are
    analysed again. Photos that this run does not name stay in their shard.

    Args:
        folder: Folder of the tables.
        photos: Photos of this run.
        digest: Digest of everything that decides rows, apart from the photos.
    """
    named = {identity(photo.path): photo for photo in photos if photo.path is not None}
    tables, records = [], {}
    for path in sorted(folder.glob(f"{_STEM}-*{_ENDING}{_MANIFEST}")):
        table = path.with_name(path.name.removesuffix(_MANIFEST))
        own = _unchanged(table, named, digest)
        if own is not None:
            tables.append(table)
            records.update(own)
    return FinishedShards(tuple(tables), records)


def identity(path: Path | str) -> str:
    """Name of a file that is the same however it is written."""
    return os.path.realpath(path)


def _unchanged(table: Path, named: dict[str, MediaInput], digest: str) -> dict[str, InputRecord] | None:
    """Records of this run's photos in a shard; None where its rows are not those that the run would write."""
    try:
        manifest, facts = RunManifest.load(table), read_facts(table)
        # The manifest is written after its table: a crash between the two leaves an older one beside a new table.
        n_rows = sum(record.n_rows for record in manifest.inputs)
        if facts.metadata.get(SHARD_KEY) != digest or facts.n_rows != n_rows:
            return None
        found = {}
        for record in manifest.inputs:
            place = identity(source_path(record.path))
            photo = named.get(place)
            if photo is None or photo.path is None:
                continue
            same = record.path == photo.name and record.size_bytes == photo.path.stat().st_size and record.complete
            if not same or record.sha256 != hash_file(photo.path):
                return None
            found[place] = record
    except (InputError, OSError):
        return None  # the run meets the same error again and reports it
    return found
