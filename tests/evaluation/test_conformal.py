# SPDX-License-Identifier: Apache-2.0
"""Coverage of conformal sets and intervals on draws whose distribution is known."""

import numpy as np
import pytest
from scipy import stats

from mien.core import ConfigError
from mien.evaluation import binomial_band, expression_limits, half_widths, in_first_half, unit_offsets


def test_every_class_is_covered_whatever_its_size() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        targets = np.repeat([0, 1], [400, 60])
        own = np.where(targets == 0, rng.beta(8, 2, 460), rng.beta(2, 3, 460))
        probabilities = np.where(targets[:, None] == [0, 1], own[:, None], 1 - own[:, None])
        limits = expression_limits(probabilities[::2], targets[::2], ("neutral", "fear"))
        shares.append([(own[1::2][targets[1::2] == k] >= limits[name]).mean() for k, name in enumerate(limits)])
    mean = np.mean(shares, axis=0)
    assert (mean >= 0.895).all()
    assert (mean <= 0.94).all()


def test_a_class_with_too_few_faces_is_always_in_the_set() -> None:
    assert expression_limits(np.full((8, 1), 0.5), np.zeros(8, int), ("fear",)) == {"fear": 0.0}
    assert expression_limits(np.full((9, 1), 0.5), np.zeros(9, int), ("fear",)) == {"fear": 0.5}


def test_half_widths_cover_by_predicted_expression() -> None:
    rng = np.random.default_rng(1)
    tops = np.repeat(["neutral", "fear"], [2000, 500])
    errors = rng.normal(0, np.where(tops == "fear", 0.4, 0.1))
    widths = half_widths(errors, tops, ("neutral", "fear", "anger"))
    assert widths["neutral"] == pytest.approx(0.1645, abs=0.01)
    assert widths["fear"] == pytest.approx(0.658, abs=0.06)
    assert set(widths) == {"any", "neutral", "fear"}


def test_unit_offsets_cover_both_sides_of_one_half() -> None:
    rng = np.random.default_rng(2)
    own = rng.random((4000, 1))
    truth = np.clip(own + rng.normal(0, 0.1, own.shape), 0, 1)
    below, above, under, over = unit_offsets(own, truth, ("AU12",))["AU12"]
    ends = np.where(own < 0.5, own - below, own - under), np.where(own < 0.5, own + above, own + over)
    assert ((ends[0] <= truth) & (truth <= ends[1])).mean() == pytest.approx(0.9, abs=0.02)
    assert unit_offsets(own[:9], truth[:9], ("AU12",)) == {}


@pytest.mark.parametrize("n", [1, 14, 30, 692])
def test_band_agrees_with_scipy(n: int) -> None:
    low, high = binomial_band(n)
    assert (low, high) == tuple(stats.binom.interval(0.95, n, 0.9) / np.array(n))


def test_halves_depend_on_names_alone_and_are_about_equal() -> None:
    names = [f"face{number}.png" for number in range(2000)]
    first = in_first_half(names)
    assert 0.45 < first.mean() < 0.55
    assert in_first_half(names[::-1])[::-1].tolist() == first.tolist()


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError):
        expression_limits(np.zeros((1, 1)), np.zeros(1, int), ("fear",), coverage=1.0)
    with pytest.raises(ConfigError):
        half_widths(np.empty(0), np.empty(0, str), ("fear",))
