# SPDX-License-Identifier: Apache-2.0
"""AffectNet, both releases."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSION_ORDERS
from mien.datasets import AnnotationError, create_example, load_affectnet, load_affectnet_npy


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
def test_a_damaged_affectnet_array_is_left_out_where_problems_are_collected(content: bytes, tmp_path: Path) -> None:
    create_example("affectnet-npy", tmp_path)
    path = tmp_path / "train_set/annotations/12_aro.npy"
    path.write_bytes(content)
    problems: list[AnnotationError] = []
    samples = load_affectnet_npy(tmp_path, "train", on_problem=problems.append)
    assert [problem.path for problem in problems] == [path]
    assert samples.names == ("0.jpg",)
