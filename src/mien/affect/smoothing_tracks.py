# SPDX-License-Identifier: Apache-2.0
"""Smoothing many tracks at once, and its settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from mien.affect.smoothing import Floats, box_mean, box_median, fill_gaps, gaussian_mean, hold_through_gaps, timeline_of
from mien.core import ConfigError, ModelSpec

KERNELS = ("mean", "median", "gaussian")
"""Names of the filters: `box_mean`, `box_median`, `gaussian_mean`."""

OWN = "bundle"
"""What users write for the smoothing that a bundle names."""


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """How each task is smoothed. A half-width of 0 leaves its task alone.

    Attributes:
        expr: half-width for expression probabilities, in frames; 50 is best on Aff-Wild2.
        va: half-width for valence and arousal; 50, or 10 on lists of some frames.
        au: half-width for action unit probabilities; 3 to 5.
        kernel: one of `KERNELS`.
        sigma: of the Gaussian-like kernel, in frames squared.
        causal: use no later frame; a lost frame then repeats the last value instead of being interpolated.
    """

    expr: int = 0
    va: int = 0
    au: int = 0
    kernel: str = "mean"
    sigma: float = 1e5
    causal: bool = False

    def __post_init__(self) -> None:
        if min(self.expr, self.va, self.au) < 0:
            raise ConfigError(f"half-widths must be at least 0, got expr={self.expr}, va={self.va}, au={self.au}")
        if self.kernel not in KERNELS:
            raise ConfigError(f"kernel must be one of {', '.join(KERNELS)}, got {self.kernel!r}")
        if not self.sigma > 0:
            raise ConfigError(f"sigma must be positive, got {self.sigma}")

    def __str__(self) -> str:
        """The settings as `parse` reads them."""
        values = vars(self) | {"causal": str(self.causal).lower()}
        return ",".join(f"{name}={value}" for name, value in values.items())

    @classmethod
    def of(cls, settings: Smoothing | str | None, spec: ModelSpec | None = None) -> Smoothing | None:
        """Settings from what users pass: themselves, text for `parse`, or None for no smoothing at all.

        Args:
            settings: ``"bundle"`` stands for what the bundle's description names.
            spec: that description.

        Raises:
            ConfigError: as for `parse`, or every half-width is 0, or the bundle names no smoothing.
        """
        if settings == OWN and spec is not None:
            if not spec.smoothing:
                raise ConfigError(f"{spec.name} names no smoothing of its own; give settings such as expr=50,va=50")
            settings = spec.smoothing
        chosen = cls.parse(settings) if isinstance(settings, str) else settings
        if chosen is not None and not (chosen.expr or chosen.va or chosen.au):
            raise ConfigError("nothing is to be smoothed; give a half-width for expr, va or au")
        return chosen

    @classmethod
    def parse(cls, text: str) -> Smoothing:
        """Settings from text such as ``expr=50,va=50,au=3`` or ``expr=50,va=10,kernel=gaussian,sigma=1e5``.

        Raises:
            ConfigError: a setting is unknown, given twice or has no such value.
        """
        known = {field.name: type(field.default) for field in fields(cls)}
        values: dict[str, int | float | bool | str] = {}
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name not in known or not equals or name in values:
                raise ConfigError(f"smoothing is name=value with {', '.join(known)}, each once; cannot use {part!r}")
            values[name] = _setting(name, value, known[name])
        return cls(**values)  # type: ignore[arg-type]  # each value has the type of its field by _setting

    def filter(self, values: Floats, half_width: int) -> Floats:
        """One track on consecutive frames, (T, D), through the kernel."""
        if self.kernel == "mean":
            return box_mean(values, half_width, causal=self.causal)
        if self.kernel == "median":
            return box_median(values, half_width, causal=self.causal)
        return gaussian_mean(values, np.arange(len(values)), half_width, self.sigma, causal=self.causal)


def smooth_tracks(
    tracks: npt.ArrayLike, frames: npt.ArrayLike, values: npt.ArrayLike, half_width: int, settings: Smoothing
) -> Floats:
    """Smooth the rows of many tracks, each track on its own and on all frames of its span.

    A face that was lost for some frames has no rows there: each track is first laid out on every frame from its first
    to its last and filled, then filtered, then read at its own rows. Rows of other tracks never mix in, however close
    they stand in the table. Rows that are not finite count as lost and stay as they are.

    Args:
        tracks: (N,) integers, one per track over all videos; rows with a negative number are returned as they are.
        frames: (N,) frame numbers; the rows may stand in any order.
        values: (N, D).
        half_width: of the kernel, in frames.
        settings: the kernel.

    Returns:
        (N, D) float64 in the order of the rows.

    Raises:
        ConfigError: shapes do not fit, or a track has two rows of one frame.
    """
    track, frame, rows = np.asarray(tracks), np.asarray(frames), np.array(values, dtype=np.float64)
    if rows.ndim != 2 or track.shape != rows.shape[:1] or frame.shape != track.shape:
        raise ConfigError(f"tracks, frames and (N, D) values do not fit: {track.shape}, {frame.shape}, {rows.shape}")
    if half_width == 0:
        return rows
    usable = np.flatnonzero((track >= 0) & np.isfinite(rows).all(axis=1))
    fill = hold_through_gaps if settings.causal else fill_gaps
    for members in _members(track, frame, usable):
        own = frame[members]
        timeline = timeline_of(own)
        dense = rows[members] if len(timeline) == len(own) else fill(own, rows[members], timeline)
        rows[members] = settings.filter(dense, half_width)[own - own[0]]
    return rows


def _members(
    track: npt.NDArray[np.integer], frame: npt.NDArray[np.integer], usable: npt.NDArray[np.intp]
) -> Iterator[npt.NDArray[np.intp]]:
    """The rows of each track in order of their frames."""
    order = usable[np.lexsort((frame[usable], track[usable]))]
    same_track = track[order[1:]] == track[order[:-1]]
    twice = np.flatnonzero(same_track & (frame[order[1:]] == frame[order[:-1]]))
    if len(twice):
        row = order[twice[0] + 1]
        raise ConfigError(f"track {track[row]} has two rows of frame {frame[row]}; a face is in a frame once")
    if len(order):
        yield from np.split(order, np.flatnonzero(~same_track) + 1)


def _setting(name: str, value: str, kind: type) -> int | float | bool | str:
    if kind is bool:
        if value not in ("true", "false"):
            raise ConfigError(f"{name} must be true or false, got {value!r}")
        return value == "true"
    try:
        converted: int | float | str = kind(value)
    except ValueError as error:
        raise ConfigError(f"{name} must be a number, got {value!r}") from error
    return converted
