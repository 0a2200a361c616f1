# SPDX-License-Identifier: Apache-2.0
"""Adaptive frame rate: a sure stretch of a track is read in a few frames, an unsure one in more, down to all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mien.affect.temporal.smoothing import fill_gaps
from mien.core import ConfigError

Rows = npt.NDArray[np.intp]
Values = Mapping[str, npt.NDArray[np.float32]]

STRIDES = (25, 5, 1)
CONFIDENCE = 0.8


@dataclass(frozen=True, kw_only=True)
class AdaptiveRate:
    """How sparsely faces are read.

    A track is cut into stretches of as many frames as the first stride. Each is read at its first frame, every so many
    frames, and its last; where the mean of the expression probabilities that were read does not put ``confidence`` on
    one expression, it is read at the next stride. The frames between are interpolated.

    Attributes:
        strides: frames from one reading to the next, falling to 1.
        confidence: mean probability of the top expression that ends the reading.

    Source: Savchenko, Facial Expression Recognition with Adaptive Frame Rate based on Multiple Testing Correction,
    ICML 2023. There thresholds of each stride come from labelled videos; here one is given.
    """

    strides: tuple[int, ...] = STRIDES
    confidence: float = CONFIDENCE

    def __post_init__(self) -> None:
        falling = all(coarse > fine for coarse, fine in pairwise(self.strides))
        if len(self.strides) < 2 or not falling or self.strides[-1] != 1:
            raise ConfigError(f"strides must fall to 1, such as 25,5,1; got {','.join(map(str, self.strides))}")
        if not 0 < self.confidence <= 1:
            raise ConfigError(f"confidence must be above 0 and at most 1, got {self.confidence}")

    def __str__(self) -> str:
        """The settings as `of` reads them."""
        return f"{','.join(map(str, self.strides))}@{self.confidence:g}"

    @classmethod
    def of(cls, settings: AdaptiveRate | str | None) -> AdaptiveRate | None:
        """Settings from what users pass: themselves, text such as ``"25,5,1"`` or ``"25,5,1@0.9"``, or None.

        Raises:
            ConfigError: the text is no such settings.
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


def read_adaptively(
    rate: AdaptiveRate,
    frames: npt.NDArray[np.int64],
    track_ids: npt.NDArray[np.int64],
    usable: npt.NDArray[np.bool_],
    read: Callable[[Rows], Values],
) -> tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.bool_]]:
    """Values of all faces of one stretch of a video from readings of some.

    Args:
        rate: how sparsely.
        frames: (N,) ascending, the frame of each face.
        track_ids: (N,); faces without a track (-1) are read.
        usable: (N,) whether a face may be read; the others stay NaN and tell nothing of their neighbours.
        read: name -> values (M, ...) of M chosen faces; ``"expression"`` must be among the names. Called once for
            each stride at most.

    Returns:
        Name -> (N, ...) float32, and (N,) whether a face was read. Nothing (an empty dict) if no face is usable.
    """
    columns: dict[str, npt.NDArray[np.float32]] = {}
    was_read = np.zeros(len(frames), dtype=np.bool_)
    tracks = [
        np.flatnonzero(usable & (track_ids == number)) for number in np.unique(track_ids[usable & (track_ids >= 0)])
    ]
    wanted = np.flatnonzero(usable & (track_ids < 0))
    pending = tracks
    for stride in rate.strides:
        wanted = np.concatenate([wanted, *(_sparse(frames, track, stride) for track in pending)]).astype(np.intp)
        rows = wanted[~was_read[wanted]]
        if len(rows):
            for name, values in read(rows).items():
                columns.setdefault(name, np.full((len(frames), *values.shape[1:]), np.nan, np.float32))[rows] = values
            was_read[rows] = True
        pending = [track for track in pending if _mean_top(columns, track[was_read[track]]) < rate.confidence]
        wanted = np.empty(0, dtype=np.intp)
    for track in tracks:
        _interpolate(columns, frames, track, was_read)
    return columns, was_read


def _mean_top(columns: Values, rows: Rows) -> float:
    """How much probability these faces put on their common top expression."""
    return float(columns["expression"][rows].mean(axis=0).max())


def _sparse(frames: npt.NDArray[np.int64], track: Rows, stride: int) -> Rows:
    """The first face of a track, the next that is at least a stride later, and so on, and the last."""
    if stride == 1:
        return track
    chosen = [0]
    for place in range(1, len(track)):
        if frames[track[place]] - frames[track[chosen[-1]]] >= stride:
            chosen.append(place)
    return np.asarray(track[np.unique([*chosen, len(track) - 1])])


def _interpolate(columns: Values, frames: npt.NDArray[np.int64], track: Rows, was_read: npt.NDArray[np.bool_]) -> None:
    """Fill what was not read of a track, in place."""
    known, missing = track[was_read[track]], track[~was_read[track]]
    if not len(missing):
        return
    for values in columns.values():
        flat = values.reshape(len(values), -1)
        flat[missing] = fill_gaps(frames[known], flat[known], frames[missing])
