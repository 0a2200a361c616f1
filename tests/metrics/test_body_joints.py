# SPDX-License-Identifier: Apache-2.0
"""PCP and MPJPE against values computed by hand."""

import math

import numpy as np
import pytest

from mien.core import ConfigError
from mien.metrics import correct_parts, joint_distances, mpjpe, pcp

# Three joints in a row, 10 and 4 apart.
TRUTH = np.array([[[0.0, 0.0], [10.0, 0.0], [14.0, 0.0]]])
LIMBS = ((0, 1), (1, 2))


def test_mpjpe_is_the_mean_of_euclidean_distances() -> None:
    found = TRUTH + np.array([[[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]]])
    np.testing.assert_allclose(joint_distances(found, TRUTH), [[5.0, 1.0, 0.0]], atol=1e-12)
    assert mpjpe(found, TRUTH) == pytest.approx(2.0, abs=1e-12)


def test_mpjpe_of_places_in_space() -> None:
    found = np.zeros((2, 1, 3))
    truth = np.array([[[1.0, 2.0, 2.0]], [[0.0, 0.0, 0.0]]])
    assert mpjpe(found, truth) == pytest.approx(1.5, abs=1e-12)


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([0.0, 0.0, 0.0], [True, True]),
        ([5.0, 0.0, 0.0], [True, True]),  # exactly half of 10
        ([5.01, 0.0, 0.0], [False, True]),
        ([0.0, 2.0, 0.0], [True, True]),  # half of the short limb, which shares the joint
        ([0.0, 2.01, 0.0], [True, False]),
        ([0.0, 0.0, 2.01], [True, False]),
        ([6.0, 0.0, 3.0], [False, False]),
    ],
)
def test_a_part_needs_both_ends_within_half_its_true_length(offsets: list[float], expected: list[bool]) -> None:
    found = TRUTH.copy()
    found[0, :, 1] += offsets
    assert correct_parts(found, TRUTH, LIMBS).tolist() == [expected]
    assert pcp(found, TRUTH, LIMBS) == pytest.approx(np.mean(expected))


def test_the_mean_of_both_ends_is_not_enough() -> None:
    found = TRUTH.copy()
    found[0, 0, 1] += 8.0  # the loose form would take the mean, 4
    assert correct_parts(found, TRUTH, LIMBS[:1]).tolist() == [[False]]


def test_another_share() -> None:
    found = TRUTH.copy()
    found[0, 0, 1] += 2.5
    assert pcp(found, TRUTH, LIMBS[:1], share=0.2) == 0.0
    assert pcp(found, TRUTH, LIMBS[:1], share=0.25) == 1.0


def test_pcp_is_the_mean_over_rows_and_limbs() -> None:
    truth = np.repeat(TRUTH, 4, axis=0)
    found = truth.copy()
    found[0] += 100
    found[1, 2] += 3
    assert pcp(found, truth, LIMBS) == pytest.approx(5 / 8)


@pytest.mark.parametrize(
    ("found", "limbs", "message"),
    [
        (TRUTH[0], LIMBS, r"must be \(N, J, D\)"),
        (TRUTH[:0], LIMBS, "at least one row"),
        (TRUTH[:, :2], LIMBS, "one shape"),
        (np.full_like(TRUTH, math.nan), LIMBS, "finite"),
        (TRUTH, [(0, 3)], "from 0 to 2"),
        (TRUTH, [], "pairs of joint numbers"),
    ],
)
def test_refusals(found: np.ndarray, limbs: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pcp(found, TRUTH, limbs)


def test_a_share_is_positive() -> None:
    with pytest.raises(ConfigError, match="share must be positive"):
        pcp(TRUTH, TRUTH, LIMBS, share=0.0)
