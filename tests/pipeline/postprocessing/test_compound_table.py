# SPDX-License-Identifier: Apache-2.0
"""Compound expressions of tables."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mien.affect import Smoothing, compound_expressions
from mien.core import COMPOUND_EXPRESSIONS, EXPRESSIONS, Faces, Frame, InputError
from mien.pipeline import compound_file, compound_table, smooth_file
from mien.results import TableWriter, read_table, save_table, table_schema


def faces(probabilities: np.ndarray) -> Faces:
    n = len(probabilities)
    boxes = np.tile(np.float32([0, 0, 9, 9]), (n, 1))
    return Faces(boxes=boxes, expression=probabilities, expression_labels=EXPRESSIONS, track_ids=np.arange(n))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two sources: one with a gap and two faces, one without any face."""
    random = np.random.default_rng(3)
    with TableWriter(tmp_path / "table.parquet", table_schema(expression_labels=EXPRESSIONS)) as writer:
        for index in range(8):
            found = random.dirichlet(np.ones(8), 0 if index in (3, 4) else 2).astype(np.float32)
            writer.append("a.mp4", Frame(index=index, time_s=index / 25, faces=faces(found.reshape(-1, 8))))
        for index in range(3):
            writer.append("b.mp4", Frame(index=index, time_s=index / 25, faces=Faces.empty(EXPRESSIONS, ())))
    return tmp_path / "table.parquet"


def test_one_row_per_frame(path: Path) -> None:
    table = read_table(path)
    found = compound_table(table, half_width=1)
    assert found["source"].to_pylist() == ["a.mp4"] * 8 + ["b.mp4"] * 3
    assert found["frame"].to_pylist() == [*range(8), *range(3)]
    assert found["compound"].to_pylist()[8:] == [None] * 3
    assert found["compound_sadly_angry"].to_pylist()[8:] == [None] * 3
    seen = table.filter(table["success"])
    probabilities = np.stack([seen[f"expression_{label}"].to_numpy() for label in EXPRESSIONS], axis=1)
    expected = compound_expressions(seen["frame"].to_numpy(), probabilities, EXPRESSIONS, range(8), half_width=1)
    assert found["compound"].to_pylist()[:8] == [COMPOUND_EXPRESSIONS[index] for index in expected]
    scores = np.stack([found[f"compound_{name.replace(' ', '_')}"][:8].to_numpy() for name in COMPOUND_EXPRESSIONS], 1)
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)
    assert (scores >= 0).all()
    assert (scores <= 0.5).all()


def test_none_of_these_where_nothing_stands_out(tmp_path: Path) -> None:
    calm, mixed = np.full(8, 0.01), np.full(8, 0.01)
    calm[EXPRESSIONS.index("neutral")] = 0.93
    mixed[[EXPRESSIONS.index("happiness"), EXPRESSIONS.index("surprise")]] = 0.47
    with TableWriter(tmp_path / "t.parquet", table_schema(expression_labels=EXPRESSIONS)) as writer:
        for index, row in enumerate((calm, mixed)):
            writer.append("a.mp4", Frame(index=index, time_s=index / 25, faces=faces(row[None])))
        writer.append("b.mp4", Frame(index=0, time_s=0.0, faces=Faces.empty(EXPRESSIONS, ())))
    found = compound_table(read_table(tmp_path / "t.parquet"), half_width=0)
    assert found["compound_or_none"].to_pylist() == ["none of these", "happily surprised", None]
    assert found["compound"].to_pylist()[1:] == ["happily surprised", None]
    assert found["compound"][0].as_py() in COMPOUND_EXPRESSIONS


def test_files(path: Path, tmp_path: Path) -> None:
    assert compound_file(path, tmp_path / "new" / "c.csv", half_width=50) == (11, 3)
    assert (tmp_path / "new" / "c.csv").read_text("utf-8").count("\n") == 12


def test_not_smoothed_twice(path: Path, tmp_path: Path) -> None:
    smooth_file(path, tmp_path / "s.parquet", Smoothing(expr=1))
    with pytest.raises(InputError, match=r"s\.parquet.*smoothed already"):
        compound_file(tmp_path / "s.parquet", tmp_path / "c.parquet", half_width=1)
    assert compound_file(tmp_path / "s.parquet", tmp_path / "c.parquet", half_width=0) == (11, 3)


def test_a_table_without_faces_or_rows(path: Path) -> None:
    table = read_table(path)
    assert len(compound_table(table.slice(0, 0))) == 0
    assert (
        compound_table(table.filter(table["source"].combine_chunks().is_valid()).slice(14))["compound"].null_count == 3
    )


@pytest.mark.parametrize("half_width", [0, 2, 50])
@pytest.mark.parametrize("order", ["kept", "reversed", "alternating"])
def test_parts_give_what_the_whole_gives(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half_width: int, order: str
) -> None:
    rows = read_table(path)
    whole = compound_table(rows, half_width=half_width)
    places = list(range(len(rows)))
    if order == "alternating":
        places = sorted(places, key=lambda row: (rows["frame"][row].as_py(), row))
    if order == "reversed":
        places.reverse()
        whole = pa.concat_tables([whole.filter(pc.equal(whole["source"], name)) for name in ("b.mp4", "a.mp4")])
    save_table(tmp_path / "r.parquet", rows.take(pa.array(places)))
    monkeypatch.setattr("mien.results.tables.table_stream.ROWS_PER_PART", 1)
    monkeypatch.setattr("mien.results.tables.table_decoder.ROWS_PER_GROUP", 2)
    assert compound_file(tmp_path / "r.parquet", tmp_path / "c.parquet", half_width=half_width) == (11, 3)
    assert pq.read_table(tmp_path / "c.parquet").equals(whole)
