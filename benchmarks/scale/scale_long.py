# SPDX-License-Identifier: Apache-2.0
"""Peak memory of the commands over one recording of ten million rows."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import ROOT
from benchmarks.machine import user_environment
from mien.core import EXPRESSIONS
from mien.results import table_schema

_UNITS = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU10", "AU12", "AU15", "AU17", "AU20", "AU24", "AU25")
_ROWS_A_GROUP = 8192
_FPS = 30
_RUNS = {
    "summarize": "from mien.pipeline import summarize_files; summarize_files([table], out=out + '.csv')",
    "report": "from mien.pipeline import write_report; write_report([table], out + '.html', frames=False)",
    "smooth": "from mien.affect import Smoothing; from mien.pipeline import smooth_file; "
    "smooth_file(table, out + '.parquet', Smoothing(expr=50, va=50, au=3))",
    "baseline": "from mien.pipeline import calibrate_file; calibrate_file(table, out + '.parquet')",
    "compound": "from mien.pipeline import compound_file; compound_file(table, out + '.parquet')",
    "tracks": "from mien.pipeline import tracks_of_file; tracks_of_file(table)",
    "merge": "from mien.pipeline import name_persons_in_file; "
    "name_persons_in_file(table, out + '.parquet', {'anna': [0]})",
    "convert": "from mien.pipeline import convert_file; convert_file(table, out + '.csv')",
    "openface": "from mien.pipeline import convert_to_openface; convert_to_openface(table, out, groups=['aus'])",
    "largest": "from mien.pipeline import convert_file; convert_file(table, out + '.parquet', faces='largest')",
}
_SCRIPT = """
import sys
import time
from benchmarks.machine import peak_memory_bytes
table, out = sys.argv[1:]
{run}
print(f"{{time.process_time():.0f}} s CPU, peak {{peak_memory_bytes() / 1e6:.0f}} MB")
"""


def write_long_table(path: Path, n_rows: int) -> None:
    """Write a table of one face in one recording, seen in nine of ten seconds, whose values change within seconds."""
    rng = np.random.default_rng(0)
    schema = table_schema(action_unit_labels=_UNITS)
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["source", "expression"]) as writer:
        for start in range(0, n_rows, _ROWS_A_GROUP):
            writer.write_table(_rows(rng, schema, start, min(_ROWS_A_GROUP, n_rows - start)))


def _rows(rng: np.random.Generator, schema: pa.Schema, start: int, n: int) -> pa.Table:
    frame = np.arange(start, start + n)
    seen = (frame // _FPS) % 10 > 0
    columns = {
        "source": pa.array(["long.mp4"] * n),
        "frame": pa.array(frame),
        "time_s": pa.array(frame / _FPS),
        "track_id": pa.array(np.zeros(n, np.int64), mask=~seen),
        "success": pa.array(seen),
        "face": pa.array(np.ones(n, np.int64), mask=~seen),
    }
    logits = 3 * np.stack([_wave(frame, k) for k in range(len(EXPRESSIONS))], axis=1) + rng.normal(0, 0.1, (n, 8))
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    known = {f"expression_{label}": probabilities[:, k] for k, label in enumerate(EXPRESSIONS)}
    known |= {"x0": np.zeros(n), "y0": np.zeros(n), "x1": np.full(n, 90), "y1": np.full(n, 90)}
    columns["expression"] = pa.array(np.array(EXPRESSIONS)[probabilities.argmax(axis=1)], mask=~seen)
    for k, field in enumerate(schema):
        if pa.types.is_integer(field.type) and field.name not in columns:
            columns[field.name] = pa.array(np.ones(n, np.int64), mask=~seen)
        elif field.name not in columns:
            values = known.get(field.name, np.clip(0.5 + 0.45 * _wave(frame, k) + rng.normal(0, 0.02, n), 0, 1))
            columns[field.name] = pa.array(values.astype(np.float32), mask=~seen)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _wave(frame: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.float64]:
    """A slow course in [-1, 1] of its own for each k, with about three periods a minute."""
    return np.asarray(np.sin(frame / _FPS * (0.3 + 0.01 * k) + k))


def measure_long(n_rows: int = 10_000_000) -> None:
    """Measure every command in a process of its own, and print one line for each."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "long.parquet"
        write_long_table(table, n_rows)
        for name in _RUNS:
            arguments = [sys.executable, "-c", _SCRIPT.format(run=_RUNS[name]), str(table), str(Path(folder) / name)]
            done = subprocess.run(
                arguments, capture_output=True, text=True, check=True, cwd=ROOT, env=user_environment()
            )
            print(f"{name}: {n_rows} rows, {done.stdout.strip()}", flush=True)
