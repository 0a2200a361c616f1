# SPDX-License-Identifier: Apache-2.0
"""Arrow arrays from NumPy without `pyarrow.array` and `take`, which import pandas or `pyarrow.compute` first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DATA_TYPES = {
    np.dtype(np.float32): pa.float32(),
    np.dtype(np.float64): pa.float64(),
    np.dtype(np.int64): pa.int64(),
}


def numeric_column(values: npt.NDArray[np.generic], absent: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """float32, float64 or int64 values (N,) as an Arrow array of that type, null where absent (N,)."""
    values = np.ascontiguousarray(values)
    data = pa.py_buffer(values)
    if absent is None or not absent.any():
        return pa.Array.from_buffers(_DATA_TYPES[values.dtype], len(values), [None, data], 0)
    present = _bits(~absent)
    return pa.Array.from_buffers(_DATA_TYPES[values.dtype], len(values), [present, data], int(absent.sum()))


def boolean_column(values: npt.NDArray[np.bool_]) -> pa.Array:
    """Truth values (N,) as an Arrow array without nulls."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)], 0)


def text_column(
    values: Sequence[str], rows: npt.NDArray[np.int64], absent: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """``values[row]`` of every row (N,) as an Arrow array of strings, null where absent (N,)."""
    encoded = [value.encode("utf-8") for value in values]
    present = np.ones(len(rows), dtype=bool) if absent is None else ~absent
    lengths = np.where(present, np.array([len(text) for text in encoded], dtype=np.int64)[rows], 0)
    stops = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    text = b"".join([encoded[row] for row in rows[present].tolist()])
    n_absent = len(rows) - int(present.sum())
    known = _bits(present) if n_absent else None
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(stops), pa.py_buffer(text), known, n_absent)


def _bits(values: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
