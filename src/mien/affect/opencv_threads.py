# SPDX-License-Identifier: Apache-2.0
"""OpenCV's own threads, kept out of the way while stages overlap."""

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
    """Have OpenCV work in the thread that calls it, in the whole process, until the last one has left.

    Its helpers wait for the next small picture by spinning, and take the cores from the nets meanwhile.
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
