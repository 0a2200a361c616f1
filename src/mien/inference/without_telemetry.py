# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, imported so that it neither sends nor stores anything about its user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH = "ORT_DISABLE_TELEMETRY"


@contextmanager
def _telemetry_off() -> Iterator[None]:
    """The environment as ONNX Runtime must find it, and afterwards as it was."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before


# Since 1.32 the import alone leaves a device number and a store of events in the user's home, to be sent by native
# code, which no audit hook sees; what can be called afterwards comes too late.
with _telemetry_off():
    import onnxruntime  # type: ignore[import-untyped]  # ships no types
    from onnxruntime.capi import onnxruntime_pybind11_state  # type: ignore[import-untyped]  # ships no types

__all__ = ["onnxruntime", "onnxruntime_pybind11_state"]
