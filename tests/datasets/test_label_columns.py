# SPDX-License-Identifier: Apache-2.0
import numpy as np

from mien.datasets import majority, plurality


def test_the_expression_with_most_votes_wins_and_other_columns_are_unknown() -> None:
    votes = np.array([[3, 3, 0, 0, 0, 0, 0, 0, 0, 4], [0, 4, 4, 2, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 10, 0, 0]])
    assert plurality(votes).tolist() == [-1, 1, 7]


def test_a_majority_is_more_than_half_of_what_single_votes_leave() -> None:
    votes = np.zeros((4, 10), np.int64)
    votes[0, [0, 1, 2]] = 6, 3, 1  # 6 of 9
    votes[1, [0, 1]] = 5, 5
    votes[2, [0, 1, 2, 3]] = 4, 2, 2, 2  # 4 of 10
    votes[3, [8, 0]] = 7, 3
    assert majority(votes).tolist() == [0, -1, -1, -1]
