# SPDX-License-Identifier: Apache-2.0
"""Metrics of body joints: percentage of correct parts (PCP) and mean per joint position error (MPJPE)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mien.core import Bools, ConfigError, Float64

_PCP_SHARE = 0.5


def joint_distances(found: npt.ArrayLike, truth: npt.ArrayLike) -> Float64:
    """Euclidean distance (N, J) of each joint from its true place, in the unit of the places.

    Args:
        found: (N, J, D) predicted places, D = 2 for pictures and 3 for space.
        truth: (N, J, D) true places.

    Raises:
        ConfigError: The shapes differ or are others, there is no row or joint, or a number is not finite.

    Examples:
        >>> joint_distances([[[3, 4], [1, 1]]], [[[0, 0], [1, 1]]]).tolist()
        [[5.0, 0.0]]
    """
    places, true = _places(found), _places(truth)
    if places.shape != true.shape:
        raise ConfigError(f"predicted and true joints must have one shape, got {places.shape} and {true.shape}")
    return np.asarray(np.linalg.norm(places - true, axis=2))


def mpjpe(found: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Mean per joint position error: the mean of `joint_distances` over all rows and joints.

    Arguments and errors as for `joint_distances`.

    Examples:
        >>> mpjpe([[[3, 4], [1, 1]]], [[[0, 0], [1, 1]]])
        2.5
    """
    return float(joint_distances(found, truth).mean())


def correct_parts(
    found: npt.ArrayLike, truth: npt.ArrayLike, limbs: Sequence[tuple[int, int]], *, share: float = _PCP_SHARE
) -> Bools:
    """Whether each limb (N, L) is correct: both ends are within a share of its true length from their true places.

    This is the strict form; the loose one takes the mean distance of both ends. A limb without length is never correct
    unless both ends are exact.

    Args:
        found: (N, J, D) predicted joints.
        truth: (N, J, D) true joints.
        limbs: L pairs of joint numbers, the two ends of each limb.
        share: Largest distance as a share of the true length of the limb.

    Raises:
        ConfigError: As for `joint_distances`; there is no limb, or it names a joint that does not exist; the share is
            not positive.

    Source: Ferrari, Marin-Jimenez and Zisserman, CVPR 2008; strict form of Pishchulin et al., CVPR 2012.

    Examples:
        >>> truth = [[[0, 0], [0, 10]]]
        >>> correct_parts([[[5, 0], [0, 10]]], truth, [(0, 1)]).tolist()
        [[True]]
        >>> correct_parts([[[5.1, 0], [0, 10]]], truth, [(0, 1)]).tolist()
        [[False]]
    """
    away, true = joint_distances(found, truth), _places(truth)
    ends = np.asarray(limbs, dtype=np.intp)
    if ends.ndim != 2 or ends.shape[1] != 2 or ends.min() < 0 or ends.max() >= true.shape[1]:
        raise ConfigError(f"limbs are pairs of joint numbers from 0 to {true.shape[1] - 1}, got {list(limbs)}")
    if not 0 < share < np.inf:
        raise ConfigError(f"share must be positive, got {share}")
    lengths = np.linalg.norm(true[:, ends[:, 0]] - true[:, ends[:, 1]], axis=2)
    return np.asarray((away[:, ends] <= share * lengths[..., None]).all(axis=2))


def pcp(
    found: npt.ArrayLike, truth: npt.ArrayLike, limbs: Sequence[tuple[int, int]], *, share: float = _PCP_SHARE
) -> float:
    """Percentage of correct parts, as a share in [0, 1]: the mean of `correct_parts` over all rows and limbs.

    Arguments and errors as for `correct_parts`.

    Examples:
        >>> truth = [[[0, 0], [0, 10], [0, 12]]]
        >>> pcp([[[0, 0], [0, 8], [0, 12]]], truth, [(0, 1), (1, 2)])  # 2 is within 5, and not within 1
        0.5
    """
    return float(correct_parts(found, truth, limbs, share=share).mean())


def _places(values: npt.ArrayLike) -> Float64:
    places = np.asarray(values, dtype=np.float64)
    if places.ndim != 3 or not places.size:
        raise ConfigError(f"joints must be (N, J, D) with at least one row and joint, got {places.shape}")
    if not np.isfinite(places).all():
        raise ConfigError("joints must be finite numbers")
    return places
