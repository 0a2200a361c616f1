# SPDX-License-Identifier: Apache-2.0
"""Temporal filters of tracks: pure functions of one track, settings, and smoothing of many tracks at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from mien.core import ConfigError, ModelSpec

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.integer]

_MEDIAN_NUMBERS_A_BLOCK = 4_000_000
_MAX_TIMELINE = 20_000_000


def fill_gaps(frames: npt.ArrayLike, values: npt.ArrayLike, timeline: npt.ArrayLike) -> Floats:
    """The values of one track on every frame of a timeline.

    Between two known frames the value is interpolated linearly: for t between a (earlier) and b (later) it is
    ``w value_a + (1 - w) value_b`` with ``w = 1 - (t - a) / (b - a)``. Frames before the first known one copy the
    first value, frames after the last one copy the last.

    Args:
        frames: (N,) strictly ascending frame numbers, N >= 1.
        values: (N, D) finite numbers.
        timeline: (T,) frame numbers to fill, in any order.

    Returns:
        (T, D).

    Raises:
        ConfigError: shapes do not fit, the frames do not ascend, or there is none.
    """
    known, rows = _track(frames, values)
    wanted = np.asarray(timeline)
    later = np.clip(np.searchsorted(known, wanted), 0, len(known) - 1)
    earlier = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 1)
    distance = known[later] - known[earlier]
    ahead = np.clip((wanted - known[earlier]) / np.maximum(distance, 1), 0.0, 1.0)
    weight = np.where(distance > 0, 1.0 - ahead, 1.0)[:, None]
    return np.asarray(weight * rows[earlier] + (1.0 - weight) * rows[later])


def hold_through_gaps(frames: npt.ArrayLike, values: npt.ArrayLike, timeline: npt.ArrayLike) -> Floats:
    """Like `fill_gaps` without looking ahead: a lost frame repeats the last value before it.

    Raises:
        ConfigError: as for `fill_gaps`, or the timeline begins before the first known frame.
    """
    known, rows = _track(frames, values)
    position = np.searchsorted(known, np.asarray(timeline), side="right") - 1
    if (position < 0).any():
        raise ConfigError(f"nothing is known before frame {known[0]}; begin the timeline there")
    return np.asarray(rows[position])


def box_mean(values: npt.ArrayLike, half_width: int, *, causal: bool = False) -> Floats:
    """Mean over the frames i - d to i + d, clipped at the ends: the window shrinks, nothing is padded.

    Args:
        values: (T, D) or (T,) on consecutive frames.
        half_width: d >= 0, frames on each side; the window has up to 2 d + 1.
        causal: only the frames i - d to i.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: the half-width is negative.
    """
    series = np.asarray(values, dtype=np.float64)
    start, stop = _windows(len(series), half_width, causal=causal)
    sums = np.zeros((len(series) + 1, *series.shape[1:]))
    np.cumsum(series, axis=0, out=sums[1:])
    taps = (stop - start).reshape(-1, *[1] * (series.ndim - 1))
    return np.asarray((sums[stop] - sums[start]) / taps)


def box_median(values: npt.ArrayLike, half_width: int, *, causal: bool = False) -> Floats:
    """The median over the window of `box_mean`; NaN where the window holds one.

    Raises:
        ConfigError: the half-width is negative.
    """
    series = np.asarray(values, dtype=np.float64)
    start, stop = _windows(len(series), half_width, causal=causal)
    size = half_width + 1 if causal else 2 * half_width + 1
    result = np.empty_like(series)
    whole = np.flatnonzero(stop - start == size)
    for row in np.flatnonzero(stop - start < size):
        result[row] = np.median(series[start[row] : stop[row]], axis=0)
    if len(whole):
        windows = np.lib.stride_tricks.sliding_window_view(series, size, axis=0)
        step = max(1, _MEDIAN_NUMBERS_A_BLOCK // (size * max(1, series[0].size)))
        for first in range(0, len(windows), step):
            block = _medians(windows[first : first + step])
            result[whole[0] + first : whole[0] + first + len(block)] = block
    return result


def _medians(windows: Floats) -> Floats:
    """Medians along the last axis.

    `numpy.median` selects several places at once to find NaN, which takes eight times as long as selecting one.
    """
    middle = windows.shape[-1] // 2
    parted = np.partition(windows, middle, axis=-1)
    medians = parted[..., middle]
    if windows.shape[-1] % 2 == 0:
        medians = (parted[..., :middle].max(axis=-1) + medians) / 2
    # NaN is sorted to the end, so only what lies behind the middle can be one.
    return np.where(np.isnan(parted[..., middle:]).any(axis=-1), np.nan, medians)


def gaussian_mean(
    values: npt.ArrayLike, frames: npt.ArrayLike, half_width: int, sigma: float, *, causal: bool = False
) -> Floats:
    """Weighted mean of the rows i - d to i + d with weights ``exp(-(f_j - f_i)^2 / sigma)`` that sum to 1.

    The window counts rows and the weights true frame numbers, so a list of some frames may be smoothed as it is. Note
    that sigma divides the squared distance: it is a variance times two, in frames squared.

    Args:
        values: (T, D) or (T,).
        frames: (T,) frame numbers.
        half_width: d >= 0, rows on each side.
        sigma: > 0.
        causal: only the rows i - d to i.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: the half-width is negative, sigma is not positive, or the lengths differ.
    """
    series, times = np.asarray(values, dtype=np.float64), np.asarray(frames, dtype=np.float64)
    if times.shape != series.shape[:1]:
        raise ConfigError(f"{len(series)} rows need as many frame numbers, got shape {times.shape}")
    if not sigma > 0:
        raise ConfigError(f"sigma must be positive, got {sigma}")
    _windows(len(series), half_width, causal=causal)
    column = (-1, *[1] * (series.ndim - 1))
    total, weights = series.copy(), np.ones(len(series))
    for offset in range(1, min(half_width, len(series) - 1) + 1):
        weight = np.exp(-((times[offset:] - times[:-offset]) ** 2) / sigma)
        shaped = weight.reshape(column)
        total[offset:] += shaped * series[:-offset]
        weights[offset:] += weight
        if not causal:
            total[:-offset] += shaped * series[offset:]
            weights[:-offset] += weight
    return np.asarray(total / weights.reshape(column))


def timeline_of(frames: Frames) -> Frames:
    """Every frame from the first to the last.

    Raises:
        ConfigError: the span is beyond any video, which shows that these are no frame numbers.
    """
    first, last = int(frames[0]), int(frames[-1])
    if last - first >= _MAX_TIMELINE:
        raise ConfigError(f"frames {first} to {last} of one track are longer than any video; check them")
    return np.arange(first, last + 1)


def _windows(n: int, half_width: int, *, causal: bool) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First row and end of the window of each row."""
    if half_width < 0:
        raise ConfigError(f"the half-width of a filter must be at least 0, got {half_width}")
    rows = np.arange(n)
    return np.maximum(rows - half_width, 0), np.minimum(rows + (0 if causal else half_width) + 1, n)


def _track(frames: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Frames, Floats]:
    known, rows = np.asarray(frames), np.asarray(values, dtype=np.float64)
    if known.ndim != 1 or rows.ndim != 2 or len(known) != len(rows) or not len(known):
        raise ConfigError(f"a track has N >= 1 frames and (N, D) values, got {known.shape} and {rows.shape}")
    if (np.diff(known) <= 0).any():
        raise ConfigError("the frames of a track must ascend, each occurring once; sort them first")
    return known, rows


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
