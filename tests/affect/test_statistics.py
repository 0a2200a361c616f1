# SPDX-License-Identifier: Apache-2.0
"""Statistics over clips against NumPy, clip by clip."""

import numpy as np
import pytest

from mien.affect import clip_statistics
from mien.core import ConfigError


def test_every_fifth_frame_of_each_clip() -> None:
    random = np.random.default_rng(1)
    clips = random.permutation(np.repeat([0, 2], 40))
    frames, values = random.integers(0, 100, 80), random.random((80, 10)).astype(np.float16)
    found = clip_statistics(clips, frames, values, n_clips=3, every=5)
    assert found.shape == (3, 40)
    for clip in (0, 2):
        own = values[(clips == clip) & (frames % 5 == 0)].astype(float)
        expected = np.concatenate([own.mean(0), own.std(0), own.min(0), own.max(0)])
        np.testing.assert_allclose(found[clip], expected, rtol=1e-12)
    assert np.isnan(found[1]).all()


def test_nothing_at_all() -> None:
    assert np.isnan(clip_statistics([], [], np.empty((0, 768)), n_clips=2)).all()
    assert clip_statistics([], [], np.empty((0, 768)), n_clips=2).shape == (2, 3072)


@pytest.mark.parametrize(("clips", "every"), [([0, 2], 1), ([-1, 0], 1), ([0, 1], 0), ([0], 1)])
def test_what_does_not_fit(clips: list[int], every: int) -> None:
    with pytest.raises(ConfigError):
        clip_statistics(clips, [0, 1], np.zeros((2, 3)), n_clips=2, every=every)
