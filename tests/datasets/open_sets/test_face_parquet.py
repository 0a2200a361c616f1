# SPDX-License-Identifier: Apache-2.0
"""The one reader of the open Parquet sets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.core import EXPRESSIONS
from mien.datasets import (
    AnnotationError,
    create_example,
    load_emotions,
    load_pictures,
    load_ratings,
    load_teacher,
    load_traits,
    load_votes,
    picture_file,
)
from mien.datasets.open_sets.face_parquet import load_names, load_poses, teacher_file


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.parquet: no such file"):
        load_pictures(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(AnnotationError, match=r"text\.parquet: not a Parquet file"):
        load_pictures(tmp_path / "text.parquet")
    pq.write_table(pa.table({"name": ["a"]}), tmp_path / "short.parquet")
    with pytest.raises(AnnotationError, match=r"\['image'\] are missing"):
        load_pictures(tmp_path / "short.parquet")


@pytest.mark.parametrize(
    "load",
    [load_names, load_pictures, load_votes, load_ratings, load_emotions, lambda path: load_traits(path, ("age",))],
)
def test_every_reader_names_a_missing_file(load: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"none\.parquet: no such file") as caught:
        load(tmp_path / "none.parquet")
    assert caught.value.path == tmp_path / "none.parquet"


def test_a_missing_open_set_says_what_to_do(tmp_path: Path) -> None:
    path = picture_file(tmp_path, "ferplus", "valid")
    with pytest.raises(AnnotationError, match=r"no such file; docs/how-to/training\.md lists the files"):
        load_votes(path)
    (tmp_path / "fer2013new.csv").write_text("Usage,Image name\n")  # the official release, which has a protocol
    with pytest.raises(AnnotationError, match=r"no such file; .* fer2013new\.csv here is read as ferplus-csv"):
        load_votes(path)


def test_ferplus_votes_of_the_real_file(shared_data: Path) -> None:
    assert load_votes(picture_file(shared_data, "ferplus", "valid")).shape == (3579, 10)


def test_ratings_are_votes_in_the_order_of_the_expressions(tmp_path: Path) -> None:
    create_example("affectnet-c25", tmp_path)
    votes, ratings, image_set = load_ratings(picture_file(tmp_path, "affectnet_c25", "train"))
    assert votes.tolist() == [[25 if name == "surprise" else 0 for name in EXPRESSIONS]]
    np.testing.assert_allclose(ratings, [[0.1, 0.7]])
    assert image_set.tolist() == [2]


def test_empty_traits_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"age": ["20-29", None], "race": ["Black", "White"]}), tmp_path / "a.parquet")
    assert load_traits(tmp_path / "a.parquet", ("race",))["race"].tolist() == ["Black", "White"]
    with pytest.raises(AnnotationError, match=r"columns \['age'\] have empty entries"):
        load_traits(tmp_path / "a.parquet", ("age", "race"))


def _write_teacher(path: Path, metadata: dict[str, str]) -> None:
    columns = {
        "name": ["a", "b"],
        "found": [True, False],
        "blendshapes": [[0.25, 0.5], None],
        "points": [[0.5] * 136, None],
        "matrix": [np.eye(4).ravel().tolist(), None],
    }
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)


def test_teacher_outputs_are_joined_by_name(tmp_path: Path) -> None:
    path = tmp_path / "teacher.parquet"
    _write_teacher(path, {"blendshapes": '["jawOpen", "eyeBlinkLeft"]'})
    outputs = load_teacher(path, ("b", "a", "b"))
    assert outputs.found.tolist() == [False, True, False]
    np.testing.assert_array_equal(outputs.blendshapes[1], [0.25, 0.5])
    assert np.isnan(outputs.landmarks[[0, 2]]).all()
    assert outputs.landmarks.shape == (3, 68, 2)
    np.testing.assert_array_equal(load_poses(path, ("a",)), [np.eye(3)])
    with pytest.raises(AnnotationError, match="no row for 2 pictures, the first is c"):
        load_teacher(path, ("c", "a", "d"))


def test_a_teacher_file_must_name_its_blendshapes(tmp_path: Path) -> None:
    _write_teacher(tmp_path / "teacher.parquet", {})
    with pytest.raises(AnnotationError, match="does not name its blendshapes"):
        load_teacher(tmp_path / "teacher.parquet", ("a",))


@pytest.mark.parametrize("file", [picture_file, teacher_file])
def test_a_split_that_a_set_does_not_have_is_named(file: Callable[[str, str, str], Path]) -> None:
    with pytest.raises(AnnotationError, match="fairface has the splits train, valid, more, not 'val'"):
        file("data", "fairface", "val")
