# SPDX-License-Identifier: Apache-2.0
"""`pyarrow.compute`, opened at the first call: its functions take a while to make, and a photo needs none."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    value = getattr(import_module("pyarrow.compute"), name)
    globals()[name] = value
    return value
