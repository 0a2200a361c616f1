# SPDX-License-Identifier: Apache-2.0
"""Learns the linear map that turns the shape of a posed face to the front, from faces with a known head pose."""

from __future__ import annotations

import logging

import numpy as np

from mien.core import Bools, DatasetError, Float32, Float64, Floats
from mien.faces import Shapes, normalized_shapes

logger = logging.getLogger(__name__)

_FRONTAL_RAD = np.deg2rad(10.0)
# Poses that the landmark model reads well; depths are estimated within them.
_READ_RAD = np.deg2rad(50.0)
_MIN_FRONTAL = 100
# Range of the turns that are undone.
_PITCH_RAD, _YAW_RAD = np.deg2rad(30.0), np.deg2rad(45.0)
_RIDGE = 1e-4


def fit_frontalization(shapes: Shapes, pose_rad: Floats, *, turns: int, seed: int) -> Float32:
    """Fit the weights of `mien.faces.frontal_shapes`.

    The depth of each landmark follows from how it moves as heads turn. Frontal shapes get it as a third coordinate, are
    turned by random angles, and ridge regression finds the linear map from the turned shapes back to the frontal ones.
    Source: system 8 of the literature has such a map; how it was fitted there is not known.

    Args:
        shapes: (N, 68) as `mien.faces.normalized_shapes` gives them.
        pose_rad: (N, 3) pitch, yaw and roll of the heads, see `mien.core.rotation_matrices`.
        turns: Number of random turns of each frontal shape.
        seed: Seed of the turns.

    Returns:
        (137, 136) weights.

    Raises:
        DatasetError: Fewer than 100 faces are within 10 degrees of the front.
    """
    frontal = is_frontal(pose_rad)
    if frontal.sum() < _MIN_FRONTAL:
        raise DatasetError(
            f"{int(frontal.sum())} faces look to the front (within 10 degrees), and {_MIN_FRONTAL} are needed to learn "
            "how faces turn"
        )
    depth = landmark_depth(shapes, pose_rad)
    upright = shapes[frontal]
    rng = np.random.default_rng(seed)
    posed, front = [], []
    for _ in range(turns):
        pitch = rng.uniform(-_PITCH_RAD, _PITCH_RAD, len(upright))
        yaw = rng.uniform(-_YAW_RAD, _YAW_RAD, len(upright))
        posed.append(normalized_shapes(turned(upright, depth, pitch, yaw)))
        front.append(upright)
    inputs = _columns(np.concatenate([*posed, upright]), constant=True)
    outputs = _columns(np.concatenate([*front, upright]), constant=False)
    gram = inputs.T @ inputs + _RIDGE * len(inputs) * np.diag([*np.ones(136), 0.0])
    return np.linalg.solve(gram, inputs.T @ outputs).astype(np.float32)


def identity_frontalization() -> Float32:
    """(137, 136) weights that leave shapes as they are."""
    return np.eye(137, 136, dtype=np.float32)


def is_frontal(pose_rad: Floats) -> Bools:
    """(N,) heads whose pitch and yaw are within 10 degrees of the front."""
    near: Bools = np.asarray((np.abs(pose_rad[:, :2]) < _FRONTAL_RAD).all(axis=1))
    return near


def landmark_depth(shapes: Shapes, pose_rad: Floats) -> Float64:
    """(68,) mean depth of each landmark towards the viewer, in units of the shapes, mean 0.

    Under a distant camera a point at depth z moves by z sin(yaw) across and by -z sin(pitch) down as the head turns;
    least squares finds the z of all faces that were read within 50 degrees.
    """
    near = (np.abs(pose_rad[:, :2]) < _READ_RAD).all(axis=1) & np.isfinite(shapes[:, 0])
    pitch, yaw = np.asarray(pose_rad[near, :2], np.float64).T
    across = _slope(np.stack([np.cos(yaw), np.sin(yaw)], axis=1), shapes.real[near])
    down = _slope(np.stack([np.cos(pitch), -np.sin(pitch)], axis=1), shapes.imag[near])
    logger.info("depths from yaw and from pitch agree to r = %.2f", np.corrcoef(across, down)[0, 1])
    # Heads turn further to the side than up and down.
    depth = across if np.sin(yaw).std() >= np.sin(pitch).std() else down
    return np.asarray(depth - depth.mean(), np.float64)


def turned(shapes: Shapes, depth: Float64, pitch_rad: Float64, yaw_rad: Float64) -> Float32:
    """Landmarks (N, 68, 2) of frontal shapes (N, 68) after their heads were turned, seen by a distant camera."""
    x, y = shapes.real.astype(np.float64), shapes.imag.astype(np.float64)
    sine, cosine = np.sin(yaw_rad)[:, None], np.cos(yaw_rad)[:, None]
    across, towards = x * cosine + depth * sine, depth * cosine - x * sine
    sine, cosine = np.sin(pitch_rad)[:, None], np.cos(pitch_rad)[:, None]
    return np.stack([across, y * cosine - towards * sine], axis=2).astype(np.float32)


def _slope(terms: Float64, values: Float32) -> Float64:
    """(68,) coefficients of the second of two terms (N, 2) in the values (N, 68)."""
    solution: Float64 = np.linalg.lstsq(terms, np.asarray(values, np.float64), rcond=None)[0][1]
    return solution


def _columns(shapes: Shapes, *, constant: bool) -> Float64:
    """(N, 136) x and y of shapes, with a constant 1 behind them if asked for."""
    parts = [shapes.real, shapes.imag]
    if constant:
        parts.append(np.ones((len(shapes), 1), np.float32))
    return np.concatenate(parts, axis=1).astype(np.float64)
