# SPDX-License-Identifier: Apache-2.0
"""Adaptive frame rate: affect is predicted in few frames where it is certain, and interpolated between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mien.affect.temporal.filters import fill_gaps
from mien.core import MAX_STRIDE, Bools, ConfigError, Float32, Indices, Int64, check_number

Values = Mapping[str, Float32]

STRIDES = (25, 5, 1)
CONFIDENCE = 0.8


@dataclass(frozen=True, kw_only=True)
class AdaptiveRate:
    """Strides of an adaptive frame rate.

    A track is cut into segments of as many frames as the first stride. In each segment, affect is predicted in the
    first frame, in frames one stride apart, and in the last frame. Where the mean of the predicted expression
    probabilities gives less than ``confidence`` to every expression, the segment is predicted again at the next stride.
    The frames between are interpolated.

    Attributes:
        strides: Distances in frames between two predictions, falling to 1.
        confidence: Mean probability of the top expression that is enough, above 0 and at most 1.

    Source: Savchenko, Facial Expression Recognition with Adaptive Frame Rate based on Multiple Testing Correction,
    ICML 2023. There thresholds of each stride come from labelled videos; here one is given.

    Examples:
        >>> str(AdaptiveRate())
        '25,5,1@0.8'
        >>> AdaptiveRate(strides=(5, 25))
        Traceback (most recent call last):
        mien.core.errors.ConfigError: strides must fall to 1, such as 25,5,1; got 5,25
    """

    strides: tuple[int, ...] = STRIDES
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        falling = all(coarse > fine for coarse, fine in pairwise(self.strides))
        if len(self.strides) < 2 or not falling or self.strides[-1] != 1:
            raise ConfigError(f"strides must fall to 1, such as 25,5,1; got {','.join(map(str, self.strides))}")
        check_number("a stride", self.strides[0], 1, MAX_STRIDE)
        if not 0 < self.confidence <= 1:
            raise ConfigError(f"confidence must be above 0 and at most 1, got {self.confidence}")

    def __str__(self) -> str:
        """The settings as text that `of` reads."""
        return f"{','.join(map(str, self.strides))}@{self.confidence:g}"

    @classmethod
    def of(cls, settings: AdaptiveRate | str | None) -> AdaptiveRate | None:
        """Settings from text such as ``"25,5,1"`` or ``"25,5,1@0.9"``; settings and None are returned unchanged.

        Raises:
            ConfigError: The text has another form.

        Examples:
            >>> AdaptiveRate.of("10,1@0.9")
            AdaptiveRate(strides=(10, 1), confidence=0.9)
        """
        if not isinstance(settings, str):
            return settings
        strides, at, confidence = settings.partition("@")
        try:
            return cls(
                strides=tuple(int(part) for part in strides.split(",")),
                confidence=float(confidence) if at else CONFIDENCE,
            )
        except ValueError as error:
            raise ConfigError(f"an adaptive rate is written as 25,5,1 or 25,5,1@0.9, got {settings!r}") from error


def predict_adaptively(
    rate: AdaptiveRate,
    frames: Int64,
    track_ids: Int64,
    usable: Bools,
    predict: Callable[[Indices], Values],
) -> tuple[dict[str, Float32], Bools]:
    """Values of all faces of one segment of a video, from predictions for some of them.

    Args:
        rate: Strides.
        frames: (N,) frame number of each face, ascending.
        track_ids: (N,) track numbers; faces without a track (-1) are always predicted.
        usable: (N,) whether a face may be predicted; the others stay NaN and do not influence their neighbours.
        predict: Function from M rows to name -> values (M, ...); ``"expression"`` must be among the names. Called at
            most once per stride.

    Returns:
        Name -> (N, ...) float32, and (N,) whether a face was predicted. An empty dict if no face is usable.

    Examples:
        >>> frames, ids = np.arange(5), np.zeros(5, np.int64)
        >>> def predict(rows):
        ...     return {"expression": np.float32([[0.9, 0.1]] * len(rows)), "valence": np.float32(rows / 4)}
        >>> values, predicted = predict_adaptively(AdaptiveRate(strides=(4, 1)), frames, ids, ids == 0, predict)
        >>> values["valence"].tolist(), predicted.tolist()
        ([0.0, 0.25, 0.5, 0.75, 1.0], [True, False, False, False, True])
    """
    columns: dict[str, Float32] = {}
    predicted = np.zeros(len(frames), dtype=np.bool_)
    tracks = [
        np.flatnonzero(usable & (track_ids == number)) for number in np.unique(track_ids[usable & (track_ids >= 0)])
    ]
    wanted = np.flatnonzero(usable & (track_ids < 0))
    pending = tracks
    for stride in rate.strides:
        wanted = np.concatenate([wanted, *(_sparse(frames, track, stride) for track in pending)]).astype(np.intp)
        rows = wanted[~predicted[wanted]]
        if len(rows):
            for name, values in predict(rows).items():
                columns.setdefault(name, np.full((len(frames), *values.shape[1:]), np.nan, np.float32))[rows] = values
            predicted[rows] = True
        pending = [track for track in pending if _mean_top(columns, track[predicted[track]]) < rate.confidence]
        wanted = np.empty(0, dtype=np.intp)
    for track in tracks:
        _interpolate(columns, frames, track, predicted)
    return columns, predicted


def _mean_top(columns: Values, rows: Indices) -> float:
    """Mean probability of the top expression of these faces."""
    return float(columns["expression"][rows].mean(axis=0).max())


def _sparse(frames: Int64, track: Indices, stride: int) -> Indices:
    """Rows of a track at least one stride apart, from the first on, and the last row."""
    if stride == 1:
        return track
    chosen = [0]
    for place in range(1, len(track)):
        if frames[track[place]] - frames[track[chosen[-1]]] >= stride:
            chosen.append(place)
    return np.asarray(track[np.unique([*chosen, len(track) - 1])])


def _interpolate(columns: Values, frames: Int64, track: Indices, predicted: Bools) -> None:
    """Interpolate the rows of a track that were not predicted, in place."""
    known, missing = track[predicted[track]], track[~predicted[track]]
    if not len(missing):
        return
    for values in columns.values():
        flat = values.reshape(len(values), -1)
        flat[missing] = fill_gaps(frames[known], flat[known], frames[missing])
