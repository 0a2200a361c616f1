# SPDX-License-Identifier: Apache-2.0
"""Jitter of images and crops: nothing changes without a change, more with a larger one, and alignment undoes shifts."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mien import Analyzer
from mien.affect import prototype_tiles
from mien.core import Faces
from mien.evaluation.audit.crop_jitter import JITTERS, crop_jitter


class Bright:
    """An analyzer whose happiness is the mean of the left half of an image, and which knows nothing else."""

    config = SimpleNamespace(landmark_model=None, runtime="onnxruntime")
    spec = Analyzer(threads=1).spec

    def crops(self, images: list[np.ndarray], *, aligned: bool) -> Faces:
        assert aligned or images[0].ndim == 3
        empty = Analyzer(threads=1).crops(images[:1], aligned=True)
        share = np.array([image[:, : image.shape[1] // 2].mean() / 255 for image in images], np.float32)
        values = np.zeros((len(images), 8), np.float32)
        values[:, :2] = np.stack([1 - share, share], axis=1)
        return replace(empty[np.zeros(len(images), np.intp)], expression=values)


def changes(results: list, level: str, measure: str) -> dict[str, float]:
    own = [one for one in results if one.level == level]
    return {one.jitter: next(each.value for each in one.changes if each.name == measure) for one in own}


def test_changes_are_those_of_a_known_function() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :10] = 255  # half of the left half; a shift to the right by 10 % shows 4 columns more
    found = changes(crop_jitter(Bright(), [image]), "image", "distance of the probabilities")  # type: ignore[arg-type]
    assert found["mirrored"] == pytest.approx(0.5, abs=1e-3)
    assert found["shifted by 10 %"] == pytest.approx((0.2 + 0.2 + 0 + 0) / 4, abs=1e-3)
    assert found["shifted by 5 %"] == pytest.approx((0.1 + 0.1 + 0 + 0) / 4, abs=1e-3)
    tops = changes(crop_jitter(Bright(), [image]), "image", "another top expression")  # type: ignore[arg-type]
    # At half neutral counts; of the four shifts the one to the right makes it happiness.
    assert (tops["mirrored"], tops["shifted by 10 %"]) == (0.0, 0.25)


def test_a_bundle_is_measured_at_both_levels_with_intervals_of_people() -> None:
    pictures = [tile for _, tile in prototype_tiles()[:12]]
    people = np.array([str(number % 4) for number in range(12)])
    results = crop_jitter(Analyzer(threads=1), pictures, people)
    assert [one.jitter for one in results] == [*JITTERS, *JITTERS]
    for one in results:
        assert {each.name for each in one.changes} == {
            "another top expression",
            "distance of the probabilities",
            "valence",
            "arousal",
            "action units",
        }
        for each in one.changes:
            assert each.n == 12
            assert 0 <= each.low <= each.value <= each.high <= 1
    at_crop = changes(results, "crop", "distance of the probabilities")
    assert 0 < at_crop["shifted by 2 %"] < at_crop["shifted by 10 %"]
    json.dumps([[each.value for each in one.changes] for one in results], allow_nan=False)
