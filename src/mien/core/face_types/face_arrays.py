# SPDX-License-Identifier: Apache-2.0
"""The arrays of `Faces`: shape, dtype and fill value of each, and the check of given ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core.errors import ConfigError
from mien.core.labels import ACTION_UNIT_SIDES
from mien.core.uncertainty import ABSTAIN_REASONS

# Per-face arrays: name -> (shape after N, dtype, fill value where nothing is known).
# None in a shape is a length that the instance decides.
FACE_ARRAYS: dict[str, tuple[tuple[int | None, ...], type, float]] = {
    "boxes": ((4,), np.float32, np.nan),
    "confidence": ((), np.float32, np.nan),
    "landmarks": ((68, 2), np.float32, np.nan),
    "keypoints": ((5, 2), np.float32, np.nan),
    "track_ids": ((), np.int64, -1),
    "pose_rad": ((3,), np.float32, np.nan),
    "eyes_open": ((2,), np.float32, np.nan),
    "quality": ((), np.float32, np.nan),
    "expression": ((None,), np.float32, np.nan),
    "valence": ((), np.float32, np.nan),
    "arousal": ((), np.float32, np.nan),
    "action_units": ((None,), np.float32, np.nan),
    "action_unit_intensity": ((None,), np.float32, np.nan),
    "action_unit_sides": ((len(ACTION_UNIT_SIDES),), np.float32, np.nan),
    "features": ((None,), np.float32, np.nan),
    "numbers": ((), np.int64, 0),
    "covered": ((), np.float32, np.nan),
    "unfamiliar": ((), np.float32, np.nan),
    "view_spread": ((), np.float32, np.nan),
    "expression_sets": ((None,), np.bool_, False),
    "valence_interval": ((2,), np.float32, np.nan),
    "arousal_interval": ((2,), np.float32, np.nan),
    "action_unit_intervals": ((None, 2), np.float32, np.nan),
    "abstain": ((len(ABSTAIN_REASONS),), np.bool_, False),
}


def validated_array(
    name: str, value: npt.ArrayLike, n_faces: int, shape: tuple[int | None, ...], dtype: type
) -> npt.NDArray[Any]:
    """A read-only view of the right dtype and shape.

    Args:
        name: Name of the array, for the message.
        value: Given array.
        n_faces: Number of faces N.
        shape: Shape after N; None for any length.
        dtype: Type of its values.

    Raises:
        ConfigError: The array has another shape.
    """
    array: npt.NDArray[Any] = np.asarray(value, dtype=dtype)
    expected = (n_faces, *shape)
    if array.shape != expected and not _fits(array.shape, expected):
        wanted = ", ".join("?" if size is None else str(size) for size in expected)
        raise ConfigError(f"{name} must have shape ({wanted}), got {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(
        want is None or want == got for want, got in zip(expected, shape, strict=True)
    )
