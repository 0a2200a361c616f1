# SPDX-License-Identifier: Apache-2.0
"""Arrow arrays from NumPy: the same as `pyarrow.array` makes, without its side effect."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.results.tables.table_formats import boolean_column, numeric_column, text_column


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("n", [0, 1, 9, 70])
def test_numbers(dtype: type, n: int) -> None:
    values = np.arange(2 * n).astype(dtype)[::2]  # not contiguous
    absent = np.arange(n) % 3 == 1
    for column, expected in (
        (numeric_column(values), pa.array(values)),
        (numeric_column(values, absent), pa.array(values, mask=absent)),
        (numeric_column(values, np.zeros(n, bool)), pa.array(values)),
    ):
        column.validate(full=True)
        assert column.type == expected.type
        assert column.equals(expected)
        assert column.null_count == expected.null_count


@pytest.mark.parametrize("n", [0, 1, 9, 70])
def test_booleans(n: int) -> None:
    values = np.arange(n) % 3 == 1
    column = boolean_column(values)
    column.validate(full=True)
    assert column.to_pylist() == values.tolist()


@pytest.mark.parametrize("values", [[], [""], ["a", "", "bär \U0001f600", "c" * 300]])
def test_text(values: list[str]) -> None:
    rows = np.arange(3 * len(values), dtype=np.int64) // 2 % max(len(values), 1)
    absent = np.arange(len(rows)) % 3 == 1
    for column, expected in (
        (text_column(values, rows), [values[row] for row in rows]),
        (
            text_column(values, rows, absent),
            [None if gone else values[row] for row, gone in zip(rows, absent, strict=True)],
        ),
        (text_column(values, rows, np.zeros(len(rows), bool)), [values[row] for row in rows]),
    ):
        column.validate(full=True)
        assert column.type == pa.string()
        assert column.to_pylist() == expected
        assert column.null_count == expected.count(None)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_is_written_without_what_is_slow_to_import(tmp_path: Path, ending: str) -> None:
    """Whether or not pandas is installed: whoever asks for it is stopped."""
    script = f"""
import sys
class Stop:
    def find_spec(self, name, path=None, target=None):
        if name in ("pandas", "pyarrow.compute", "rich"):
            raise AssertionError(f"{{name}} is imported")
sys.meta_path.insert(0, Stop())
from mien.core import Faces, Frame
from mien.results import TableWriter, table_schema
with TableWriter({str(tmp_path / f"t{ending}")!r}, table_schema()) as writer:
    writer.append("a.png", Frame(index=0, time_s=0.0, faces=Faces.empty((), ())))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"t{ending}").exists()
