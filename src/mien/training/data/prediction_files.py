# SPDX-License-Identifier: Apache-2.0
"""Parquet files of a teacher's predictions for named pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.core import ConfigError, Float32, open_regular
from mien.results import atomic_write

_NAME = "name"


@dataclass(frozen=True, eq=False)
class NamedPredictions:
    """Predictions for N pictures.

    Attributes:
        row_of: Name of a picture -> its row.
        tasks: Task -> names of the columns, and (N, L) probabilities or values.
    """

    row_of: Mapping[str, int]
    tasks: Mapping[str, tuple[tuple[str, ...], Float32]]


def read_predictions(path: Path, labels: Mapping[str, tuple[str, ...]]) -> NamedPredictions:
    """Read a file with a column ``name`` and columns named as labels, or as ``expression_<label>``.

    Args:
        path: Parquet file. A task with none of its labels among the columns is left out.
        labels: Task -> labels to look for.

    Raises:
        ConfigError: The file cannot be read, has no names or none of the labels, or names a picture twice with
            different predictions.
    """
    try:
        with open_regular(path) as file:
            table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{path} is no Parquet file of predictions that can be read ({error})") from error
    columns = {task: _columns(names, table.column_names) for task, names in labels.items()}
    if _NAME not in table.column_names or not any(columns.values()):
        wanted = sorted(sum(labels.values(), ()))
        raise ConfigError(
            f"{path} needs the column {_NAME!r} and columns of predictions named as {wanted}, got {table.column_names}"
        )
    tasks = {
        task: (tuple(found), np.stack([table[name].to_numpy().astype(np.float32) for name in found.values()], axis=1))
        for task, found in columns.items()
        if found
    }
    row_of: dict[str, int] = {}
    for row, name in enumerate(table[_NAME].to_pylist()):
        first = row_of.setdefault(str(name), row)
        if any(not np.array_equal(values[first], values[row], equal_nan=True) for _, values in tasks.values()):
            raise ConfigError(f"{path} has two different predictions for {name}")
    return NamedPredictions(row_of, tasks)


def write_predictions(path: Path, names: Sequence[str], tasks: Mapping[str, tuple[tuple[str, ...], Float32]]) -> None:
    """Write a file that `read_predictions` reads.

    Args:
        path: Parquet file, which appears only when it is complete.
        names: Names of N pictures.
        tasks: Task -> labels, and (N, L) probabilities or values.

    Raises:
        OutputError: The file cannot be written.
    """
    columns = {label: values[:, column] for labels, values in tasks.values() for column, label in enumerate(labels)}
    with atomic_write(path) as file:
        pq.write_table(pa.table({_NAME: list(names), **columns}), file)


def _columns(labels: tuple[str, ...], present: list[str]) -> dict[str, str]:
    """Label -> name of its column, for the labels that are there."""
    named = ((label, name) for label in labels for name in (label, f"expression_{label}") if name in present)
    return dict(named)
