# SPDX-License-Identifier: Apache-2.0
"""Iterators over threads and batches: `prefetch`, `batched` and `map_in_order`."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL_S = 0.1


def prefetch(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """Yield ``items`` in order while a thread prepares at most ``depth`` of them in advance.

    An exception of the source is raised at its place in the order. Closing the generator stops the thread and closes
    the source, even in the middle.

    Args:
        items: Source of items, consumed in the thread.
        depth: Maximum number of prepared items, at least 1.

    Examples:
        >>> list(prefetch(range(4), depth=2))
        [0, 1, 2, 3]
    """
    waiting: queue.Queue[tuple[Item | None, BaseException | None, bool]] = queue.Queue(depth)
    stopped = threading.Event()

    def offer(entry: tuple[Item | None, BaseException | None, bool]) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        source = iter(items)
        try:
            for item in source:
                if not offer((item, None, False)):
                    return
            offer((None, None, True))
        except BaseException as error:  # noqa: BLE001 - raised again in the consuming thread
            offer((None, error, True))
        finally:
            if isinstance(source, Generator):
                source.close()

    thread = threading.Thread(target=work, name="mien-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = waiting.get()
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]  # an item is None only where Item allows it
    finally:
        stopped.set()
        thread.join()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of up to ``size`` items; the items before an error of ``items`` are yielded before the error.

    Examples:
        >>> list(batched("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    batch: list[Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def map_in_order(
    items: Iterable[Item], work: Callable[[Item], Result], n_workers: int
) -> Generator[Result, None, None]:
    """Yield ``work(item)`` for each item, in order, while up to ``n_workers`` threads process the next ones.

    The results before an error of the items or of the work are yielded before the error.

    Args:
        items: Source of items, consumed in the calling thread.
        work: Function of one item; it must be thread-safe.
        n_workers: Number of threads, at least 1.

    Examples:
        >>> list(map_in_order(["a", "bb", "ccc"], len, n_workers=2))
        [1, 2, 3]
    """
    source = iter(items)
    with ThreadPoolExecutor(n_workers, thread_name_prefix="mien-map") as pool:
        pending: deque[Future[Result]] = deque()
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception:
                    yield from _results(pending)
                    raise
                pending.append(pool.submit(work, item))
                if len(pending) == n_workers:
                    yield pending.popleft().result()
            yield from _results(pending)
        finally:
            for future in pending:
                future.cancel()


def _results(pending: deque[Future[Result]]) -> Iterator[Result]:
    while pending:
        yield pending.popleft().result()
