# SPDX-License-Identifier: Apache-2.0
"""C-EXPR-DB."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import COMPOUND_EXPRESSIONS
from mien.datasets import AnnotationError, create_example, load_cexpr


def test_the_official_list_has_no_labels(tmp_path: Path) -> None:
    create_example("cexpr", tmp_path)
    samples = load_cexpr(tmp_path, "test")
    assert [samples.image_location(row) for row in range(len(samples))] == ["01/00001.jpg", "01/00002.jpg"]
    assert samples.has_image.tolist() == [True, False]
    assert not samples.valid_expression.any()


@pytest.mark.parametrize("other", [False, True])
def test_a_re_annotation_has_seven_or_eight_classes(other: bool, tmp_path: Path) -> None:
    create_example("cexpr", tmp_path)
    path = tmp_path / "annotations/02.txt"
    header, _, rows = path.read_text().partition("\n")
    if other:
        path.write_text(f"{header},Other\n7\n{rows}")
    samples = load_cexpr(tmp_path, "train")
    assert samples.expression_labels == ((*COMPOUND_EXPRESSIONS, "other") if other else COMPOUND_EXPRESSIONS)
    assert samples.expression.tolist() == ([7] if other else []) + [0, -1, 6, 1]
    np.testing.assert_array_equal(samples.frame, np.arange(1, len(samples) + 1))


def test_two_lists_are_not_guessed_between(tmp_path: Path) -> None:
    create_example("cexpr", tmp_path)
    (tmp_path / "another.txt").write_text("image_location\n01/00001.jpg\n")
    with pytest.raises(AnnotationError, match=r"is one of 2 lists .*another.txt, cexpr_test_set.txt"):
        load_cexpr(tmp_path, "test")
