# SPDX-License-Identifier: Apache-2.0
"""What a run saw, in one sentence per input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from mien.affect import Smoothing
from mien.core import DISPLAY_SMOOTHING, PathName
from mien.pipeline.postprocessing.summarize import summarize
from mien.results import Summary

_WORTH_NAMING = 0.1  # share of the time with a face


def in_words(
    table: pa.Table | PathName, *, smooth: Smoothing | str | None = DISPLAY_SMOOTHING
) -> Iterator[tuple[str, str]]:
    """Name and sentence for each source of a table, in order: which expressions were seen, and for how long.

    Args:
        table: Affect table, or the path of one, which is read piece by piece.
        smooth: Smoothing of the values, as for `mien.summarize`.

    Raises:
        InputError: The table cannot be read.
    """
    yield from sentences(summarize(table, smooth=smooth))


def sentences(summary: Summary) -> Iterator[tuple[str, str]]:
    """Name and sentence for each source of a summary without windows.

    Examples:
        >>> rows = {"source": ["a.mp4"], "scope": ["source"], "start_s": [0.0], "end_s": [72.0], "coverage": [0.5],
        ...     "n_frames": [1800], "n_faces": [900], "expression_neutral_share": [0.75],
        ...     "expression_happiness_share": [0.25]}
        >>> list(sentences(Summary(windows=pa.table(rows), events=pa.table({}), transitions=pa.table({}))))
        [('a.mp4', 'a face in 50 % of 72 s: mostly neutral (75 %), happiness 25 %')]
    """
    for row in summary.windows.to_pylist():
        if row["scope"] == "source":
            yield row["source"], _seen(row)


def _seen(row: Mapping[str, Any]) -> str:
    if not row["n_faces"]:
        return f"no face in {row['n_frames']} frames" if row["n_frames"] > 1 else "no face"
    shares = {
        name.removeprefix("expression_").removesuffix("_share"): share
        for name, share in row.items()
        if name.startswith("expression_") and name.endswith("_share") and share is not None
    }
    largest = sorted(shares.items(), key=lambda item: -item[1])
    named = [
        f"mostly {label} ({_percent(share)})" if share > 0.5 else f"{label} {_percent(share)}"
        for label, share in largest
        if share >= _WORTH_NAMING
    ]
    what = ", ".join(named) or "no expression stands out"
    if row["n_frames"] == 1:
        return f"{row['n_faces']} {'face' if row['n_faces'] == 1 else 'faces'}: {what}"
    return f"a face in {_percent(row['coverage'])} of {_seconds(row['end_s'] - row['start_s'])}: {what}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"
