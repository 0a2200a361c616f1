# SPDX-License-Identifier: Apache-2.0
"""`pyarrow.compute` opens where a function of it is called, and not before."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from mien.results.tables import arrow_compute


def test_functions_are_those_of_pyarrow() -> None:
    assert arrow_compute.unique(pa.array([1, 2, 1])).to_pylist() == [1, 2]
    with pytest.raises(AttributeError, match="no_such_function"):
        getattr(arrow_compute, "no_such_function")  # noqa: B009 - the name is looked up when it is used


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_is_written_without_what_is_slow_to_import(tmp_path: Path, ending: str) -> None:
    """Whether or not pandas is installed: an import of it is an error."""
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
