# SPDX-License-Identifier: Apache-2.0
"""How samples keep their columns: absent ones filled, the shapes checked, nothing writeable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError

NOT_GIVEN: Any = None
"""Default of a column; replaced by `freeze_columns` before anyone can see it."""

UNKNOWN = -1
"""Stands in integer label columns where nobody knows the label."""

Column = tuple[tuple[int, ...], type, float]
"""Shape, dtype and what an absent column is filled with."""


def freeze_columns(samples: object, columns: Mapping[str, Column]) -> None:
    """Turn the named fields of a frozen dataclass into read-only arrays.

    Raises:
        ConfigError: a column has another shape.
    """
    for name, (shape, dtype, fill) in columns.items():
        value = getattr(samples, name)
        array: npt.NDArray[Any] = np.full(shape, fill, dtype) if value is NOT_GIVEN else np.asarray(value, dtype)
        if array.shape != shape:
            raise ConfigError(f"{name} must have shape {shape}, got {array.shape}")
        view = array.view()
        view.flags.writeable = False
        object.__setattr__(samples, name, view)
