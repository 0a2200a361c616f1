# SPDX-License-Identifier: Apache-2.0
"""Plots of faces and tables with matplotlib, which the extra ``plot`` installs; notebooks show what they return."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mien.core import (
    ACTION_UNITS,
    EXPRESSION_COLOURS,
    ConfigError,
    Face,
    Faces,
    Float32,
    Float64,
    Image,
    Indices,
    MissingExtraError,
    PathName,
)
from mien.media import cut_box, read_image
from mien.results.table_reader import checked_table, read_table
from mien.results.tables import arrow_compute as pc
from mien.results.tables.recording import Clock
from mien.results.tables.schema import action_unit_columns, column_numbers, expression_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_FACES = 12
_ROW_INCHES, _WIDTH_INCHES = 2.6, 11.0
_GREY, _BLUE, _ORANGE = "#999999", "#0072b2", "#d55e00"


def _new_plot(width: float, height: float) -> Figure:
    """An empty matplotlib plot that notebooks show as an image, without a window or global state.

    Raises:
        MissingExtraError: The package matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error

    class Plot(Figure):
        """A plot that notebooks show as an image."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=110)
            return buffer.getvalue()

    return Plot(figsize=(width, height), layout="constrained")


def plot_faces(faces: Faces, image: Any = None) -> Figure:
    """Plots every face: its pixels, the expression probabilities, valence and arousal, and the action units.

    Args:
        faces: Faces of one image; the first 12 from the left are plotted.
        image: The image that was analysed, as for `mien.Analyzer.image`; None plots without pixels.

    Returns:
        The plot, a matplotlib object, one row per face.

    Raises:
        InputError: The image cannot be read.
        MissingExtraError: The extra ``plot`` is not installed.
    """
    pixels = None if image is None else read_image(image)
    shown = sorted(faces, key=lambda face: face.number)[:_MAX_FACES]
    plot = _new_plot(_WIDTH_INCHES, max(1, len(shown)) * _ROW_INCHES)
    if not shown:
        plot.text(0.5, 0.5, "no face", ha="center", va="center")
        return plot
    grid = plot.subplots(len(shown), 4, squeeze=False, width_ratios=[1.0, 1.5, 1.0, 2.2])
    for axes, face in zip(grid, shown, strict=True):
        _draw_pixels(axes[0], face, pixels)
        _draw_bars(axes[1], face.probabilities, EXPRESSION_COLOURS)
        _draw_plane(axes[2], np.array([[_number(face.valence), _number(face.arousal)]]), _ORANGE)
        _draw_bars(axes[3], {f"{unit} {ACTION_UNITS[unit]}": value for unit, value in face.au.items()}, {})
    return plot


def plot_table(table: pa.Table | PathName, *, source: str | None = None, track_id: int | None = None) -> Figure:
    """Plots one face of a recording over time: expressions, valence and arousal, action units; and the V/A plane.

    The faces of a photo are plotted as `plot_faces` does.

    Args:
        table: Table from `mien.read_table`, or the path of one.
        source: Name in the column ``source``; None for the first one.
        track_id: Number of the track; None for the one with the most rows.

    Returns:
        The plot, a matplotlib object.

    Raises:
        ConfigError: The table has no such source or track.
        InputError: The table cannot be read.
        MissingExtraError: The extra ``plot`` is not installed.
    """
    whole = checked_table(table) if isinstance(table, pa.Table) else read_table(table)
    rows, title = _rows_of_face(whole, source, track_id)
    if len(rows) and len(pc.unique(rows["time_s"])) == 1:
        return plot_faces(_faces_of(rows))
    plot = _new_plot(_WIDTH_INCHES, 7.5)
    plot.suptitle(title)
    if not len(rows):
        plot.text(0.5, 0.5, "no face", ha="center", va="center")
        return plot
    grid = plot.add_gridspec(3, 2, width_ratios=[2.0, 1.0], height_ratios=[1.2, 1.0, 1.6])
    upper = plot.add_subplot(grid[0, 0])
    middle = plot.add_subplot(grid[1, 0], sharex=upper)
    lower = plot.add_subplot(grid[2, 0], sharex=upper)
    time_s, first = _with_gaps(column_numbers(rows["time_s"]))
    _draw_expressions(upper, rows, time_s, first)
    for name, colour in (("valence", _BLUE), ("arousal", _ORANGE)):
        middle.plot(time_s, _at(rows, name, first), color=colour, label=name, linewidth=1)
    middle.axhline(0, color=_GREY, linewidth=0.5)
    middle.set(ylim=(-1, 1), ylabel="valence, arousal")
    middle.legend(loc="upper right", fontsize="small", ncols=2)
    _draw_unit_strip(plot, lower, rows)
    plane = plot.add_subplot(grid[0:2, 1])
    _draw_plane(plane, np.column_stack([column_numbers(rows[name]) for name in ("valence", "arousal")]), _ORANGE)
    return plot


def show_image(image: Image) -> None:
    """Shows an image in a notebook or a window.

    Args:
        image: (H, W, 3) uint8 RGB.

    Raises:
        MissingExtraError: The extra ``plot`` is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    height, width = image.shape[:2]
    plot = pyplot.figure(figsize=(8, 8 * height / width), layout="constrained")
    axes = plot.add_subplot()
    axes.imshow(image)
    axes.axis("off")
    pyplot.show()


