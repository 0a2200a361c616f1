# SPDX-License-Identifier: Apache-2.0
"""A gap that the embedding knows is closed on new faces; what follows from the geometry stays."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.trust.gap_closing import GroupFaces, chosen_factor, correction, worst


def named(groups: dict[str, np.ndarray], people: np.ndarray) -> SimpleNamespace:
    def rows(chosen: np.ndarray) -> SimpleNamespace:
        return named({name: column[chosen] for name, column in groups.items()}, people[chosen])

    return SimpleNamespace(groups=groups, people=people, rows=rows)


def drawn(seed: int, n: int = 1500) -> tuple[GroupFaces, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gender, mouth = rng.choice(["f", "m"], n), rng.normal(0, 1, n)
    features = rng.normal(0, 1, (n, 6))
    features[:, 0] += np.where(gender == "f", 1.5, -1.5)
    features[:, 1] += mouth
    logits = 2 * mouth + 0.5 * (gender == "f") + rng.normal(0, 0.3, n)
    groups = {"gender": gender, "race": np.random.default_rng(seed + 9).choice(["a", "b"], n)}
    samples = named(groups, np.arange(n).astype(str))
    return GroupFaces(samples, SimpleNamespace(), mouth[:, None]), features, logits  # type: ignore[arg-type]


def test_a_gap_is_closed_on_faces_that_fitted_nothing() -> None:
    train, features, logits = drawn(0)
    weights = correction(train, features, logits)
    valid, new, before = drawn(1)
    assert abs(worst(valid, before, "gender").gap) == pytest.approx(0.5, abs=0.08)
    after = before - new @ weights
    assert abs(worst(valid, after, "gender").gap) < 0.1
    assert np.corrcoef(after, before)[0, 1] > 0.97


def test_a_factor_is_chosen_that_leaves_less_on_new_faces() -> None:
    train, features, logits = drawn(0, 400)
    factor = chosen_factor(train, features, logits)
    valid, new, before = drawn(1, 3000)
    weights = correction(train, features, logits)
    gaps = {one: abs(worst(valid, before - one * (new @ weights), "gender").gap) for one in (1.0, factor, 4.0)}
    assert factor < 4
    assert gaps[factor] <= gaps[1.0] + 0.05
    assert gaps[factor] < gaps[4.0]
