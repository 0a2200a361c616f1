# SPDX-License-Identifier: Apache-2.0
"""Order, errors and limits of the streams over threads."""

import threading
from collections.abc import Iterator

import pytest

from mien.jobs import batched, map_in_order, prefetch


def test_order_is_kept() -> None:
    assert list(prefetch(range(100), 3)) == list(range(100))


def test_none_is_an_item_too() -> None:
    assert list(prefetch([None, 1, None], 2)) == [None, 1, None]


def test_an_error_comes_out_at_its_place() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    stream = prefetch(source(), 4)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_no_more_than_depth_items_wait() -> None:
    n_made = 0
    enough = threading.Event()

    def source() -> Iterator[int]:
        nonlocal n_made
        for n_made in range(1, 50):
            if n_made == 6:
                enough.set()
            yield n_made

    stream = prefetch(source(), 4)
    assert next(stream) == 1
    assert enough.wait(5)  # one consumed, four in the queue, one held by the thread
    enough.wait(0.2)
    assert n_made == 6
    stream.close()


def test_closing_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    before = threading.active_count()
    stream = prefetch(source(), 2)
    assert next(stream) == 0
    stream.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_work_is_spread_and_stays_in_order() -> None:
    together = threading.Barrier(3, timeout=5)

    def work(item: int) -> int:
        together.wait()  # three of them at a time, or never
        return item * item

    assert list(map_in_order(range(9), work, 3)) == [item * item for item in range(9)]


def test_one_worker_takes_an_item_when_the_last_was_given_out() -> None:
    asked: list[int] = []

    def source() -> Iterator[int]:
        for item in range(3):
            asked.append(item)
            yield item

    stream = map_in_order(source(), str, 1)
    assert next(stream) == "0"
    assert asked == [0]
    stream.close()


def test_results_before_an_error_of_the_items_are_yielded() -> None:
    def source() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("broken")

    stream = map_in_order(source(), str, 4)
    assert [next(stream), next(stream)] == ["1", "2"]
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_an_error_of_the_work_ends_the_stream_at_its_place() -> None:
    stream = map_in_order([2, 1, 0, 4], lambda item: 4 // item, 4)
    assert [next(stream), next(stream)] == [2, 4]
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert list(stream) == []


def test_batches_are_full_but_the_last() -> None:
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched(range(6), 3)) == [[0, 1, 2], [3, 4, 5]]
    assert list(batched([], 3)) == []


def test_a_batch_before_an_error_is_yielded() -> None:
    def source() -> Iterator[int]:
        yield from range(4)
        raise ValueError("broken")

    stream = batched(source(), 3)
    assert [next(stream), next(stream)] == [[0, 1, 2], [3]]
    with pytest.raises(ValueError, match="broken"):
        next(stream)
