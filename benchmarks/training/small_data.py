# SPDX-License-Identifier: Apache-2.0
"""A few hundred faces of the open sets, in the layout of the whole, to run every step of a long command in minutes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mien.datasets import name_share, person
from mien.results import atomic_write

N_FACES = {
    "ferplus/train": 660,
    "ferplus/valid": 300,
    "fairface/train": 80,
    "fairface/val": 120,
    "fairface/more": 60,
    "lfw_expression/photos": 300,
}
"""Pictures of a set, by the path of its file without the ending -> number of them that a small set has."""

_WHOLE = ("affectnet_c25/ratings.parquet", "models/faceres_trunk.npz")
_TEACHERS = "teacher"


def write_small_data(data: Path, out: Path) -> None:
    """Write the small sets unless they are there: pictures, the teachers' predictions for them, start weights.

    Which pictures are kept depends on their names alone; LFW's people are kept with all their photos.

    Args:
        data: Folder of the open face sets.
        out: Folder of the small ones.
    """
    done = out / "SMALL"
    if done.is_file():
        return
    names: set[str] = set()
    for path, n in N_FACES.items():
        table = pq.read_table(data / f"{path}.parquet")
        kept = small_rows(table["name"].to_pylist(), n, by_person=path.startswith("lfw"))
        names |= set(table["name"].take(pa.array(kept)).to_pylist())
        _write(out / f"{path}.parquet", table.take(pa.array(kept)))
    for path in sorted((data / _TEACHERS).glob("*.parquet")):
        table = pq.read_table(path)
        wanted = [name in names for name in table["name"].to_pylist()]
        _write(out / _TEACHERS / path.name, table.filter(pa.array(wanted)))
    for name in _WHOLE:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, out / name)
    done.write_text(f"a part of {data.name}, written by python -m benchmarks bundles --small\n", "utf-8")


def small_rows(names: Sequence[str], n: int, *, by_person: bool) -> list[int]:
    """About n rows of a set, in its order.

    Args:
        names: Names of its pictures.
        n: Number of rows; all photos of the last person are taken.
        by_person: Whether a person's photos stay together.
    """
    groups = [person(name) if by_person else name for name in names]
    shares = [name_share(f"small {group}") for group in groups]
    limit = sorted(shares)[min(n, len(shares)) - 1]
    return [row for row, share in enumerate(shares) if share <= limit]


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        pq.write_table(table, file)
