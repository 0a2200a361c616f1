# SPDX-License-Identifier: Apache-2.0
"""Corrections find a person's offset and leave everything else alone."""

import numpy as np
import pytest

from mien.affect.adaptation.fit import fit_expression, fit_neutral, fit_offsets, joined_corrections, kept_share
from mien.core import TaskCorrection

LABELS = ("neutral", "happiness", "surprise")


def logits_of(n: int, offset: list[float], seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 3, n)
    return 2.5 * np.eye(3)[targets] + rng.normal(0, noise, (n, 3)) - np.array(offset), targets


def accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == targets).mean())


def test_a_person_whose_smiles_are_missed_is_read_better() -> None:
    logits, targets = logits_of(20, [0.0, 3.0, 0.0], 0)
    found = fit_expression(logits, targets, LABELS)
    assert found is not None
    assert found.error_after < found.error_before
    new, truth = logits_of(600, [0.0, 3.0, 0.0], 1)
    bias = np.array([found.bias[label] for label in LABELS])
    assert accuracy(new / found.temperature + bias, truth) > accuracy(new, truth) + 0.1


def test_a_person_without_an_offset_keeps_what_they_have() -> None:
    changes = []
    for seed in range(20):
        logits, targets = logits_of(10, [0.0, 0.0, 0.0], seed)
        found = fit_expression(logits, targets, LABELS)
        new, truth = logits_of(400, [0.0, 0.0, 0.0], 1000 + seed)
        if found is not None:
            assert found.error_after <= found.error_before
            bias = np.array([found.bias[label] for label in LABELS])
            changes.append(accuracy(new / found.temperature + bias, truth) - accuracy(new, truth))
    assert np.mean([*changes, 0.0]) > -0.01


def test_offsets_are_shrunk_and_only_where_they_help() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, (10, 2))
    found = fit_offsets(values, values + np.array([0.4, 0.0]) + rng.normal(0, 0.1, (10, 2)), ("valence", "arousal"))
    assert found is not None
    assert 0.3 < found.bias["valence"] < 0.4 + 0.05
    assert abs(found.bias.get("arousal", 0.0)) < 0.06
    assert fit_offsets(values, np.full((10, 2), np.nan), ("valence", "arousal")) is None


def test_a_share_of_a_doubtful_correction_is_kept() -> None:
    before = np.array([1.0, 1.0, 1.0, 1.0])
    assert kept_share(before, before, 1.0) == 0
    assert kept_share(before, before + 0.1, 1.0) == 0
    clear = kept_share(before, [0.5, 0.4, 0.5, 0.4], 1.0)
    doubtful = kept_share(before, [0.1, 1.1, 0.2, 1.2], 1.0)
    assert 0.95 < clear < 1
    assert 0 <= doubtful < 0.7
    # Half of the bias of a clear gain would be lost where the gain is as large as sqrt(2) of its errors.
    gain = np.array([1 + np.sqrt(1.5), 1 - np.sqrt(1.5)] * 2)
    error = gain.std(ddof=1) / 2
    assert kept_share(gain, np.zeros(4), 1 / (error * np.sqrt(2))) == pytest.approx(0.5)


def test_neutral_faces_move_towards_the_level_of_all_people() -> None:
    rng = np.random.default_rng(0)
    levels = {"AU04": (-2.0, 1.0, 0.5), "AU12": (-3.0, 1.0, 0.5)}
    own = np.column_stack([rng.normal(-0.5, 0.5, 10), rng.normal(-3.0, 0.5, 10), np.full(10, 9.0)])
    found = fit_neutral(own, ("AU04", "AU12", "AU99"), levels, caution=1.0)
    assert found is not None
    assert found.bias["AU04"] == pytest.approx(-0.6 * 1.5, abs=0.2)
    assert abs(found.bias.get("AU12", 0.0)) < 0.3
    assert "AU99" not in found.bias
    assert fit_neutral(own, ("AU99",) * 3, levels, caution=1.0) is None


def test_more_spread_between_people_means_less_shrinkage() -> None:
    own = np.full((6, 1), 1.0)
    wide = fit_neutral(own, ("AU04",), {"AU04": (0.0, 1.0, 0.5)}, caution=1.0)
    tight = fit_neutral(own, ("AU04",), {"AU04": (0.0, 0.1, 0.5)}, caution=1.0)
    assert wide is not None
    assert tight is not None
    assert wide.bias["AU04"] < tight.bias["AU04"] < 0


def test_a_correction_of_every_label_keeps_its_temperature() -> None:
    whole = TaskCorrection(bias={"AU04": 1.0, "AU12": 2.0}, temperature=0.8, error_before=0.2, error_after=0.1)
    part = TaskCorrection(bias={"AU12": -1.0}, error_before=0.4, error_after=0.3)
    assert joined_corrections(whole, part) == whole
    both = joined_corrections(part, TaskCorrection(bias={"AU04": 3.0, "AU12": 9.0}, error_before=0.2, error_after=0.1))
    assert both is not None
    assert both.bias == {"AU04": 3.0, "AU12": -1.0}
    assert both.error_before == pytest.approx(0.3)


def test_more_caution_moves_less() -> None:
    own = np.random.default_rng(2).normal(0.7, 0.4, (8, 1))
    levels = {"valence": (0.0, 0.3, 0.4)}
    bold, careful = (fit_neutral(own, ("valence",), levels, caution=caution) for caution in (0.5, 6.0))
    assert bold is not None
    assert bold.bias["valence"] < 0
    assert careful is None or abs(careful.bias["valence"]) < abs(bold.bias["valence"])