def _rows_of_face(table: pa.Table, source: str | None, track_id: int | None) -> tuple[pa.Table, str]:
    sources = pc.unique(table["source"]).to_pylist()
    if source is None:
        source = sources[0] if sources else ""
    elif source not in sources:
        raise ConfigError(f"the table has no source {source!r}; it has: {', '.join(map(str, sources[:20]))}")
    rows = table.filter(pc.and_(pc.equal(table["source"], source), table["success"]))
    tracks = rows["track_id"].drop_null().to_numpy()
    numbers, counts = np.unique(tracks, return_counts=True)
    if track_id is None:
        if not len(numbers):
            return rows, source
        track_id = int(numbers[counts.argmax()])
    elif track_id not in numbers:
        raise ConfigError(f"{source} has no track {track_id}; it has: {', '.join(map(str, numbers[:20]))}")
    rows = rows.filter(pc.equal(rows["track_id"], track_id))
    return rows.take(pc.sort_indices(rows["time_s"])), f"{source}, track {track_id} ({len(numbers)} in all)"


def _faces_of(rows: pa.Table) -> Faces:
    """The faces of the rows of one image."""
    expressions, units = expression_columns(rows.schema), action_unit_columns(rows.schema)

    def matrix(names: Sequence[str]) -> Float32:
        columns = [column_numbers(rows[name]).astype(np.float32) for name in names]
        return np.stack(columns, axis=1) if columns else np.empty((len(rows), 0), np.float32)

    return Faces(
        boxes=matrix(("x0", "y0", "x1", "y1")),
        track_ids=np.nan_to_num(column_numbers(rows["track_id"]), nan=-1).astype(np.int64),
        quality=matrix(("quality",))[:, 0],
        expression=matrix(expressions),
        expression_labels=tuple(name.removeprefix("expression_") for name in expressions),
        valence=matrix(("valence",))[:, 0],
        arousal=matrix(("arousal",))[:, 0],
        action_units=matrix(units),
        action_unit_labels=tuple(units),
    )


def _with_gaps(time_s: Float64) -> tuple[Float64, Float64]:
    """Times with NaN where a track was lost, and for each the row that it belongs to (NaN in a gap)."""
    _, lost = _gaps(time_s)
    rows = np.insert(np.arange(len(time_s), dtype=np.float64), lost, np.nan)
    return np.insert(time_s, lost, np.nan), rows


def _gaps(time_s: Float64) -> tuple[float, Indices]:
    """Typical step of ascending times, and the rows that follow a gap."""
    steps = np.diff(time_s)
    if not len(steps):
        return 1.0, np.array([], np.intp)
    clock = Clock.of_steps(steps.copy())
    return clock.step_s, np.flatnonzero(steps > clock.gap_s) + 1


def _at(rows: pa.Table, name: str, places: Float64) -> Float64:
    """Values of a column at rows; NaN where the place is NaN."""
    values = column_numbers(rows[name])
    known = np.isfinite(places)
    result = np.full(len(places), np.nan)
    result[known] = values[places[known].astype(np.intp)]
    return result


def _draw_expressions(axes: Axes, rows: pa.Table, time_s: Float64, places: Float64) -> None:
    names = [name for name in expression_columns(rows.schema) if rows[name].null_count < len(rows)]
    labels = [name.removeprefix("expression_") for name in names]
    values = [np.nan_to_num(_at(rows, name, places)) for name in names]
    if values:
        axes.stackplot(
            time_s, *values, labels=labels, colors=[EXPRESSION_COLOURS.get(label, _GREY) for label in labels]
        )
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    axes.set(ylim=(0, 1), ylabel="expression")


def _draw_unit_strip(plot: Figure, axes: Axes, rows: pa.Table) -> None:
    units = action_unit_columns(rows.schema)
    axes.set(xlabel="time in s")
    if not units:
        return
    matrix = np.stack([column_numbers(rows[unit]) for unit in units])
    time_s = column_numbers(rows["time_s"])
    step, lost = _gaps(time_s)
    # A cell ends where the next one begins, before a gap where its frame ends: the gap stays empty.
    edges = np.sort(np.concatenate([time_s, time_s[lost - 1] + step, time_s[-1:] + step]))
    cells = np.full((len(units), len(edges) - 1), np.nan)
    cells[:, np.searchsorted(edges, time_s)] = matrix
    mesh = axes.pcolormesh(edges, np.arange(len(units) + 1), cells, vmin=0, vmax=1, cmap="viridis")
    axes.set_yticks(np.arange(len(units)) + 0.5, [f"{unit} {ACTION_UNITS[unit]}" for unit in units], fontsize=7)
    axes.invert_yaxis()
    plot.colorbar(mesh, cax=axes.inset_axes((1.02, 0, 0.025, 1)), label="probability")


def _draw_pixels(axes: Axes, face: Face, pixels: Image | None) -> None:
    name = f"face {face.number}" if face.track_id is None else f"face {face.number}, track {face.track_id}"
    axes.set_title(name if face.quality is None else f"{name}, quality {face.quality:.2f}", fontsize="small")
    axes.axis("off")
    if pixels is not None:
        left, top, right, bottom = face.box
        margin = 0.15 * (right - left)
        axes.imshow(cut_box(pixels, np.array([left - margin, top - margin, right + margin, bottom + margin])))


def _draw_bars(axes: Axes, values: Mapping[str, float | None], colours: Mapping[str, str]) -> None:
    names = list(values)
    axes.barh(names, [_number(values[name]) for name in names], color=[colours.get(name, _BLUE) for name in names])
    axes.set(xlim=(0, 1))
    axes.tick_params(labelsize=7)
    axes.invert_yaxis()


def _draw_plane(axes: Axes, places: Float64, colour: str) -> None:
    axes.axhline(0, color=_GREY, linewidth=0.5)
    axes.axvline(0, color=_GREY, linewidth=0.5)
    axes.scatter(places[:, 0], places[:, 1], s=24 if len(places) == 1 else 4, color=colour, alpha=0.7)
    axes.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="valence", ylabel="arousal", aspect="equal")


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
