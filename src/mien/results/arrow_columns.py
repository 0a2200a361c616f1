# SPDX-License-Identifier: Apache-2.0
"""Arrow arrays from NumPy without `pyarrow.array`, which imports pandas wherever that is installed: half a second."""

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


def text_column(values: Sequence[str]) -> pa.Array:
    """Text as an Arrow array of strings without nulls."""
    encoded = [value.encode("utf-8") for value in values]
    stops = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(stops), pa.py_buffer(b"".join(encoded)))


def _bits(values: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
