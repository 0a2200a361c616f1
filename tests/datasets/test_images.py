# SPDX-License-Identifier: Apache-2.0
"""Sets of still images."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSION_ORDERS, ConfigError
from mien.datasets import (
    AnnotationError,
    create_example,
    load_affectnet,
    load_affectnet_npy,
    load_fer2013,
    load_ferplus_csv,
    load_lsd,
    load_rafdb,
)


def test_affectnet_keeps_rows_without_expression_and_without_box(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    samples = load_affectnet(tmp_path, "train")
    assert samples.expression.tolist() == [1, 7, -1, 6]
    assert samples.expression_labels == EXPRESSION_ORDERS["affectnet"]
    assert samples.boxes[0].tolist() == [134, 134, 134 + 899, 134 + 899]
    assert np.isnan(samples.boxes[3]).all()
    kept = samples.take(samples.valid_expression & ~np.isnan(samples.boxes[:, 0]))  # HSEmotion's selection
    assert kept.names == ("689/a.jpg", "392/b.jpg")
    assert kept.image_path(1) == tmp_path / "Manually_Annotated_Images/392/b.jpg"


def test_affectnet_arrays_are_read_as_text_and_as_numbers(tmp_path: Path) -> None:
    create_example("affectnet-npy", tmp_path)
    folder = tmp_path / "val_set/annotations"
    for ending, value in (("exp", np.int64(4)), ("val", np.float32(-0.5)), ("aro", np.array("0.25"))):
        np.save(folder / f"99_{ending}.npy", value)
    samples = load_affectnet_npy(tmp_path, "valid")
    assert samples.names == ("3.jpg", "99.jpg")
    assert samples.expression.tolist() == [0, 4]
    np.testing.assert_allclose(samples.valence_arousal[1], [-0.5, 0.25])
    assert samples.absent() == (tmp_path / "val_set/images/99.jpg",)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array({"a": 1}, dtype=object), "object"),
        (np.array([1.0, 2.0]), "one number"),
        (np.array("happy"), "happy"),
        (np.array("11"), "0 to 10"),
        (np.array("1.5"), "0 to 10"),
    ],
)
def test_affectnet_arrays_of_anything_else_are_refused(value: np.ndarray, words: str, tmp_path: Path) -> None:
    create_example("affectnet-npy", tmp_path)
    path = tmp_path / "val_set/annotations/3_exp.npy"
    np.save(path, value, allow_pickle=True)
    with pytest.raises(AnnotationError, match=words) as caught:
        load_affectnet_npy(tmp_path, "valid")
    assert caught.value.path == path


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x76\x00{'descr': '<U1'", b"not an array"])
def test_a_damaged_affectnet_array_is_left_out_where_somebody_listens(content: bytes, tmp_path: Path) -> None:
    create_example("affectnet-npy", tmp_path)
    path = tmp_path / "train_set/annotations/12_aro.npy"
    path.write_bytes(content)
    heard: list[AnnotationError] = []
    samples = load_affectnet_npy(tmp_path, "train", on_problem=heard.append)
    assert [problem.path for problem in heard] == [path]
    assert samples.names == ("0.jpg",)


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


def test_rafdb_labels_count_from_one_in_the_file_only(tmp_path: Path) -> None:
    create_example("rafdb", tmp_path)
    train, test = load_rafdb(tmp_path / "basic", "train"), load_rafdb(tmp_path, "test")
    assert [train.expression_labels[i] for i in train.expression] == ["sadness", "surprise"]
    assert [test.expression_labels[i] for i in test.expression] == ["neutral"]
    assert load_rafdb(tmp_path, "test", images="original").names == ("test_0001.jpg",)


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
