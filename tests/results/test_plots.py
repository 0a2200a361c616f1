# SPDX-License-Identifier: Apache-2.0
import sys

import numpy as np
import pyarrow as pa
import pytest

from mien.core import ConfigError, Faces, Frame, MissingExtraError
from mien.results import plot_faces, plot_table, table_schema
from mien.results.tables.row_encoder import RowEncoder

LABELS, UNITS = ("neutral", "happiness"), ("AU01", "AU12")


def make_faces(n: int, track_ids: tuple[int, ...] | None = None) -> Faces:
    rng = np.random.default_rng(n)
    return Faces(
        boxes=[[10 + 40 * i, 10, 40 + 40 * i, 50] for i in range(n)] or np.empty((0, 4)),
        track_ids=np.full(n, -1) if track_ids is None else np.array(track_ids),
        expression=rng.dirichlet((1, 1), n),
        expression_labels=LABELS,
        valence=rng.uniform(-1, 1, n),
        action_units=rng.uniform(0, 1, (n, 2)),
        action_unit_labels=UNITS,
    )


def test_the_strip_of_units_has_a_cell_per_frame_and_none_in_a_gap() -> None:
    table = make_table(((1,),) * 4 + ((),) * 30 + ((1,),) * 3)
    (mesh,) = plot_table(table).axes[2].collections
    cells = np.ma.masked_invalid(mesh.get_array())
    assert cells.shape == (2, 8)
    assert cells.mask[0].tolist() == [False] * 4 + [True] + [False] * 3


def make_table(tracks: tuple[tuple[int, ...], ...]) -> pa.Table:
    schema = table_schema(expression_labels=LABELS, action_unit_labels=UNITS)
    frames = [
        ("clip.mp4", Frame(index=i, time_s=i / 25, faces=make_faces(len(ids), ids))) for i, ids in enumerate(tracks)
    ]
    return pa.Table.from_batches([RowEncoder(schema).encode(frames)])


def png(plot: object) -> bytes:
    data: bytes = plot._repr_png_()  # type: ignore[attr-defined]  # what a notebook calls
    return data


def test_every_face_has_its_pixels_bars_and_place_in_the_plane() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 120, 3), dtype=np.uint8)
    faces = make_faces(2)
    plot = plot_faces(faces, image)
    assert len(plot.axes) == 8
    pixels, expression, plane, units = plot.axes[4:]
    assert pixels.get_title() == "face 2"
    assert len(pixels.images) == 1
    np.testing.assert_allclose([bar.get_width() for bar in expression.patches], faces.expression[1], rtol=1e-6)
    np.testing.assert_allclose([bar.get_width() for bar in units.patches], faces.action_units[1], rtol=1e-6)
    assert plane.get_xlim() == (-1, 1)
    assert png(plot).startswith(b"\x89PNG")


def test_no_face_is_said() -> None:
    assert plot_faces(make_faces(0)).texts[0].get_text() == "no face"
    assert plot_table(make_table(((), ()))).texts[-1].get_text() == "no face"


def test_the_track_with_most_rows_is_plotted_unless_another_is_named() -> None:
    table = make_table(((1, 2), (2,), (2,)))
    assert "track 2" in plot_table(table).get_suptitle()
    assert len(plot_table(table, track_id=1).axes) == 4  # a single frame, as a photo
    with pytest.raises(ConfigError, match="has no track 9; it has: 1, 2"):
        plot_table(table, track_id=9)
    with pytest.raises(ConfigError, match=r"no source 'b'; it has: clip\.mp4"):
        plot_table(table, source="b")


def test_lines_break_where_the_face_was_lost() -> None:
    table = make_table(((1,),) * 3 + ((),) * 30 + ((1,),) * 3)
    lines = plot_table(table).axes[1].lines
    valence = lines[0].get_ydata()
    assert len(valence) == 7
    assert np.flatnonzero(np.isnan(valence)).tolist() == [3]


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"\[plot\]"):
        plot_faces(make_faces(1))
