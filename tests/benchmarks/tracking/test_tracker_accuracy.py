# SPDX-License-Identifier: Apache-2.0
"""Metrics of several clips are computed from their summed counts."""

from benchmarks.page import table
from benchmarks.tracking.tracker_accuracy import pooled_row


def test_metrics_of_several_clips_come_from_their_sums() -> None:
    one = {"name": "a", "n": 10, "tracks": 1, "given": 1, "switches": 1, "missed": 2, "false": 1, "mota": 0.6}
    one |= {"idf1": 0.5, "idtp": 5, "idfp": 4, "idfn": 6}
    other = one | {"n": 30, "switches": 0, "missed": 0, "false": 0, "idtp": 30, "idfp": 0, "idfn": 0}
    *_, line = table(["scene"], [pooled_row("both", [one, other])])
    assert line == f"| both | 40 | 2 | 2 | 1 | 2 | 1 | {1 - 4 / 40:.3f} | {70 / (70 + 4 + 6):.3f} |"
