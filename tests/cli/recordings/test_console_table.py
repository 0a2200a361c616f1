# SPDX-License-Identifier: Apache-2.0
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.cli.recordings.console_table import print_faces, print_lines
from mien.core import Faces, Frame
from mien.results import table_schema
from mien.results.tables.row_encoder import RowEncoder


def table(n: int) -> pa.Table:
    schema = table_schema(expression_labels=("neutral",), action_unit_labels=("AU12",))
    faces = Faces(
        boxes=np.zeros((n, 4)),
        expression=np.ones((n, 1)),
        expression_labels=("neutral",),
        action_units=np.full((n, 1), 0.75),
        action_unit_labels=("AU12",),
    )
    none = Faces.empty(("neutral",), ("AU12",))
    frames = [("a.jpg", Frame(index=0, time_s=0, faces=faces)), ("b\x1b.jpg", Frame(index=0, time_s=0, faces=none))]
    return pa.Table.from_batches([RowEncoder(schema).encode(frames)])


def test_a_line_per_face_and_per_photo_without_one(capsys: pytest.CaptureFixture[str]) -> None:
    print_faces(table(2), {"a.jpg", "b\x1b.jpg"})
    first, second, empty = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert first == ["a.jpg", "1", "neutral", "1.00", "-", "-", "-", "AU12"]
    assert second[0] == "2"
    assert empty[1:] == ["-", "no", "face"]
    assert "\x1b" not in empty[0]


def test_many_faces_are_cut_and_videos_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_faces(table(100), {"a.jpg"})
    assert "and 40 more rows" in capsys.readouterr().out
    print_faces(table(1), set())
    assert capsys.readouterr().out == ""


def test_lines_arrive_as_they_are(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    data = io.BytesIO(b"{}\n" * 1000).getvalue()
    (tmp_path / "rows.jsonl").write_bytes(data)
    print_lines(tmp_path / "rows.jsonl")
    assert capfdbinary.readouterr().out == data
