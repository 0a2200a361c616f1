# SPDX-License-Identifier: Apache-2.0
import warnings

import numpy as np
import pytest

from mien import Analyzer
from mien.core import Image


@pytest.fixture
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


def test_an_array_in_bgr_order_is_warned_of_once_with_the_fix(analyzer: Analyzer, astronaut: Image) -> None:
    with pytest.warns(UserWarning, match=r"give image\[\.\.\., ::-1\]"):
        analyzer.image(astronaut[..., ::-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analyzer.image(astronaut[..., ::-1])


def test_rgb_gray_and_faceless_arrays_are_not_warned_of(analyzer: Analyzer, astronaut: Image) -> None:
    gray = np.repeat(astronaut.mean(axis=2).astype(np.uint8)[..., None], 3, axis=2)
    noise = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for image in (astronaut, gray, noise, np.zeros((60, 60, 3), np.uint8)):
            analyzer.image(image)


def test_a_photo_under_blue_light_is_not_warned_of(analyzer: Analyzer, astronaut: Image) -> None:
    blue = (astronaut * (0.45, 0.6, 1.0)).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analyzer.image(blue)
