# SPDX-License-Identifier: Apache-2.0
"""Smoothing of a planted track helps where its labels are slow, and the half-width is chosen on other videos."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems.conditions import CONDITIONS, judge
from benchmarks.systems.sweeps.time_sweep import SOURCES, Sweep, softmax, sweep_rows, time_gains

N_VIDEOS, N_FRAMES = 12, 400


def planted(seed: int) -> Sweep:
    """Videos whose expression lasts 50 frames and whose predictions are right, but for noise."""
    rng = np.random.default_rng(seed)
    expression = np.repeat(rng.integers(0, 4, N_VIDEOS * N_FRAMES // 50), 50)
    affect = np.stack([np.sin(expression), np.cos(expression)], axis=1)
    units = (expression[:, None] % 2 == [0, 1]).astype(np.float32)
    lost = rng.random(len(expression)) < 0.1
    lost[::N_FRAMES] = False
    video = np.repeat(np.arange(N_VIDEOS), N_FRAMES)
    truth = {"video": video, "lost": lost, "expression": expression, "affect": affect, "action_units": units}
    logits = 2 * np.eye(8)[expression] + 2 * rng.normal(size=(len(expression), 8))
    predicted = {
        "expression": softmax(logits)[~lost],
        "affect": (affect + rng.normal(size=affect.shape))[~lost],
        "action_units": np.clip(0.5 + 0.4 * (units - 0.5) + 0.3 * rng.normal(size=units.shape), 0, 1)[~lost],
    }
    return Sweep(truth, predicted)


@pytest.fixture(scope="module")
def sweeps() -> list[Sweep]:
    return [planted(seed) for seed in range(3)]


def test_an_interior_half_width_is_best(sweeps: list[Sweep]) -> None:
    gains = time_gains(sweeps)
    verdicts = {c.key: judge(c, gains[c.key]) for c in CONDITIONS if c.key in gains}
    assert verdicts == {"time-expr": "passed", "time-va": "passed", "time-au": "passed"}
    assert all(gain.n == N_VIDEOS * N_FRAMES for own in gains.values() for gain in own)
    keys = {condition.key for condition in CONDITIONS}
    for name in SOURCES:
        assert set(time_gains(sweeps[:1], name)) == {f"{name}-expr", f"{name}-va", f"{name}-au"} <= keys


def test_the_table_has_units_at_their_half_widths(sweeps: list[Sweep]) -> None:
    rows = sweep_rows(sweeps)
    assert [row[0] for row in rows if row[3]] == ["0", "3", "5", "10"]
    by_d = {row[0]: float(row[1]) for row in rows}
    assert by_d["0"] < by_d["8"] > by_d["200"]


def test_gaps_are_filled_within_a_video() -> None:
    sweep = planted(0)
    filled = sweep.smoothed("affect", 0)
    lost = sweep._truth["lost"]
    assert np.isfinite(filled).all()
    assert filled[~lost] == pytest.approx(sweep._predicted["affect"], abs=1e-9)
