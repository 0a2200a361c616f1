# SPDX-License-Identifier: Apache-2.0
"""RAF-DB."""

from pathlib import Path

import pytest

from mien.datasets import AnnotationError, create_example, load_rafdb


def test_rafdb_labels_count_from_one_in_the_file_only(tmp_path: Path) -> None:
    create_example("rafdb", tmp_path)
    train, test = load_rafdb(tmp_path / "basic", "train"), load_rafdb(tmp_path, "test")
    assert [train.expression_labels[i] for i in train.expression] == ["sadness", "surprise"]
    assert [test.expression_labels[i] for i in test.expression] == ["neutral"]
    assert load_rafdb(tmp_path, "test", images="original").names == ("test_0001.jpg",)


@pytest.mark.parametrize(("split", "images"), [("valid", "aligned"), ("train", "cropped")])
def test_unknown_choices_are_named(split: str, images: str, tmp_path: Path) -> None:
    create_example("rafdb", tmp_path)
    with pytest.raises(AnnotationError, match=f"not '{split}' and '{images}'"):
        load_rafdb(tmp_path, split, images=images)


def test_missing_images_keep_their_row(tmp_path: Path) -> None:
    create_example("rafdb", tmp_path)
    samples = load_rafdb(tmp_path, "train", images="original")
    assert samples.has_image.tolist() == [False, False]
    assert samples.image_path(0) == tmp_path / "basic/Image/original/train_00001.jpg"
