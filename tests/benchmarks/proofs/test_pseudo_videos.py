# SPDX-License-Identifier: Apache-2.0
"""Pseudo-videos change slowly, and perfect predictions score 1 on them."""

import numpy as np
import pytest

from benchmarks.proofs.pseudo_videos import FramePredictions, make_video, sweep
from mien.datasets import FaceSamples


def faces(n: int) -> FaceSamples:
    rng = np.random.default_rng(1)
    return FaceSamples(
        names=tuple(map(str, range(n))),
        images=(b"",) * n,
        expression=np.eye(8, dtype=np.float32)[np.arange(n) % 3],
        valence_arousal=rng.uniform(-1, 1, (n, 2)).astype(np.float32),
        action_units=np.empty((n, 0), np.float32),
        action_unit_labels=(),
        keypoints=np.full((n, 5, 2), np.nan, np.float32),
    )


def test_a_pseudo_video_changes_slowly_and_perfect_predictions_score_one() -> None:
    samples = faces(150)
    video = make_video(samples, 1200, 40, np.random.default_rng(0))
    label = samples.expression.argmax(axis=1)[video.face]
    assert 8 <= (np.diff(label) != 0).sum() <= 60
    assert 0.02 < video.lost.mean() < 0.4
    everything = np.arange(1200)
    truth = samples.expression[video.face].astype(float), samples.valence_arousal[video.face].astype(float)
    points = list(sweep(samples, video, FramePredictions(everything, *truth)))
    assert (points[0].f1, points[0].ccc) == pytest.approx((1, 1))
    assert points[-1].f1 < 1  # a box of 241 frames is longer than an expression lasts
