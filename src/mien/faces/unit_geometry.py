# SPDX-License-Identifier: Apache-2.0
"""Distances between 68 landmarks that action units change, in eye distances and along the face's own axes."""

from __future__ import annotations

import numpy as np

from mien.core import ConfigError, Float64, Floats

_EYELIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
_LIPS = ((61, 67), (62, 66), (63, 65))


def unit_geometry(landmarks: Floats) -> dict[str, Float64]:
    """Measures of the landmarks that grow with an action unit, all but AU45 in distances between the eye centres.

    They depend on the person and the pose, too, and have no zero: they rank faces of one kind, and measure nothing else
    than where the landmarks are.

    Args:
        landmarks: (N, 68, 2) in 300-W order, in pixels or fractions of a square picture. Rows with NaN stay NaN.

    Returns:
        Action unit -> (N,) measure. ``AU01``: height of the inner ends of the brows over the inner corners of the eyes;
        ``AU02``: that of the outer ends over the outer corners; ``AU04``: minus the height of the brows over the eye
        centres, minus the gap between the brows; ``AU12``: width of the mouth plus height of its corners over the upper
        lip's lower edge; ``AU15``: minus that height; ``AU25`` and ``AU26``: gap between the lips; ``AU45``: minus the
        opening of the eyes over their width.

    Raises:
        ConfigError: The array has another shape.

    Examples:
        >>> face = np.zeros((1, 68, 2))
        >>> face[0, 42:48, 0] = 1.0  # the eye at the image's right
        >>> face[0, [65, 66, 67], 1] = 0.25  # an open mouth
        >>> float(unit_geometry(face)["AU25"][0])
        0.25
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (68, 2):
        raise ConfigError(f"landmarks must be (N, 68, 2), got {points.shape}")
    left, right = points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)
    across = right - left
    distance = np.linalg.norm(across, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        x_axis = across / distance[:, None]
        y_axis = np.stack([-x_axis[:, 1], x_axis[:, 0]], axis=1)
        x = np.einsum("nkc,nc->nk", points - left[:, None], x_axis) / distance[:, None]
        y = np.einsum("nkc,nc->nk", points - left[:, None], y_axis) / distance[:, None]
        gap = np.mean([np.hypot(x[:, a] - x[:, b], y[:, a] - y[:, b]) for a, b in _LIPS], axis=0)
        lids = [np.hypot(x[:, a] - x[:, b], y[:, a] - y[:, b]) for a, b in _EYELIDS]
        widths = [np.hypot(x[:, a] - x[:, b], y[:, a] - y[:, b]) for a, b in ((36, 39), (42, 45))]
        opening = np.mean([(lids[0] + lids[1]) / widths[0], (lids[2] + lids[3]) / widths[1]], axis=0) / 2
    corners = y[:, 62] - y[:, [48, 54]].mean(axis=1)
    return {
        "AU01": (y[:, 39] + y[:, 42] - y[:, [20, 21]].mean(axis=1) - y[:, [22, 23]].mean(axis=1)) / 2,
        "AU02": (y[:, 36] + y[:, 45] - y[:, [17, 18]].mean(axis=1) - y[:, [25, 26]].mean(axis=1)) / 2,
        "AU04": y[:, 19:25].mean(axis=1) - (x[:, 22] - x[:, 21]),
        "AU12": x[:, 54] - x[:, 48] + corners,
        "AU15": -corners,
        "AU25": gap,
        "AU26": gap,
        "AU45": -opening,
    }
