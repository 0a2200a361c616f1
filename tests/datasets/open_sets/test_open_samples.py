# SPDX-License-Identifier: Apache-2.0
"""The open sets as samples without pixels: examples and, where they are at hand, the real files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.datasets import (
    AnnotationError,
    check_dataset,
    create_example,
    load_affectnet_c25,
    load_open_fairface,
    load_open_ferplus,
    load_open_lfw,
)


def test_ferplus_takes_the_most_voted_expression(tmp_path: Path) -> None:
    create_example("open-ferplus", tmp_path)
    samples = load_open_ferplus(tmp_path, "train")
    assert samples.expression.tolist() == [1, 1, -1]
    assert samples.votes.shape == (3, 10)


def test_lfw_names_of_expressions_are_checked(tmp_path: Path) -> None:
    create_example("open-lfw", tmp_path)
    path = tmp_path / "lfw_expression/photos.parquet"
    pq.write_table(pa.table({"name": ["a"], "emotion": ["bored"]}), path)
    with pytest.raises(AnnotationError, match="bored") as caught:
        load_open_lfw(tmp_path, "train")
    assert caught.value.path == path


def test_ratings_out_of_range_are_refused(tmp_path: Path) -> None:
    create_example("affectnet-c25", tmp_path)
    path = tmp_path / "affectnet_c25/ratings.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.schema.names.index("arousal_mean"), "arousal_mean", pa.array([-2.0])), path)
    with pytest.raises(AnnotationError, match="row 0"):
        load_affectnet_c25(tmp_path, "train")


@pytest.mark.parametrize(("content", "words"), [(b"no parquet", "not a Parquet file"), (None, "no such file")])
def test_a_damaged_or_missing_file_is_named(content: bytes | None, words: str, tmp_path: Path) -> None:
    create_example("open-ferplus", tmp_path)
    path = tmp_path / "ferplus/valid.parquet"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(AnnotationError, match=words):
        load_open_ferplus(tmp_path, "valid")


def test_the_real_sets_are_whole(shared_data: Path) -> None:
    counts = check_dataset("open-ferplus", shared_data).splits
    assert {split: (item.n_rows, item.valid["expression"]) for split, item in counts.items()} == {
        "train": (28_558, 28_385),
        "valid": (3_579, 3_555),
    }
    ratings = load_affectnet_c25(shared_data, "train")
    assert len(ratings) == ratings.valid_valence_arousal.sum() == 1_600
    assert (ratings.votes.sum(axis=1) <= 25).all()


def test_fairface_has_no_expression(tmp_path: Path) -> None:
    create_example("open-fairface", tmp_path)
    assert load_open_fairface(tmp_path, "train").names == ("train/1.jpg",)
    samples = load_open_fairface(tmp_path, "valid")
    assert not samples.valid_expression.any()
    assert not samples.valid_valence_arousal.any()


def test_lfw_persons_are_in_one_split(tmp_path: Path) -> None:
    create_example("open-lfw", tmp_path)
    assert load_open_lfw(tmp_path, "train").names == ("Ann_Lee_0001.jpg", "Ann_Lee_0002.jpg")
    assert load_open_lfw(tmp_path, "test").names == ("Bo_Orr_0001.jpg",)
