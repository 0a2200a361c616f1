# SPDX-License-Identifier: Apache-2.0
"""Mean, standard deviation and percentiles of many values, without a second copy of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mien.core import Float32, Int64

PERCENTILES = (5, 25, 50, 75, 95)
"""Percentiles of valence and arousal in a summary."""

EXACT_ROWS = 1 << 15
"""Number of rows up to which a source comes in one part; sums over several parts may differ in the last digit."""

_Keys = npt.NDArray[np.uint32]
_HALF_BITS = 16
_N_HALVES = 1 << _HALF_BITS


def distribution(name: str, parts: Sequence[Float32]) -> dict[str, float | None]:
    """Columns ``NAME_mean``, ``NAME_sd`` and, if there are values, one for each of `PERCENTILES`.

    Args:
        name: Start of the names of the columns.
        parts: Values without NaN, in pieces of any length. They stay as they are.

    Examples:
        >>> distribution("valence", [np.float32([0, 0.5]), np.float32([1])])["valence_p50"]
        0.5
    """
    n = sum(map(len, parts))
    if n <= EXACT_ROWS:
        values = np.concatenate([*parts, np.empty(0, np.float32)]).astype(np.float64)
        mean = float(values.mean()) if n else None
        sd = float(values.std(ddof=1)) if n > 1 else None
        percentiles = np.percentile(values, PERCENTILES).tolist() if n else []
    else:
        mean = math.fsum(float(piece.astype(np.float64).sum()) for piece in _even(parts)) / n
        squares = math.fsum(float(((piece.astype(np.float64) - mean) ** 2).sum()) for piece in _even(parts))
        sd = math.sqrt(squares / (n - 1))
        percentiles = _percentiles(parts, n)
    return {
        f"{name}_mean": mean,
        f"{name}_sd": sd,
        **{f"{name}_p{p:02d}": value for p, value in zip(PERCENTILES, percentiles, strict=False)},
    }


def _even(parts: Sequence[Float32]) -> Iterator[Float32]:
    """The values in pieces of `EXACT_ROWS`, so that a sum does not depend on the lengths of the parts."""
    waiting: list[Float32] = []
    n_waiting = 0
    for part in parts:
        at = 0
        while at < len(part):
            piece = part[at : at + EXACT_ROWS - n_waiting]
            waiting.append(piece)
            n_waiting += len(piece)
            at += len(piece)
            if n_waiting == EXACT_ROWS:
                yield np.concatenate(waiting)
                waiting, n_waiting = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _percentiles(parts: Sequence[Float32], n: int) -> list[float]:
    """What `numpy.percentile` gives, from order statistics that are counted instead of sorted."""
    places = [(n - 1) * p / 100 for p in PERCENTILES]
    ranks = sorted({int(place) for place in places} | {math.ceil(place) for place in places})
    n_upper = _counts(_sort_keys(piece) >> np.uint32(_HALF_BITS) for piece in _even(parts))
    last = np.cumsum(n_upper)
    found: dict[int, float] = {}
    n_lower: dict[int, Int64] = {}
    for rank in ranks:
        upper = int(np.searchsorted(last, rank, side="right"))
        if upper not in n_lower:
            n_lower[upper] = np.cumsum(_counts(_lower_halves(piece, upper) for piece in _even(parts)))
        before = int(last[upper] - n_upper[upper])
        lower = int(np.searchsorted(n_lower[upper], rank - before, side="right"))
        found[rank] = _value((upper << _HALF_BITS) | lower)
    return [
        found[int(place)] + (found[math.ceil(place)] - found[int(place)]) * (place - int(place)) for place in places
    ]


def _sort_keys(values: Float32) -> _Keys:
    """Whole numbers in the order of the values: the bits of a float, turned round where it is negative."""
    bits = values.view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _value(key: int) -> float:
    bits = key ^ (1 << 31) if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array([bits], np.uint32).view(np.float32)[0])


def _lower_halves(values: Float32, upper: int) -> _Keys:
    keys = _sort_keys(values)
    lower: _Keys = keys[keys >> _HALF_BITS == upper] & np.uint32(_N_HALVES - 1)
    return lower


def _counts(pieces: Iterator[_Keys]) -> Int64:
    counts = np.zeros(_N_HALVES, np.int64)
    for piece in pieces:
        np.add(counts, np.bincount(piece, minlength=_N_HALVES), out=counts)
    return counts
