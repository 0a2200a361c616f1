# SPDX-License-Identifier: Apache-2.0
"""What earlier runs have left in a folder of tables: whose they are, and whether they are still good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mien._version import __version__
from mien.core import InputError
from mien.media import MediaInput
from mien.results import SCHEMA_VERSION, RunManifest, hash_file, read_facts

WORK_KEY = "work_sha256"
"""Key in a table's metadata: what its rows were made of and how, see `work_digest`."""

_MANIFESTS = "*.parquet.manifest.json"
# Arguments that decide where a row goes or how soon it comes, never what it says; the bundle's digest stands for the
# model. An argument that is not listed makes all tables anew: the safe side for one that somebody adds.
_WITHOUT_EFFECT = frozenset(
    {
        *("anonymous", "engine", "inputs", "model", "openface", "out", "overlay"),
        *("report", "report_frames", "threads", "workers"),
    }
)


def work_digest(arguments: Mapping[str, Any], bundle_sha256: str, input_sha256: str) -> str:
    """SHA-256 over everything that decides the rows of an input: its bytes, the models, the arguments, the version."""
    effective = {name: value for name, value in arguments.items() if name not in _WITHOUT_EFFECT}
    parts = [__version__, SCHEMA_VERSION, bundle_sha256, input_sha256, effective]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class ResumeIndex:
    """The tables of a folder that have a manifest and are of a single input.

    Attributes:
        manifests: by the table's name.
    """

    manifests: Mapping[str, RunManifest] = field(default_factory=dict)
    _names: Mapping[Path, str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read every manifest of a folder; damaged ones count as absent, so that their tables are made again."""
        manifests, names = {}, {}
        for path in sorted(folder.glob(_MANIFESTS)):
            table = path.with_name(path.name.removesuffix(".manifest.json"))
            try:
                manifest = RunManifest.load(table)
            except InputError:
                continue
            if len(manifest.inputs) == 1 and manifest.inputs[0].sha256 is not None:
                manifests[table.name] = manifest
                names[Path(manifest.inputs[0].path).resolve()] = table.name
        return cls(manifests, names)

    @property
    def names_in_use(self) -> list[str]:
        """Names of tables whose input still exists."""
        return [name for path, name in self._names.items() if path.exists()]

    def name_for(self, media: MediaInput) -> str | None:
        """Name of the table that an input has; None without one."""
        return None if media.path is None else self._names.get(media.path.resolve())

    def finished(
        self, table: Path, media: MediaInput, arguments: Mapping[str, Any], bundle_sha256: str
    ) -> RunManifest | None:
        """The manifest of a table that would come out the same again; None if there is work to do.

        Args:
            table: where the rows of the input belong.
            media: the input.
            arguments: of this run.
            bundle_sha256: of the bundle of this run.
        """
        manifest = self.manifests.get(table.name)
        if manifest is None or media.path is None or manifest.stopped or manifest.failures:
            return None
        record = manifest.inputs[0]
        try:
            if record.path != media.name or record.size_bytes != media.path.stat().st_size:
                return None
            facts = read_facts(table)
            # The manifest is written after its table: a kill between the two leaves an older one beside a new table.
            if facts.n_rows != record.n_rows or WORK_KEY not in facts.metadata:
                return None
            digest = work_digest(arguments, bundle_sha256, hash_file(media.path))
        except (InputError, OSError):
            return None  # whatever it is, working on it will meet it again and say so
        return manifest if facts.metadata[WORK_KEY] == digest else None
