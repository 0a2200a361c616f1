# SPDX-License-Identifier: Apache-2.0
"""OpenCV in the calling thread only, while several threads of an analyzer share the cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_n_inside = 0
_n_threads = 0


@contextmanager
def opencv_on_one_thread() -> Iterator[None]:
    """Let OpenCV work in the calling thread only, in the whole process, until the last user has left.

    Its worker threads wait for the next small image by spinning, which takes cores from the networks.

    Examples:
        >>> before = cv2.getNumThreads()
        >>> with opencv_on_one_thread():
        ...     inside = cv2.getNumThreads()
        >>> inside, cv2.getNumThreads() == before
        (1, True)
    """
    global _n_inside, _n_threads
    with _lock:
        if not _n_inside:
            _n_threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if not _n_inside:
                cv2.setNumThreads(_n_threads)
