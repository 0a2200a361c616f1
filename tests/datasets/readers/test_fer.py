# SPDX-License-Identifier: Apache-2.0
"""FER2013 and FER+."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import ConfigError
from mien.datasets import AnnotationError, create_example, load_fer2013, load_ferplus_csv
from mien.datasets.readers.fer import load_fer2013_splits


def test_fer2013_faces_stay_text_until_asked_for(tmp_path: Path) -> None:
    create_example("fer2013", tmp_path)
    samples = load_fer2013(tmp_path, "train")
    expected = (np.arange(48 * 48) % 256).astype(np.uint8).reshape(48, 48)
    np.testing.assert_array_equal(samples.gray_image(1), expected)
    assert samples.names == ("fer0000000.png", "fer0000001.png")
    assert load_fer2013(tmp_path, "test").names == ("fer0000003.png",)
    assert samples.take([1]).gray_image(0).shape == (48, 48)
    with pytest.raises(ConfigError, match="image files"):
        samples.image_path(0)


def test_fer2013_columns_may_come_in_the_order_of_the_later_file(tmp_path: Path) -> None:
    face = " ".join(["255"] * 48 * 48)
    (tmp_path / "icml_face_data.csv").write_text(f"emotion, Usage, pixels\n3,PublicTest,{face}\n")
    samples = load_fer2013(tmp_path, "valid")
    assert samples.expression_labels[samples.expression[0]] == "happiness"
    assert (samples.gray_image(0) == 255).all()


def test_ferplus_leaves_withdrawn_rows_out_and_keeps_votes(tmp_path: Path) -> None:
    create_example("ferplus", tmp_path)
    samples = load_ferplus_csv(tmp_path, "train")
    assert samples.names == ("fer0000000.png", "fer0000002.png")
    assert samples.expression.tolist() == [0, -1]  # neutral; most people could not say
    assert samples.votes[1, samples.vote_labels.index("unknown")] == 7
    assert samples.image_path(0) == tmp_path / "images/FER2013Train/fer0000000.png"
    with pytest.raises(ConfigError, match="image_path"):
        samples.gray_image(0)


def test_all_splits_of_fer2013_are_those_read_one_by_one(tmp_path: Path) -> None:
    create_example("fer2013", tmp_path)
    splits = load_fer2013_splits(tmp_path)
    assert list(splits) == ["train", "valid", "test"]
    for split, samples in splits.items():
        alone = load_fer2013(tmp_path, split)
        assert samples.names == alone.names
        np.testing.assert_array_equal(samples.expression, alone.expression)


@pytest.mark.parametrize("load", [load_fer2013, load_ferplus_csv])
def test_an_unknown_usage_is_refused(load: object, tmp_path: Path) -> None:
    name = {load_fer2013: "fer2013", load_ferplus_csv: "ferplus"}[load]  # type: ignore[index] # the parameters are the keys
    create_example(name, tmp_path)
    path = next(tmp_path.glob("*.csv"))
    path.write_text(path.read_text().replace("PrivateTest", "Private"))
    with pytest.raises(AnnotationError, match="'Private' is none of Training, PublicTest, PrivateTest"):
        load(tmp_path, "train")  # type: ignore[operator] # a reader


def test_ferplus_without_images_is_read_all_the_same(tmp_path: Path) -> None:
    create_example("ferplus", tmp_path)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    samples = load_ferplus_csv(tmp_path, "train")
    assert len(samples) == 2
    assert samples.folder is None
    assert not samples.has_image.any()
