# SPDX-License-Identifier: Apache-2.0
"""Helpers of the face protocols: crops, columns by name, and means with intervals."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.core import EXPRESSIONS, ConfigError, Faces
from mien.datasets import load_fairface
from mien.evaluation.face_crops import (
    FERPLUS_PX,
    align_samples,
    decode_pictures,
    expression_probabilities,
    fairface_title,
    group_codes,
    mean_metric,
    unit_thresholds,
    with_keypoints,
)
from tests.helpers.open_face_sets import FlatFaceAnalyzer


def test_crops_have_the_size_of_the_bundle_and_of_ferplus(open_sets: Path) -> None:
    samples = load_fairface(open_sets, "valid")
    known = with_keypoints(samples)
    assert len(samples) - len(known) == 5  # the teacher misses five faces
    sharp, small = align_samples(known.take(np.arange(3)), FlatFaceAnalyzer.spec)
    assert {crop.shape for crop in sharp} == {(96, 96, 3)}
    assert {crop.shape for crop in small} == {(FERPLUS_PX, FERPLUS_PX)}
    # The template's keypoints are those of the images, so a crop is the image.
    image = decode_pictures(known.take(np.arange(1)))[0]
    assert np.abs(sharp[0][8:-8, 8:-8].astype(int) - image[8:-8, 8:-8]).max() <= 1


def test_probabilities_come_in_canonical_order() -> None:
    faces = Faces(
        boxes=np.zeros((1, 4)), expression=np.arange(8)[None] / 28, expression_labels=tuple(reversed(EXPRESSIONS))
    )
    assert expression_probabilities(faces)[0] == pytest.approx(np.arange(8)[::-1] / 28)
    seven = Faces(boxes=np.zeros((1, 4)), expression=np.full((1, 7), 1 / 7), expression_labels=EXPRESSIONS[:7])
    with pytest.raises(ConfigError, match=EXPRESSIONS[7]):
        expression_probabilities(seven)


def test_a_difference_of_means_has_an_interval_over_groups() -> None:
    rng = np.random.default_rng(0)
    inside = np.arange(400) < 200
    values = rng.normal(size=400) + inside
    metric = mean_metric("difference", values, inside, np.arange(400), minus=~inside)
    assert metric.value == pytest.approx(values[:200].mean() - values[200:].mean())
    assert metric.n == 400
    assert metric.low < 1 < metric.high
    # The interval of independent means, as in theory.
    assert metric.high - metric.low == pytest.approx(2 * 1.96 * np.sqrt(2 / 200), rel=0.2)


def test_a_group_that_is_never_drawn_leaves_samples_out() -> None:
    metric = mean_metric("mean", np.array([1.0, 2.0]), np.array([True, False]), np.arange(2))
    assert (metric.value, metric.low, metric.high) == (1, 1, 1)


def test_group_codes_are_numbers_from_0() -> None:
    assert group_codes(np.array(["x", "a", "x"])).tolist() == [1, 0, 1]


def test_thresholds_are_the_bundles_else_one_half() -> None:
    spec = SimpleNamespace(action_unit_thresholds={"AU12": 0.3})
    assert unit_thresholds(spec, ("AU04", "AU12")).tolist() == [0.5, 0.3]


def test_fairface_is_named_as_its_authors_name_it() -> None:
    assert [fairface_title(split) for split in ("train", "valid")] == ["FairFace train", "FairFace val"]
