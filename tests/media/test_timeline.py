# SPDX-License-Identifier: Apache-2.0
"""Indices, times and losses from streams of timestamps."""

from fractions import Fraction

import pytest

from mien.core import FrameGap
from mien.media.timeline import Place, Timeline


def timeline(**options: bool) -> Timeline:
    """One timestamp unit is a frame of 0.04 s."""
    settings = {"ordered": True, "all_shown": True} | options
    return Timeline(time_base_s=Fraction(1, 25), start_pts=0, step_s=0.04, **settings)


def run(line: Timeline, sent: list[int | None], shown: list[int | None]) -> list[tuple[int, float]]:
    for pts in sent:
        line.packet_sent(pts)
    places = [line.place(pts) for pts in shown]
    return [(place.index, round(place.time_s, 6)) for place in places if place is not None]


def test_reordered_packets_give_frames_in_order() -> None:
    line = timeline()
    assert run(line, [0, 4, 2, 1, 3], [0, 1, 2, 3, 4]) == [(i, i * 0.04) for i in range(5)]
    line.finish(0, 0.2)
    assert line.n_lost == 0
    assert line.messages == ()


def test_a_lost_frame_leaves_its_number_free() -> None:
    line = timeline()
    assert run(line, [0, 4, 2, 1, 3], [0, 2, 4]) == [(0, 0.0), (2, 0.08), (4, 0.16)]
    line.finish(0, None)
    assert line.n_lost == 2
    assert len(line.messages) == 2
    assert "1 frame could not be decoded" in line.messages[0]


def test_frames_lost_at_the_end_are_counted_once() -> None:
    line = timeline()
    run(line, [0, 1, 2, 3, 4], [0, 2])
    line.finish(3, None)
    assert line.n_lost == 1 + 2 + 3


def test_a_frame_out_of_order_is_left_out() -> None:
    line = timeline()
    assert run(line, [0, 1, 2], [0, 2, 1]) == [(0, 0.0), (2, 0.08)]
    line.finish(0, None)
    assert line.n_lost == 1
    assert any("out of order" in message for message in line.messages)


def test_a_discarded_frame_is_lost() -> None:
    line = timeline()
    run(line, [0, 1], [0, 1])
    line.discard_last("its data are corrupt")
    line.finish(0, None)
    assert line.n_lost == 1


def test_time_starts_at_the_start_of_the_stream() -> None:
    line = Timeline(time_base_s=Fraction(1, 1000), start_pts=None, step_s=0.04, ordered=True, all_shown=True)
    assert run(line, [500, 540, 700], [500, 540, 700]) == [(0, 0.0), (1, 0.04), (2, 0.2)]
    assert line.start_s == 0.5


def test_missing_timestamps_go_on_by_the_usual_step() -> None:
    line = timeline()
    assert run(line, [None, None, None], [None, None, None]) == [(0, 0.0), (1, 0.04), (2, 0.08)]
    line.finish(0, None)
    assert line.n_lost == 0
    assert line.messages == ("3 frames had no usable timestamp: times there are estimated",)


def test_stamps_in_decoding_order_keep_time_rising_and_lose_nothing() -> None:
    line = timeline(ordered=False)
    places = run(line, [0, 1, 2, 3, 4, 5], [0, 2, 3, 1, 5, 4])
    times = [time_s for _, time_s in places]
    assert [index for index, _ in places] == list(range(6))
    assert times == sorted(set(times))
    line.finish(0, None)
    assert line.n_lost == 0


def test_without_order_losses_are_known_by_number() -> None:
    line = timeline(ordered=False)
    run(line, [0, 1, 2, 3], [0, 1, 3])
    line.packet_failed(2)
    line.finish(0, None)
    assert line.n_lost == 1


def test_packets_that_are_never_shown_are_not_lost() -> None:
    line = timeline(all_shown=False)
    assert [index for index, _ in run(line, [0, 1, 2, 3], [0, 1, 3])] == [0, 1, 2]
    line.finish(0, None)
    assert line.n_lost == 0


def test_a_clock_set_back_far_is_bridged_for_good() -> None:
    line = timeline()
    run(line, list(range(100, 103)), [100, 101, 102])
    assert run(line, [0, 1, 2], [0, 1, 2]) == [(3, 4.12), (4, 4.16), (5, 4.2)]
    assert any("set back" in message for message in line.messages)


def test_one_damaged_timestamp_does_not_set_the_clock_back() -> None:
    line = timeline()
    run(line, list(range(100)), list(range(100)))
    line.packet_sent(3, damaged=True)
    line.packet_sent(101)
    assert line.place(3) == Place(100, 4.0)
    place = line.place(101)
    assert place is not None
    assert (place.index, round(place.time_s, 6)) == (101, 4.04)
    assert not any("set back" in message for message in line.messages)


@pytest.mark.parametrize(("n_vanished", "damaged"), [(0, False), (20, True)])
def test_a_step_in_time_is_a_loss_only_where_bytes_are_damaged(n_vanished: int, damaged: bool) -> None:
    line = timeline()
    run(line, list(range(30)), list(range(30)))
    line.packet_sent(50, damaged=damaged)
    place = line.place(50)
    assert place is not None
    assert (place.index, line.n_lost) == (30 + n_vanished, n_vanished)
    assert line.gaps == ((FrameGap(pytest.approx(1.2), pytest.approx(2.0), 20),) if damaged else ())


@pytest.mark.parametrize(("gap", "said"), [(3, False), (30, True)])
def test_a_pause_in_a_steady_stream_is_said(gap: int, said: bool) -> None:
    line = timeline()
    stamps = [*range(20), 19 + gap]
    run(line, list(stamps), list(stamps))
    assert any("no frame for" in message for message in line.messages) is said
    assert line.n_lost == 0


@pytest.mark.parametrize(("duration_s", "said"), [(0.4, False), (None, False), (0.5, False), (2.0, True)])
def test_ending_long_before_the_declared_end_is_said(duration_s: float | None, said: bool) -> None:
    line = timeline()
    run(line, list(range(10)), list(range(10)))
    line.finish(0, duration_s)
    assert any("cut off" in message for message in line.messages) is said


def test_messages_are_capped_but_counted() -> None:
    line = timeline()
    for _ in range(25):
        line.note("trouble")
    assert len(line.messages) == 21
    assert line.messages[-1] == "and 5 more"
