# SPDX-License-Identifier: Apache-2.0
"""Files of a teacher's predictions: columns by label, names once, errors with the file."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import ConfigError
from mien.training.data.prediction_files import read_predictions, write_predictions

LABELS = {"expression": ("neutral", "happiness"), "valence_arousal": ("valence", "arousal"), "action_units": ("AU01",)}


def write(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_columns_by_label_or_with_the_prefix_of_the_table(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.parquet", name=["a", "b"], expression_happiness=[0.5, 0.75], neutral=[0.5, 0.25], arousal=[1, -1]
    )
    read = read_predictions(path, LABELS)
    assert read.row_of == {"a": 0, "b": 1}
    assert set(read.tasks) == {"expression", "valence_arousal"}
    names, values = read.tasks["expression"]
    assert names == ("neutral", "happiness")
    np.testing.assert_array_equal(values, [[0.5, 0.5], [0.25, 0.75]])
    assert values.dtype == np.float32
    assert read.tasks["valence_arousal"][0] == ("arousal",)


def test_a_written_file_is_read_as_it_was(tmp_path: Path) -> None:
    values = np.array([[0.25, 0.75], [1, 0]], np.float32)
    affect = np.array([[0.5, -0.5], [-1, 1]], np.float32)
    tasks = {"expression": (("neutral", "happiness"), values), "valence_arousal": (("valence", "arousal"), affect)}
    write_predictions(tmp_path / "p.parquet", ["b", "a"], tasks)
    read = read_predictions(tmp_path / "p.parquet", LABELS)
    assert read.row_of == {"b": 0, "a": 1}
    assert set(read.tasks) == set(tasks)
    for task, (labels, expected) in tasks.items():
        assert read.tasks[task][0] == labels
        np.testing.assert_array_equal(read.tasks[task][1], expected)


def test_errors_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no table")
    for path, message in (
        (tmp_path / "absent.parquet", "absent.parquet is no Parquet file of predictions"),
        (tmp_path / "text.parquet", "text.parquet is no Parquet file of predictions"),
        (write(tmp_path / "nameless.parquet", neutral=[1.0]), "needs the column 'name'"),
        (write(tmp_path / "other.parquet", name=["a"], smile=[1.0]), "needs the column 'name' and columns"),
        (write(tmp_path / "twice.parquet", name=["a", "a"], neutral=[1.0, 0.5]), "two different predictions for a"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_predictions(path, LABELS)
    same = write(tmp_path / "same.parquet", name=["a", "a"], neutral=[1.0, 1.0])
    assert read_predictions(same, LABELS).row_of == {"a": 0}
