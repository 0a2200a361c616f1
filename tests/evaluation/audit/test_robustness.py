# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from mien import Analyzer
from mien.affect import prototype_tiles
from mien.core import ConfigError
from mien.evaluation.audit.robustness import (
    CORRUPTIONS,
    SEVERITIES,
    corrupted,
    corruption_curves,
    mean_corruption_error,
)

IMAGE = cv2.resize(prototype_tiles()[0][1], (160, 160))


@pytest.mark.parametrize("name", list(CORRUPTIONS))
def test_every_corruption_grows_with_its_strength_and_is_repeatable(name: str) -> None:
    changes = []
    for severity in SEVERITIES:
        first, second = (corrupted(IMAGE, name, severity, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert first.shape == IMAGE.shape
        assert first.dtype == np.uint8
        changes.append(np.abs(first.astype(float) - IMAGE).mean())
    assert changes[0] > 0.3
    assert changes[-1] > 1.5 * changes[0]


def test_curves_start_at_no_error_without_labels() -> None:
    analyzer = Analyzer(threads=1)
    pictures = [tile for _, tile in prototype_tiles()[:8]]
    results = corruption_curves(analyzer, pictures)
    assert {one.error for one in results if one.severity == 0} == {0.0}
    assert len(results) == len(CORRUPTIONS) * 6
    assert 0 < mean_corruption_error(results) < 0.9
    labelled = corruption_curves(analyzer, pictures[:2], np.array([1, 1]))
    assert labelled[0].error == 1.0


def test_unknown_corruptions_are_refused() -> None:
    with pytest.raises(ConfigError):
        corrupted(IMAGE, "fog", 1, np.random.default_rng(0))
    with pytest.raises(ConfigError):
        corrupted(IMAGE, "blur", 6, np.random.default_rng(0))
