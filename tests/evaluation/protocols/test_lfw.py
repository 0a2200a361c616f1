# SPDX-License-Identifier: Apache-2.0
"""LFW as crops and as photos."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mien.core import Faces
from mien.datasets import AU_RULES, load_fairface, load_held_out, load_lfw, load_traits, person
from mien.evaluation import PROTOCOLS
from mien.evaluation.protocols.lfw import evaluate_lfw_chain
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name


def test_people_are_resampled_and_held_out_is_a_prefix(open_sets: Path) -> None:
    metrics = metrics_by_name(PROTOCOLS.load("lfw")(FlatFaceAnalyzer(), open_sets))
    assert metrics["AUC of AU12, happiness against neutral"].value == 1
    assert person("Person_a_0001.jpg") == person("Person_a_0002.jpg")
    assert load_held_out(open_sets, 20).names[:10] == load_held_out(open_sets, 10).names
    assert set(load_traits(open_sets / "fairface/val.parquet", ("race",))["race"]) == {"Indian"}
    assert np.isnan(load_fairface(open_sets, "valid").expression).all()
    assert "AU12" in AU_RULES


def test_photographs_and_film_stills_are_counted_apart(open_sets: Path) -> None:
    metrics = metrics_by_name(PROTOCOLS.load("lfw")(FlatFaceAnalyzer(), open_sets))
    names = load_lfw(open_sets, "test").names
    n = {"photographs": 0, "video stills": 0}
    for kind in n:
        n[kind] = sum(metrics[f"recall of {name}, {kind}"].n for name in ("happiness", "neutral"))
        assert metrics[f"recall of happiness, {kind}"].value == metrics["recall of happiness"].value == 1
    # The helper numbers all but the first ten faces by more than four digits.
    assert n["video stills"] == sum(len(name.split("_")[-1]) != len("0001.jpg") for name in names)
    assert 0 < n["photographs"] == len(names) - n["video stills"]


class OneFaceAnalyzer(FlatFaceAnalyzer):
    """Finds the face that fills an image, but none where the mouth is dark and ``misses`` is set."""

    def __init__(self, *, misses: bool = False) -> None:
        super().__init__()
        self._misses = misses

    def image(self, image: npt.NDArray[np.uint8]) -> Faces:
        found = self.crops([image])
        return found[:0] if self._misses and image[-10:].mean() < 150 else found


def test_the_chain_is_as_good_as_the_teachers_landmarks_if_every_face_is_found(open_sets: Path) -> None:
    metrics = metrics_by_name(evaluate_lfw_chain(OneFaceAnalyzer(), open_sets))
    assert metrics["faces found"].value == 1
    assert metrics["accuracy, whole chain"].value == metrics["accuracy, teacher's landmarks"].value == 1
    assert metrics["same expression as at the teacher's landmarks"].value == 1


def test_a_lost_face_counts_as_an_error(open_sets: Path) -> None:
    metrics = metrics_by_name(evaluate_lfw_chain(OneFaceAnalyzer(misses=True), open_sets))
    assert metrics["recall of neutral, whole chain"].value == 0
    assert metrics["recall of happiness, whole chain"].value == 1
    assert metrics["accuracy on found faces, whole chain"].value == 1
    gain = metrics["accuracy, whole chain minus teacher's landmarks"].value
    assert gain == pytest.approx(metrics["faces found"].value - 1)
    assert gain < -0.3
