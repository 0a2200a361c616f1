# SPDX-License-Identifier: Apache-2.0
"""The memory curve has the maximum of each interval."""

from benchmarks.performance.analyze_runs import interval_maxima


def test_the_curve_has_the_maximum_of_each_interval() -> None:
    samples = [(0.0, 10.0), (1.0, 30.0), (6.5, 20.0), (13.0, 5.0)]
    assert interval_maxima(samples, 13.0) == [10, 30, 30, 30, 30, 30, 20, 20, 20, 20, 20, 20, 5]
