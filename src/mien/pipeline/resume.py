# SPDX-License-Identifier: Apache-2.0
"""Finds the tables of earlier runs in a folder, and decides whether a new run would write the same rows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mien._version import __version__
from mien.core import InputError, is_folder, path_exists, source_path
from mien.media import MediaInput
from mien.results import SCHEMA_VERSION, RunManifest, hash_file, read_facts

WORK_KEY = "work_sha256"
"""Key of a table's metadata under which the digest of its input and options is, see `work_digest`."""

_MANIFESTS = "*.parquet.manifest.json"


def work_digest(rows: Mapping[str, Any], bundle_sha256: str, input_sha256: str) -> str:
    """SHA-256 over everything that decides the rows of an input.

    Args:
        rows: Options that change rows (`mien.core.row_options`) and digests of further models.
        bundle_sha256: Digest of the affect bundle.
        input_sha256: Digest of the input's bytes.
    """
    parts = [__version__, SCHEMA_VERSION, bundle_sha256, input_sha256, dict(rows)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def shard_digest(rows: Mapping[str, Any], bundle_sha256: str) -> str:
    """SHA-256 over everything that decides the rows of a shard, apart from its photos; arguments as `work_digest`."""
    return work_digest(rows, bundle_sha256, "")


@dataclass(frozen=True)
class ResumeIndex:
    """The tables of a folder that have a manifest and are of a single input.

    Attributes:
        manifests: Name of the table -> manifest.
    """

    manifests: Mapping[str, RunManifest] = field(default_factory=dict)
    _names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read every manifest of a folder; damaged ones count as absent, so that their inputs are analysed again."""
        manifests, names = {}, {}
        if not is_folder(folder):
            return cls()
        for path in sorted(folder.glob(_MANIFESTS)):
            table = path.with_name(path.name.removesuffix(".manifest.json"))
            try:
                manifest = RunManifest.load(table)
            except InputError:
                continue
            if len(manifest.inputs) == 1 and manifest.inputs[0].sha256 is not None:
                manifests[table.name] = manifest
                names[os.path.realpath(source_path(manifest.inputs[0].path))] = table.name
        return cls(manifests, names)

    @property
    def names_in_use(self) -> list[str]:
        """Names of tables whose input still exists."""
        return [name for path, name in self._names.items() if path_exists(path)]

    def name_for(self, media: MediaInput) -> str | None:
        """Name of the table that an input has; None without one."""
        return None if media.path is None else self._names.get(os.path.realpath(media.path))

    def finished(
        self, table: Path, media: MediaInput, rows: Mapping[str, Any], bundle_sha256: str
    ) -> RunManifest | None:
        """The manifest of a table whose rows this run would write again; None if there is work to do.

        Args:
            table: Path of the input's table.
            media: The input.
            rows: Options and digests that change rows, see `work_digest`.
            bundle_sha256: Digest of the affect bundle of this run.
        """
        manifest = self.manifests.get(table.name)
        if manifest is None or media.path is None or manifest.stopped or manifest.failures:
            return None
        record = manifest.inputs[0]
        try:
            if record.path != media.name or record.size_bytes != media.path.stat().st_size:
                return None
            facts = read_facts(table)
            # The manifest is written after its table: a crash between the two leaves an older one beside a new table.
            if facts.n_rows != record.n_rows or WORK_KEY not in facts.metadata:
                return None
            digest = work_digest(rows, bundle_sha256, hash_file(media.path))
        except (InputError, OSError):
            return None  # the run meets the same error again and reports it
        return manifest if facts.metadata[WORK_KEY] == digest else None
