# SPDX-License-Identifier: Apache-2.0
"""Small copies of the open sets: the layout of the whole, a part of its rows, the teacher's rows for them."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.training import small_data
from benchmarks.training.small_data import small_rows, write_small_data
from mien.datasets import load_ferplus, load_lfw, person
from tests.helpers.open_face_sets import write_open_sets

N = {"ferplus/train": 60, "ferplus/valid": 30, "fairface/val": 20, "lfw_expression/photos": 50}


def test_a_part_of_each_set_and_the_teachers_rows_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    data, out = write_open_sets(tmp_path / "data"), tmp_path / "small"
    monkeypatch.setattr(small_data, "N_FACES", N)
    monkeypatch.setattr(small_data, "_WHOLE", ("affectnet_c25/ratings.parquet",))
    write_small_data(data, out)
    whole, part = load_ferplus(data, "train"), load_ferplus(out, "train")
    assert len(part) == 60
    rows = [whole.names.index(name) for name in part.names]
    assert rows == sorted(rows)
    assert (part.action_units == whole.action_units[rows]).all()
    assert sum(len(load_lfw(out, split)) for split in ("train", "test")) == 50
    assert pq.read_metadata(out / "teacher/fairface_val.parquet").num_rows == 20
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    write_small_data(data, out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == written


def test_rows_depend_on_names_alone_and_people_stay_together() -> None:
    names = [f"Person_{chr(97 + number // 3)}_000{number}.jpg" for number in range(60)]
    chosen = {names[row] for row in small_rows(names, 10, by_person=True)}
    assert 10 <= len(chosen) <= 12
    assert all(name in chosen for name in names if person(name) in {person(one) for one in chosen})
    assert {names[::-1][row] for row in small_rows(names[::-1], 10, by_person=True)} == chosen
    assert small_rows(names, 1000, by_person=False) == list(range(60))
