# SPDX-License-Identifier: Apache-2.0
"""The synthetic faces of ABAW 4."""

from pathlib import Path

import pytest

from mien.core import EXPRESSION_ORDERS
from mien.datasets import AnnotationError, create_example, load_lsd


def test_lsd_folders_name_the_classes_in_both_spellings(tmp_path: Path) -> None:
    create_example("lsd", tmp_path)
    for split in ("train", "valid"):
        samples = load_lsd(tmp_path, split)
        assert [samples.expression_labels[i] for i in samples.expression] == list(EXPRESSION_ORDERS["lsd_6"])
    assert load_lsd(tmp_path, "train").names[0] == "ANGRER/1.jpg"
    assert not load_lsd(tmp_path, "test").valid_expression.any()


@pytest.mark.parametrize(
    ("folder", "words"), [("CONTEMPT", "not named after an expression"), ("ANGER", "2 folders for anger")]
)
def test_lsd_folders_of_any_other_kind_are_refused(folder: str, words: str, tmp_path: Path) -> None:
    create_example("lsd", tmp_path)
    (tmp_path / "training_set_synthetic_images" / folder).mkdir()
    with pytest.raises(AnnotationError, match=words):
        load_lsd(tmp_path, "train")


def test_a_missing_class_is_refused(tmp_path: Path) -> None:
    create_example("lsd", tmp_path)
    (tmp_path / "training_set_synthetic_images/FEAR").rename(tmp_path / "FEAR")
    with pytest.raises(AnnotationError, match="0 folders for fear"):
        load_lsd(tmp_path, "train")


def test_files_that_are_no_images_are_left_out(tmp_path: Path) -> None:
    create_example("lsd", tmp_path)
    (tmp_path / "lsd_test_data/Thumbs.db").touch()
    (tmp_path / "lsd_test_data/00002.PNG").touch()
    assert load_lsd(tmp_path, "test").names == ("00001.jpg", "00002.PNG")
