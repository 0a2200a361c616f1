# SPDX-License-Identifier: Apache-2.0
"""Temporal smoothing: filters of one track, settings, and smoothing of many tracks at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mien.affect.temporal.smoothing_text import in_milliseconds, setting_value
from mien.core import (
    MAX_STRIDE,
    ConfigError,
    Float64,
    Indices,
    Int64,
    Integers,
    ModelSpec,
    check_choices,
    check_number,
)

_MEDIAN_NUMBERS_PER_BLOCK = 4_000_000
_MAX_TIMELINE = 20_000_000
_MIN_SIGMA, _MAX_SIGMA = 1e-6, 1e15  # frames squared


def fill_gaps(frames: npt.ArrayLike, values: npt.ArrayLike, timeline: npt.ArrayLike) -> Float64:
    """The values of one track on every frame of a timeline, with gaps interpolated.

    Between two known frames the interpolation is linear: for t between a (earlier) and b (later) the value is
    ``w value_a + (1 - w) value_b`` with ``w = 1 - (t - a) / (b - a)``. Frames before the first known one copy the
    first value, frames after the last one copy the last.

    Args:
        frames: (N,) strictly ascending frame numbers, N >= 1.
        values: (N, D) finite numbers.
        timeline: (T,) frame numbers to fill, in any order.

    Returns:
        (T, D).

    Raises:
        ConfigError: Shapes do not fit, the frames do not ascend, or there is none.

    Examples:
        >>> fill_gaps([2, 4], [[1.0], [3.0]], [1, 2, 3, 4, 5]).ravel().tolist()
        [1.0, 1.0, 2.0, 3.0, 3.0]
    """
    known, rows = _track(frames, values)
    wanted = np.asarray(timeline)
    later = np.clip(np.searchsorted(known, wanted), 0, len(known) - 1)
    earlier = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 1)
    distance = known[later] - known[earlier]
    ahead = np.clip((wanted - known[earlier]) / np.maximum(distance, 1), 0.0, 1.0)
    weight = np.where(distance > 0, 1.0 - ahead, 1.0)[:, None]
    return np.asarray(weight * rows[earlier] + (1.0 - weight) * rows[later])


def hold_through_gaps(frames: npt.ArrayLike, values: npt.ArrayLike, timeline: npt.ArrayLike) -> Float64:
    """Like `fill_gaps` without later frames: a missing frame repeats the last value before it.

    Args:
        frames: (N,) strictly ascending frame numbers, N >= 1.
        values: (N, D) finite numbers.
        timeline: (T,) frame numbers to fill, in any order.

    Returns:
        (T, D).

    Raises:
        ConfigError: As for `fill_gaps`, or the timeline begins before the first known frame.

    Examples:
        >>> hold_through_gaps([2, 4], [[1.0], [3.0]], [2, 3, 4, 5]).ravel().tolist()
        [1.0, 1.0, 3.0, 3.0]
    """
    known, rows = _track(frames, values)
    position = np.searchsorted(known, np.asarray(timeline), side="right") - 1
    if (position < 0).any():
        raise ConfigError(f"the first known frame is {known[0]}; begin the timeline there")
    return np.asarray(rows[position])


def box_mean(values: npt.ArrayLike, half_width: int, *, causal: bool = False) -> Float64:
    """Mean over the frames i - d to i + d, clipped at the ends: the window shrinks, nothing is padded.

    No rounding takes a mean out of the range of its column: smoothed probabilities stay in [0, 1].

    Args:
        values: (T, D) or (T,) on consecutive frames.
        half_width: Number d >= 0 of frames on each side; the window has up to 2 d + 1.
        causal: Whether the window is the frames i - d to i only.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: The half-width is negative.

    Examples:
        >>> box_mean([0, 0, 9, 0, 0], half_width=1).tolist()
        [0.0, 3.0, 3.0, 3.0, 0.0]
        >>> box_mean([0, 0, 9, 0, 0], half_width=1, causal=True).tolist()
        [0.0, 0.0, 4.5, 4.5, 0.0]
    """
    series = np.asarray(values, dtype=np.float64)
    start, stop = _windows(len(series), half_width, causal=causal)
    sums = np.zeros((len(series) + 1, *series.shape[1:]))
    np.cumsum(series, axis=0, out=sums[1:])
    taps = (stop - start).reshape(-1, *[1] * (series.ndim - 1))
    means = (sums[stop] - sums[start]) / taps
    # Differences of long sums round; the smallest and the largest value of a column so far, or of all of it, are its
    # limits, NaN aside.
    if causal:
        means = np.clip(means, np.fmin.accumulate(series), np.fmax.accumulate(series))
    elif len(series):
        means = np.clip(means, np.fmin.reduce(series), np.fmax.reduce(series))
    return np.asarray(means)


def box_median(values: npt.ArrayLike, half_width: int, *, causal: bool = False) -> Float64:
    """The median over the window of `box_mean`; NaN where the window holds one.

    Args:
        values: (T, D) or (T,) on consecutive frames.
        half_width: Number d >= 0 of frames on each side.
        causal: Whether the window is the frames i - d to i only.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: The half-width is negative.

    Examples:
        >>> box_median([0, 0, 9, 0, 4], half_width=1).tolist()
        [0.0, 0.0, 0.0, 4.0, 2.0]
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
        step = max(1, _MEDIAN_NUMBERS_PER_BLOCK // (size * max(1, series[0].size)))
        for first in range(0, len(windows), step):
            block = _medians(windows[first : first + step])
            result[whole[0] + first : whole[0] + first + len(block)] = block
    return result


def _medians(windows: Float64) -> Float64:
    """Medians along the last axis.

    `numpy.median` selects several places at once to find NaN, which takes eight times as long as selecting one.
    """
    middle = windows.shape[-1] // 2
    parted = np.partition(windows, middle, axis=-1)
    medians = parted[..., middle]
    if windows.shape[-1] % 2 == 0:
        medians = (parted[..., :middle].max(axis=-1) + medians) / 2
    # NaN is sorted to the end, so only values from the middle on can be NaN.
    return np.where(np.isnan(parted[..., middle:]).any(axis=-1), np.nan, medians)


def gaussian_mean(
    values: npt.ArrayLike, frames: npt.ArrayLike, half_width: int, sigma: float, *, causal: bool = False
) -> Float64:
    """Weighted mean of the rows i - d to i + d with weights ``exp(-(f_j - f_i)^2 / sigma)`` that sum to 1.

    The window counts rows and the weights use frame numbers, so rows of selected frames need no gaps filled. Note that
    sigma divides the squared distance: it is twice a variance, in frames squared.

    Args:
        values: (T, D) or (T,).
        frames: (T,) frame numbers.
        half_width: Number d >= 0 of rows on each side.
        sigma: Divisor > 0 of the squared distance, in frames squared.
        causal: Whether the window is the rows i - d to i only.

    Returns:
        The shape of ``values``, in float64.

    Raises:
        ConfigError: The half-width is negative, sigma is not positive, or the lengths differ.

    Examples:
        >>> gaussian_mean([0, 9, 0], frames=[0, 1, 2], half_width=1, sigma=1e9).round(3).tolist()
        [4.5, 3.0, 4.5]
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


def timeline_of(frames: Integers) -> Integers:
    """Every frame from the first to the last.

    Args:
        frames: (N,) ascending frame numbers, N >= 1.

    Raises:
        ConfigError: The span is longer than any video, so these are no frame numbers.

    Examples:
        >>> timeline_of(np.array([3, 6])).tolist()
        [3, 4, 5, 6]
    """
    first, last = int(frames[0]), int(frames[-1])
    check_span(first, last)
    return np.arange(first, last + 1)


def check_span(first: int, last: int) -> None:
    """Refuses a track that is longer than any video.

    Args:
        first: Number of its first frame.
        last: Number of its last frame.

    Raises:
        ConfigError: The span is longer than any video, so these are no frame numbers.
    """
    if last - first >= _MAX_TIMELINE:
        raise ConfigError(f"frames {first} to {last} of one track are longer than any video; check them")


def _windows(n: int, half_width: int, *, causal: bool) -> tuple[Indices, Indices]:
    """First row and end of the window of each row."""
    check_number("the half-width of a filter", half_width, 0, MAX_STRIDE)
    rows = np.arange(n)
    return np.maximum(rows - half_width, 0), np.minimum(rows + (0 if causal else half_width) + 1, n)


def _track(frames: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Integers, Float64]:
    known, rows = np.asarray(frames), np.asarray(values, dtype=np.float64)
    if known.ndim != 1 or rows.ndim != 2 or len(known) != len(rows) or not len(known):
        raise ConfigError(f"a track has N >= 1 frames and (N, D) values, got {known.shape} and {rows.shape}")
    if (np.diff(known) <= 0).any():
        raise ConfigError("the frames of a track must ascend, each occurring once; sort them first")
    return known, rows


Kernel = Literal["mean", "median", "gaussian"]
"""Names of the filters: `box_mean`, `box_median`, `gaussian_mean`."""

KERNELS: tuple[str, ...] = get_args(Kernel)
"""Names of the filters."""

Window = Literal["frames", "rows", "milliseconds"]
"""What half-widths count: frames of a video, the rows of a list of frames, or time in milliseconds."""

OWN = "bundle"
"""Text that stands for the smoothing that a bundle recommends."""


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """Settings of temporal smoothing. A half-width of 0 leaves its task unchanged.

    Attributes:
        expr: Half-width for expression probabilities, in what ``window`` counts; 50 frames are best on Aff-Wild2.
        va: Half-width for valence and arousal, alike; 50 frames, or 10 on lists of selected frames.
        au: Half-width for action unit probabilities, alike; 3 to 5 frames.
        kernel: Name of the filter.
        sigma: Divisor of the squared distance in the Gaussian filter, in frames squared, or in milliseconds squared.
        causal: Whether no later frame is used; a lost frame then repeats the last value instead of being interpolated.
        window: What the half-widths count: ``"frames"`` of the video, between which lost ones are interpolated, or
            ``"rows"``, the positions in a list of selected frames as in the 7th ABAW. Distances of the Gaussian filter
            are in frames either way. On a list with every 10th frame, d = 10 rows span 100 frames on each side.
            ``"milliseconds"`` of the timestamps, between which values are interpolated, so that a filter means the same
            at any frame rate and where the rate varies.

    Examples:
        >>> Smoothing.parse("expr=50,va=10").va
        10
        >>> str(Smoothing.parse("0.4s"))
        'expr=400,va=400,au=400,kernel=mean,sigma=100000.0,causal=false,window=milliseconds'
        >>> str(Smoothing(au=3))
        'expr=0,va=0,au=3,kernel=mean,sigma=100000.0,causal=false'
        >>> Smoothing(kernel="mode")
        Traceback (most recent call last):
        mien.core.errors.ConfigError: kernel must be one of 'mean', 'median', 'gaussian', got 'mode'
    """

    expr: int = 0
    va: int = 0
    au: int = 0
    kernel: Kernel = "mean"
    sigma: float = 1e5
    causal: bool = False
    window: Window = "frames"

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("expr", "va", "au"):
            check_number(f"the half-width of {name}", getattr(self, name), 0, MAX_STRIDE)
        check_number("sigma", self.sigma, _MIN_SIGMA, _MAX_SIGMA, whole=False)

    def __str__(self) -> str:
        """The settings as text that `parse` reads."""
        values = vars(self) | {"causal": str(self.causal).lower()}
        if self.window == "frames":
            del values["window"]  # tables of earlier versions, which runs resume, do not name it
        return ",".join(f"{name}={value}" for name, value in values.items())

    @classmethod
    def of(cls, settings: Smoothing | str | None, spec: ModelSpec | None = None) -> Smoothing | None:
        """Settings from text for `parse`; settings and None (for no smoothing) are returned unchanged.

        Args:
            settings: Settings or text; ``"bundle"`` stands for the smoothing that the bundle recommends.
            spec: Description of the bundle.

        Raises:
            ConfigError: As for `parse`, or every half-width is 0, or the bundle recommends no smoothing.

        Examples:
            >>> Smoothing.of("au=3").au
            3
            >>> Smoothing.of("kernel=median")
            Traceback (most recent call last):
            mien.core.errors.ConfigError: nothing is to be smoothed; give a half-width for expr, va or au
        """
        if settings == OWN and spec is not None:
            if not spec.smoothing:
                raise ConfigError(f"{spec.name} recommends no smoothing; give settings such as expr=50,va=50")
            settings = spec.smoothing
        chosen = cls.parse(settings) if isinstance(settings, str) else settings
        if chosen is not None and not (chosen.expr or chosen.va or chosen.au):
            raise ConfigError("nothing is to be smoothed; give a half-width for expr, va or au")
        return chosen

    @classmethod
    def parse(cls, text: str) -> Smoothing:
        """Settings from text such as ``expr=50,va=50,au=3`` or ``expr=50,va=10,kernel=gaussian,sigma=1e5``.

        ``expr=0.4s,va=0.4s`` are seconds on each side (``window`` becomes ``"milliseconds"``), and ``0.4s`` without
        a name is that half-width for expressions, valence and arousal, and action units.

        Raises:
            ConfigError: A setting is unknown, given twice or has an invalid value, or seconds and frames are mixed.

        Examples:
            >>> Smoothing.parse("expr=0.4s,au=0.1s").au
            100
        """
        known = {field.name: type(field.default) for field in fields(cls)}
        values: dict[str, int | float | bool | str] = {}
        text, in_seconds = in_milliseconds(text)
        if in_seconds:
            values["window"] = "milliseconds"
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name not in known or not equals or name in values:
                raise ConfigError(f"smoothing is name=value with {', '.join(known)}, each once; cannot use {part!r}")
            values[name] = setting_value(name, value, known[name])
        return cls(**values)  # type: ignore[arg-type]  # each value has the type of its field by _setting

    def positions(self, frames: Integers, times_s: npt.ArrayLike) -> Int64:
        """The places (N,) of frames on the timeline of the filter: their numbers, or their times in milliseconds.

        Args:
            frames: (N,) frame numbers.
            times_s: (N,) finite timestamps of the same frames, in seconds.

        Examples:
            >>> Smoothing.parse("0.4s").positions(np.array([0, 1]), [0.0, 0.04]).tolist()
            [0, 40]
        """
        if self.window != "milliseconds":
            return np.asarray(frames, dtype=np.int64)
        return np.rint(np.asarray(times_s, dtype=np.float64) * 1000).astype(np.int64)

    def filter(self, values: Float64, half_width: int, frames: npt.ArrayLike | None = None) -> Float64:
        """The filtered values (T, D) of one track.

        Args:
            values: (T, D).
            half_width: Half-width of the filter, in rows.
            frames: (T,) ascending frame numbers of the rows; None for consecutive frames.
        """
        if self.kernel == "mean":
            return box_mean(values, half_width, causal=self.causal)
        if self.kernel == "median":
            return box_median(values, half_width, causal=self.causal)
        numbers = np.arange(len(values)) if frames is None else frames
        return gaussian_mean(values, numbers, half_width, self.sigma, causal=self.causal)

    def sample(self, dense: Float64, half_width: int, rows: Integers) -> Float64:
        """The values (R, D) of some frames of a track, filtered over the whole track or over these rows alone.

        Args:
            dense: (T, D) values of every frame of the track.
            half_width: Half-width of the filter, in what ``window`` counts; 0 for no filter.
            rows: (R,) indices of the frames, in any order; a repeated one counts once.
        """
        if not half_width:
            return dense[rows]
        if self.window == "milliseconds":
            raise ConfigError("these frames have numbers and no timestamps; give half-widths in frames, not in seconds")
        if self.window == "frames":
            return self.filter(dense, half_width)[rows]
        listed, place = np.unique(rows, return_inverse=True)
        return self.filter(dense[listed], half_width, listed)[place]


def smooth_tracks(
    tracks: npt.ArrayLike, frames: npt.ArrayLike, values: npt.ArrayLike, half_width: int, settings: Smoothing
) -> Float64:
    """Smooth the rows of many tracks, each track separately and on all frames of its span.

    A face that was lost for some frames has no rows there: each track is first interpolated on every frame from its
    first to its last, then filtered, then sampled at its own rows. With ``window="rows"`` its own rows alone are
    filtered. Rows of other tracks have no influence, whatever their place in the table. Rows that are not finite count
    as lost and stay unchanged.

    Args:
        tracks: (N,) track numbers, unique over all videos; rows with a negative number are returned unchanged.
        frames: (N,) frame numbers, or `Smoothing.positions`; the rows may be in any order.
        values: (N, D).
        half_width: Half-width of the filter, in what ``settings.window`` counts.
        settings: Settings of the filter.

    Returns:
        (N, D) float64 in the order of the rows.

    Raises:
        ConfigError: Shapes do not fit, or a track has two rows of one frame.

    Examples:
        >>> tracks, frames = [0, 0, 0, 1], [1, 2, 3, 2]
        >>> smooth_tracks(tracks, frames, [[0.0], [9.0], [0.0], [5.0]], 1, Smoothing()).ravel().tolist()
        [4.5, 3.0, 4.5, 5.0]
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
        if settings.window == "rows":
            rows[members] = settings.filter(rows[members], half_width, own)
            continue
        timeline = timeline_of(own)
        dense = rows[members] if len(timeline) == len(own) else fill(own, rows[members], timeline)
        rows[members] = settings.filter(dense, half_width)[own - own[0]]
    return rows


def _members(track: Integers, frame: Integers, usable: Indices) -> Iterator[Indices]:
    """Rows of each track in order of their frames."""
    order = usable[np.lexsort((frame[usable], track[usable]))]
    same_track = track[order[1:]] == track[order[:-1]]
    twice = np.flatnonzero(same_track & (frame[order[1:]] == frame[order[:-1]]))
    if len(twice):
        row = order[twice[0] + 1]
        raise ConfigError(f"track {track[row]} has two rows of frame {frame[row]}; a face is in a frame once")
    if len(order):
        yield from np.split(order, np.flatnonzero(~same_track) + 1)
