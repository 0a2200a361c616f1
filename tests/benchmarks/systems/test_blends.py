# SPDX-License-Identifier: Apache-2.0
"""A blend is scored on faces that did not choose its weight; extractors are ranked by their frequencies."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems import blends
from benchmarks.systems.blends import _agreement, blend_gains


def test_two_families_of_independent_errors_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 8, 900)
    affect = rng.uniform(-1, 1, (900, 2)).astype(np.float32)
    faces = SimpleNamespace(expression=np.eye(8)[label], valence_arousal=affect)

    def outputs(net: str, seed: int, _work: Path) -> dict[str, np.ndarray]:
        own = np.random.default_rng([seed, net == "face-80"])
        return {
            "expression": (1.5 * np.eye(8)[label] + own.normal(size=(900, 8))).astype(np.float32),
            "valence_arousal": (affect + 0.4 * own.normal(size=(900, 2))).astype(np.float32),
        }

    monkeypatch.setattr(blends, "load_ferplus", lambda *_: faces)
    monkeypatch.setattr(blends, "load_outputs", outputs)
    gains = blend_gains(Path(), Path(), (1, 2, 3))
    assert set(gains) == {"blend-expr", "blend-va"}
    assert all(gain.low > 0 and len(gain.per_seed) == 3 for both in gains.values() for gain in both)
    monkeypatch.setattr(blends, "load_outputs", lambda net, *_: None if net == "face-80" else outputs(net, 1, Path()))
    assert blend_gains(Path(), Path(), (1,)) == {}


def test_a_low_divergence_with_a_high_score_agrees() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 600)
    errors = [np.where(rng.random(600) < share, 0, target) for share in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)]
    expected = np.bincount(target) / 600
    assert _agreement(target, errors, expected)(np.ones((1, 600)))[0] == 1
    # A model that is wrong everywhere, with the right frequencies, disagrees.
    wrong = _agreement(target, [(target + 1) % 3, errors[2], errors[3]], np.bincount((target + 1) % 3) / 600)
    assert wrong(np.ones((1, 600)))[0] < 0
