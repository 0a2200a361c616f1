# SPDX-License-Identifier: Apache-2.0
"""Targets are met, missed, or not measured."""

from typing import Any

from benchmarks.performance.targets import targets
from tests.helpers.measured_parts import parts


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {target.goal: target.verdict for target in targets(found)}


def test_targets_are_met_missed_or_unmeasured() -> None:
    found = verdicts(parts())
    assert found["one face at 640 x 360: 3.3 times as fast as MediaPipe's landmarker"] == "met"
    assert found["stretch: 50% of the rate of decoding"] == "**missed**"
    assert found["1920 x 1080: 60 frames/s"] == "not measured"
    assert found["`mien analyze photo.jpg` from a cold start: 1 s (1 face)"] == "**missed**"
    assert found["memory of a long run: under 400 MB"] == "met"
    assert found["and flat: the last quarter within 5% of the second"] == "**missed**"  # 215 of 200


def test_a_peer_that_is_not_there_leaves_its_target_open() -> None:
    goal = "one face at 640 x 360: 3.3 times as fast as MediaPipe's landmarker"
    assert verdicts(parts(peer=None))[goal] == "not measured"
    assert verdicts(parts(own=200.0))[goal] == "**missed**"
