# SPDX-License-Identifier: Apache-2.0
"""The rate at which bytes hold packets."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from mien.media.damage.byte_clock import ByteClock


def packet(number: int, *, size: int = 100, stamped: bool = True) -> Any:
    time = number if stamped else None
    return SimpleNamespace(
        pos=number * size,
        size=size,
        dts=time,
        pts=time,
        duration=1,
        time_base=Fraction(1, 25),
        stream=SimpleNamespace(type="video"),
    )


@pytest.mark.parametrize("stamped", [True, False])
def test_seconds_per_byte_with_and_without_timestamps(stamped: bool) -> None:
    clock = ByteClock()
    for number in range(5000):
        clock.add(packet(number, stamped=stamped), number)
    assert len(clock.samples) <= 512
    assert clock.has_times is stamped
    assert clock.seconds_per_byte(0.04) == pytest.approx(0.04 / 100)
    assert clock.bytes_per_packet() == 100
    assert clock.n_bytes == 500_000
    assert clock.last(0.04) == pytest.approx(200, abs=0.05)


def test_a_large_beginning_does_not_count() -> None:
    clock = ByteClock()
    for number in range(100):
        clock.add(packet(number), number)
    clock.samples = [(end + 50_000, time, number) for end, time, number in clock.samples]
    assert clock.seconds_per_byte(0.04) == pytest.approx(0.04 / 100)


def test_packets_without_a_place_or_of_subtitles_are_no_samples() -> None:
    clock = ByteClock()
    lost = packet(3)
    lost.pos = None
    clock.add(lost, 3)
    text = packet(4)
    text.stream.type = "subtitle"
    clock.add(text, 4)
    assert clock.samples == []
    assert not clock.has_times
    assert clock.bytes_per_packet() == 0
    clock.add(packet(5), 5)
    clock.drop_last()
    assert clock.samples == []


def test_the_rate_is_the_one_that_told_later_packets_best() -> None:
    changed, wavering = ByteClock(), ByteClock()
    end = 0
    for number in range(400):
        # Larger packets from the 100th on: the latter half is the measure.
        each = packet(number, size=100)
        each.pos, each.size = end, 300 if number >= 100 else 100
        end += each.size
        changed.add(each, number)
    assert changed.seconds_per_byte(0.04) == pytest.approx(0.04 / 300)
    end = 0
    for number in range(400):
        # A rate control that makes up for large packets: all of them are the measure.
        each = packet(number, size=100)
        each.pos, each.size = end, 180 if number % 160 < 80 else 60
        end += each.size
        wavering.add(each, number)
    assert wavering.seconds_per_byte(0.04) == pytest.approx(0.04 / 120, rel=0.15)


@pytest.mark.parametrize("n_packets", [1, 2, 3, 39, 40])
def test_few_packets_have_a_rate(n_packets: int) -> None:
    clock = ByteClock()
    for number in range(n_packets):
        clock.add(packet(number), number)
    assert clock.seconds_per_byte(0.04) == pytest.approx(0.04 / 100 if n_packets > 1 else 0.0)
    assert clock.range_of_rates(0.04) == pytest.approx((1, 1))
