# SPDX-License-Identifier: Apache-2.0
"""Settings of temporal smoothing, and smoothing of many tracks at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mien.affect.temporal.filters import (
    box_mean,
    box_median,
    fill_gaps,
    gaussian_mean,
    hold_through_gaps,
    timeline_of,
)
from mien.affect.temporal.smoothing_text import in_milliseconds, setting_value
from mien.affect.temporal.time_mean import mean_over_time
from mien.core import (
    MAX_STRIDE,
    NO_SMOOTHING,
    ConfigError,
    Float64,
    Indices,
    Int64,
    Integers,
    ModelSpec,
    check_choices,
    check_number,
)

_MIN_SIGMA, _MAX_SIGMA = 1e-6, 1e15  # frames squared


Kernel = Literal["mean", "median", "gaussian"]
"""Names of the filters: `box_mean`, `box_median`, `gaussian_mean`."""

KERNELS: tuple[str, ...] = get_args(Kernel)
"""Names of the filters."""

Window = Literal["frames", "rows", "milliseconds"]
"""What half-widths count: frames of a video, the rows of a list of frames, or time in milliseconds."""

OWN = "bundle"
"""Text that stands for the smoothing that a bundle recommends."""

_NAMED_TASKS = {"expr": "expressions", "va": "valence and arousal", "au": "action units"}
_COUNTED = {"frames": "frames", "rows": "rows"}


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
    def of_display(cls, settings: Smoothing | str | None) -> Smoothing | None:
        """Settings of what is shown; None where raw values are, for None or ``"none"``.

        Raises:
            ConfigError: As for `of`.

        Examples:
            >>> Smoothing.of_display("none") is None
            True
            >>> Smoothing.of_display("0.4s").expr
            400
        """
        return None if settings in (None, NO_SMOOTHING) else cls.of(settings)

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

    def in_words(self) -> str:
        """The settings as part of a sentence.

        Examples:
            >>> Smoothing.parse("0.4s").in_words()
            'mean over 0.4 s before and after each frame'
            >>> Smoothing.parse("expr=5,au=2,kernel=median,causal=true").in_words()
            'median over 5 frames (expressions), 2 frames (action units) before each frame'
        """
        widths = {name: getattr(self, name) for name in _NAMED_TASKS if getattr(self, name)}

        def length(width: int) -> str:
            return f"{width / 1000:g} s" if self.window == "milliseconds" else f"{width} {_COUNTED[self.window]}"

        if len(set(widths.values())) == 1 and len(widths) == len(_NAMED_TASKS):
            how = length(self.expr)
        else:
            how = ", ".join(f"{length(width)} ({_NAMED_TASKS[name]})" for name, width in widths.items())
        kernel = "weighted mean" if self.kernel == "gaussian" else self.kernel
        return f"{kernel} over {how} before{'' if self.causal else ' and after'} each frame"

    @property
    def label(self) -> str:
        """The settings in few words, for a picture.

        Examples:
            >>> Smoothing.parse("0.4s").label, Smoothing.parse("0.4s,causal=true").label, Smoothing(au=3).label
            ('smoothed +-0.4 s', 'smoothed -0.4 s', 'smoothed')
        """
        if self.window != "milliseconds" or len({self.expr, self.va, self.au}) > 1:
            return "smoothed"
        return f"smoothed {'-' if self.causal else '+-'}{self.expr / 1000:g} s"

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

    @property
    def reach_s(self) -> float:
        """Longest half-width in seconds; infinity where half-widths count frames."""
        return max(self.expr, self.va, self.au) / 1000 if self.window == "milliseconds" else float("inf")

    @property
    def is_time_mean(self) -> bool:
        """Whether the filter is a mean over milliseconds, which `mean_over_time` computes at the frames alone."""
        return self.window == "milliseconds" and self.kernel == "mean"

    def fill(self, frames: Integers, values: Float64, timeline: Integers) -> Float64:
        """The values (T, D) of one track on a timeline: `fill_gaps`, or `hold_through_gaps` without later frames.

        Args:
            frames: (N,) ascending frame numbers.
            values: (N, D).
            timeline: (T,) frame numbers.
        """
        return (hold_through_gaps if self.causal else fill_gaps)(frames, values, timeline)

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
    for members in _members(track, frame, usable):
        own = frame[members]
        if settings.window == "rows":
            rows[members] = settings.filter(rows[members], half_width, own)
            continue
        if settings.is_time_mean:
            rows[members] = mean_over_time(own, rows[members], own, half_width, causal=settings.causal)
            continue
        timeline = timeline_of(own)
        dense = rows[members] if len(timeline) == len(own) else settings.fill(own, rows[members], timeline)
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
