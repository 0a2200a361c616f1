# SPDX-License-Identifier: Apache-2.0
"""Corrections of action units: what all units share is found from few labels, and nothing is made worse."""

import numpy as np
import pytest

from mien.affect.adaptation.unit_fit import fit_units

UNITS = tuple(f"AU{number:02d}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 15))


def drawn(n: int, seed: int, offset: float = 0.0, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that would be right after ``factor * logits + offset``, and labels."""
    rng = np.random.default_rng(seed)
    right = rng.normal(-1.5, 2.5, (n, len(UNITS)))
    truth = (rng.random(right.shape) < 1 / (1 + np.exp(-right))).astype(np.float64)
    return (right - offset) / factor, truth


def error(logits: np.ndarray, truth: np.ndarray) -> float:
    return float(((1 / (1 + np.exp(-logits)) - truth) ** 2).mean())


def test_units_need_both_kinds_of_examples() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([[0.0], [1.0]], 8, axis=0)
    logits = 4 * truth - 2 - 2.5 + rng.normal(0, 0.7, truth.shape)
    found = fit_units(logits, truth, ("AU12",))
    assert found is not None
    assert 1.0 < found.bias["AU12"] < 3.5
    assert fit_units(logits[8:], truth[8:], ("AU12",)) is None
    assert fit_units(logits, np.full_like(truth, np.nan), ("AU12",)) is None


def test_examples_without_labels_of_units_do_not_count() -> None:
    rng = np.random.default_rng(0)
    truth = np.tile(np.repeat([[0.0], [1.0]], 8, axis=0), (1, 2))
    logits = 4 * truth - 2 - 2.5 + rng.normal(0, 0.7, truth.shape)
    alone = fit_units(logits, truth, ("AU04", "AU12"))
    unknown = np.full((3, 2), np.nan)
    more = fit_units(np.concatenate([logits, np.ones((3, 2))]), np.concatenate([truth, unknown]), ("AU04", "AU12"))
    assert alone is not None
    assert alone == more
    partly = truth.copy()
    partly[::3, 0] = np.nan
    found = fit_units(logits, partly, ("AU04", "AU12"))
    assert found is not None
    assert set(found.bias) == {"AU04", "AU12"}


def test_a_bias_of_all_units_is_found_from_ten_faces() -> None:
    gains, biases = [], []
    new, wanted = drawn(2000, 99, offset=2.0)
    for seed in range(8):
        found = fit_units(*drawn(10, seed, offset=2.0), UNITS)
        assert found is not None
        assert found.error_after <= found.error_before
        moved = new / found.temperature + np.array([found.bias[unit] for unit in UNITS])
        biases.append(np.mean(list(found.bias.values())))
        gains.append((error(new, wanted) - error(moved, wanted)) / (error(new, wanted) - error(new + 2, wanted)))
    assert np.mean(biases) == pytest.approx(2.0, abs=0.7)
    assert np.mean(gains) > 0.6
    assert min(gains) > 0


def test_a_network_that_is_too_sure_gets_a_temperature() -> None:
    found = fit_units(*drawn(40, 1, factor=0.4), UNITS)
    assert found is not None
    assert 1.5 < found.temperature < 4
    # It holds for all units: without labels of one of them there is none.
    logits, truth = drawn(40, 1, offset=2.0, factor=0.4)
    truth[:, 0] = np.nan
    partly = fit_units(logits, truth, UNITS)
    assert partly is not None
    assert partly.temperature == 1
    assert UNITS[0] not in partly.bias


def test_a_person_without_an_offset_keeps_what_they_have() -> None:
    new, wanted = drawn(2000, 98)
    ratios = []
    for seed in range(10):
        found = fit_units(*drawn(10, 100 + seed), UNITS)
        bias = np.array([found.bias[unit] for unit in UNITS]) if found else 0.0
        temperature = found.temperature if found else 1.0
        ratios.append(error(new / temperature + bias, wanted) / error(new, wanted))
    assert np.mean(ratios) < 1.02
    assert max(ratios) < 1.12


def test_few_labels_of_a_kind_say_nothing() -> None:
    logits, truth = drawn(10, 3, offset=3.0)
    truth[:] = 0
    truth[0, :7] = 1
    assert fit_units(logits, truth, UNITS) is None


def test_neutral_faces_say_where_the_biases_start() -> None:
    """Eight examples whose logits are all lower by 4 than those of many people: neutral faces show it."""
    levels = dict.fromkeys(UNITS, (-2.0, 2.0, 0.5))
    rng = np.random.default_rng(4)
    truth = np.zeros((8, len(UNITS)))
    truth[np.arange(4, 8), np.arange(4)] = 1
    truth[np.arange(4, 8), np.arange(4) + 5] = 1
    logits = -6.0 + 4.0 * truth + rng.normal(0, 0.3, truth.shape)
    neutral = np.arange(8) < 4
    plain = fit_units(logits, truth, UNITS)
    helped = fit_units(logits, truth, UNITS, neutral=neutral, levels=levels)
    assert helped is not None
    assert plain is not None
    assert helped.error_after < plain.error_after
    assert fit_units(logits, truth, UNITS, neutral=np.arange(8) < 2, levels=levels) == plain
    assert fit_units(logits, truth, UNITS, neutral=neutral, levels={}) == plain
