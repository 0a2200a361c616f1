# SPDX-License-Identifier: Apache-2.0
"""Which frames of a clip drove the mean of a value, for every track of an affect table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mien.affect import Smoothing, Stretch, time_shares
from mien.core import DIMENSIONS, DISPLAY_SMOOTHING, ConfigError, InputError, Int64, PathName
from mien.pipeline.postprocessing.smooth import shown_values
from mien.results import action_unit_columns, column_numbers, expression_columns, intensity_columns, read_table


@dataclass(frozen=True, kw_only=True)
class TrackExplanation:
    """The stretches of one track that moved the mean of a value.

    Attributes:
        source: Input of the track.
        track_id: Number of the track; None for the faces of a source that are not tracked.
        target: Name of the value.
        mean: Mean of the value over the track.
        usual: Its median.
        n_frames: Number of frames with a value.
        stretches: Stretches with the largest shares, in order of share.
    """

    source: str
    track_id: int | None
    target: str
    mean: float
    usual: float
    n_frames: int
    stretches: tuple[Stretch, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and names."""
        return asdict(self)


def explain_table(
    table: PathName | pa.Table,
    target: str | None = None,
    *,
    n: int = 5,
    smooth: Smoothing | str | None = DISPLAY_SMOOTHING,
) -> list[TrackExplanation]:
    """The stretches of every track that drove its mean.

    Args:
        table: Affect table, or the path of one.
        target: An expression, ``"valence"``, ``"arousal"``, an action unit or an intensity; None for the expression
            with the highest mean of the track.
        n: Largest number of stretches per track.
        smooth: Smoothing of the values, as for `mien.summarize`, whose means are explained; raw values give many
            stretches of single frames.

    Raises:
        ConfigError: The table has no such value, or the smoothing is malformed.
        InputError: The table cannot be read, or no row has a value.
    """
    shown = shown_values(table, smooth)
    if shown.pieces is not None:
        rows = pa.concat_tables(list(shown.pieces()))
    else:
        rows = table if isinstance(table, pa.Table) else read_table(table)
    names = {name.removeprefix("expression_"): name for name in expression_columns(rows.schema)}
    others = [*DIMENSIONS, *action_unit_columns(rows.schema), *intensity_columns(rows.schema)]
    names |= {name: name for name in others if name in rows.schema.names}
    if target is not None and target not in names:
        raise ConfigError(f"the table has no {target!r}; explain one of {', '.join(names)}")
    values = {name: column_numbers(rows[column]) for name, column in names.items()}
    expressions = [name for name in names if names[name].startswith("expression_")]
    times = column_numbers(rows["time_s"])
    found = []
    for source, track, places in _tracks(rows):
        chosen = target
        if chosen is None:
            means = {
                name: float(np.nanmean(values[name][places]))
                for name in expressions
                if np.isfinite(values[name][places]).any()
            }
            chosen = max(means, key=lambda name: means[name]) if means else None
        if chosen is None or not np.isfinite(values[chosen][places]).any():
            continue
        mean, usual, stretches = time_shares(times[places], values[chosen][places], n=n)
        found.append(
            TrackExplanation(
                source=source,
                track_id=None if track < 0 else track,
                target=chosen,
                mean=mean,
                usual=usual,
                n_frames=int(np.isfinite(values[chosen][places]).sum()),
                stretches=tuple(stretches),
            )
        )
    if not found:
        raise InputError("no row of the table has a value that could be explained")
    return found


def _tracks(rows: pa.Table) -> Iterator[tuple[str, int, Int64]]:
    """Source, track (-1 for none) and the rows of each, in order of appearance."""
    sources = rows["source"].to_pylist()
    tracks = [-1 if track is None else int(track) for track in rows["track_id"].to_pylist()]
    seen = rows["success"].to_pylist()
    members: dict[tuple[str, int], list[int]] = {}
    for place, key in enumerate(zip(sources, tracks, strict=True)):
        if seen[place]:
            members.setdefault(key, []).append(place)
    for (source, track), places in members.items():
        yield source, track, np.array(places, np.int64)
