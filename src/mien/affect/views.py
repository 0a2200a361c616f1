# SPDX-License-Identifier: Apache-2.0
"""Further views of a face (mirrored, shifted, scaled), and how much the predictions change between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from mien.core import MAX_VIEWS, ConfigError, Float32, Image

# Whether a view is mirrored, its shift to the right and downwards as fractions of the side, and its scale.
_VIEWS = (
    (True, 0.0, 0.0, 1.0),
    (False, 0.05, 0.0, 1.0),
    (False, -0.05, 0.0, 1.0),
    (False, 0.0, 0.05, 1.0),
    (False, 0.0, -0.05, 1.0),
    (False, 0.0, 0.0, 1.08),
    (False, 0.0, 0.0, 0.93),
    (True, 0.03, 0.03, 1.04),
)
assert len(_VIEWS) == MAX_VIEWS


def further_views(crops: Image, n: int) -> Iterator[Image]:
    """The first n of eight views of crops: the mirror image, four shifts by 5 %, two scales, and all at once.

    Args:
        crops: (N, S, S) gray or (N, S, S, 3) uint8.
        n: Number of views, 0 to 8.

    Yields:
        Arrays like ``crops``; what comes in at an edge repeats it.

    Raises:
        ConfigError: There are no such n views.

    Examples:
        >>> (mirrored,) = further_views(np.array([[[1, 2], [3, 4]]], np.uint8), 1)
        >>> mirrored.tolist()
        [[[2, 1], [4, 3]]]
    """
    if not 0 <= n <= MAX_VIEWS:
        raise ConfigError(f"there are 0 to {MAX_VIEWS} views, not {n}")
    for mirrored, right, down, scale in _VIEWS[:n]:
        source = crops[:, :, ::-1] if mirrored else crops
        if (right, down, scale) == (0.0, 0.0, 1.0):
            yield np.ascontiguousarray(source)
            continue
        side = crops.shape[1]
        middle = (side - 1) / 2
        shift = middle * (1 - scale)
        matrix = np.array([[scale, 0, shift + right * side], [0, scale, shift + down * side]])
        yield np.stack(
            [
                cv2.warpAffine(np.ascontiguousarray(crop), matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
                for crop in source
            ]
        ).astype(np.uint8)


def view_spread(probabilities: Float32, others: Sequence[Float32]) -> Float32:
    """Mean total variation distance (N,) of other predictions from the given ones, in [0, 1].

    Args:
        probabilities: (N, E) probabilities.
        others: At least one array like it.

    Examples:
        >>> view_spread(np.array([[0.75, 0.25]]), [np.array([[0.25, 0.75]]), np.array([[0.75, 0.25]])]).tolist()
        [0.25]
    """
    distances = [np.abs(other - probabilities).sum(axis=1) / 2 for other in others]
    return np.asarray(np.mean(distances, axis=0), np.float32)
