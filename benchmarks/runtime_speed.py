# SPDX-License-Identifier: Apache-2.0
"""Speed of an ONNX graph under every installed runtime."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.machine import relative_spread
from mien.core import MissingExtraError
from mien.inference import RUNTIMES, Session, create_session

logger = logging.getLogger(__name__)

BATCHES = (1, 16)

_REPEATS = 7
_SECONDS_A_REPEAT = 0.15


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Time per face of one way to run a graph.

    Attributes:
        runtime: name in `mien.inference.RUNTIMES`.
        batch: number of faces per call.
        ms: milliseconds per face, median of the repetitions.
        spread: (slowest - fastest) / median of the repetitions.
    """

    runtime: str
    batch: int
    ms: float
    spread: float


def measure_speeds(graph: Path, crops: npt.NDArray[np.uint8], threads: int) -> tuple[Speed, ...]:
    """Milliseconds per face with every installed runtime; they take turns, so that other load slows all alike.

    Args:
        graph: ONNX file that takes crops (N, S, S, C).
        crops: as many as the largest of `BATCHES`.
        threads: number of intra-op threads of each runtime.
    """
    works: list[tuple[str, int, Callable[[], float]]] = []
    for runtime in RUNTIMES:
        try:
            session = create_session(graph, runtime=runtime, threads=threads)
        except MissingExtraError as error:
            logger.info("%s is not measured: %s", runtime, error)
            continue
        works += [(runtime, batch, _stopwatch(session, crops[:batch])) for batch in BATCHES]
    times: list[list[float]] = [[] for _ in works]
    for _ in range(_REPEATS):
        for (_, _, work), found in zip(works, times, strict=True):
            found.append(work())
    return tuple(
        Speed(
            runtime=runtime,
            batch=batch,
            ms=round(1000 * statistics.median(found) / batch, 3),
            spread=round(relative_spread(found), 2),
        )
        for (runtime, batch, _), found in zip(works, times, strict=True)
    )


def random_crops(size_px: int, n_channels: int) -> npt.NDArray[np.uint8]:
    """(N, S, S, C) random pixels, as many crops as the largest batch."""
    shape = (max(BATCHES), size_px, size_px, n_channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _stopwatch(session: Session, crops: npt.NDArray[np.uint8]) -> Callable[[], float]:
    """A function that returns seconds per call, the mean over as many calls as fill a repetition."""
    inputs = {session.input_names[0]: crops}
    session.run(inputs)  # the first call allocates
    started = time.perf_counter()
    session.run(inputs)
    n_calls = max(1, round(_SECONDS_A_REPEAT / (time.perf_counter() - started)))

    def seconds() -> float:
        started = time.perf_counter()
        for _ in range(n_calls):
            session.run(inputs)
        return (time.perf_counter() - started) / n_calls

    return seconds
