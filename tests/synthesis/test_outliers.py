# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import ConfigError
from mien.synthesis import OUTLIERS, draw_outliers

DRAWN = ("cartoon", "animal", "mask", "pattern")


@pytest.mark.parametrize("kind", DRAWN)
def test_drawn_outliers_are_images_that_their_seed_decides(kind: str) -> None:
    first, second = (list(draw_outliers(3, seed=5, kinds=(kind,))) for _ in range(2))
    (other, *_) = draw_outliers(1, seed=6, kinds=(kind,))
    for one, again in zip(first, second, strict=True):
        assert one.image.shape == (160, 160, 3)
        assert one.image.dtype == np.uint8
        assert one.image.std() > 5
        np.testing.assert_array_equal(one.image, again.image)
    assert len({one.image.tobytes() for one in (*first, other)}) == 4


def test_rendered_outliers_have_little_colour_or_few_tones() -> None:
    pytest.importorskip("numba")
    pytest.importorskip("anny")
    (statue,) = draw_outliers(1, seed=1, kinds=("statue",))
    (pencil,) = draw_outliers(1, seed=1, kinds=("pencil",))
    (comic,) = draw_outliers(1, seed=1, kinds=("comic",))
    assert np.ptp(pencil.image.astype(int), axis=2).mean() < 25
    assert statue.image.std() > 10
    assert len(np.unique(comic.image.reshape(-1, 3), axis=0)) < 250


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose from statue"):
        next(draw_outliers(1, kinds=("robot",)))
    assert set(DRAWN) < set(OUTLIERS)
