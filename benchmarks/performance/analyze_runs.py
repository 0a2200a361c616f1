# SPDX-License-Identifier: Apache-2.0
"""Runs of `mien analyze` as a shell starts it: cold start of a single photo, and memory over a long video."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import user_environment
from mien.inference import process_memory
from mien.media import open_video
from mien.results import read_table

_MIEN = (sys.executable, "-P", "-m", "mien")
_N_STARTS = 5
_SAMPLE_S = 0.5
_N_POINTS = 13  # of the curve; each has a tick label


@dataclass(frozen=True, kw_only=True)
class Start:
    """Time of a command in a new process, from its start to its end.

    Attributes:
        name: label in the table.
        seconds: median over the runs.
        fastest: seconds of the fastest run.
        slowest: seconds of the slowest run.
        cpu_s: median CPU seconds.
        n_faces: number of rows with a face in the table that it writes; 0 where it writes none.
    """

    name: str
    seconds: float
    fastest: float
    slowest: float
    cpu_s: float
    n_faces: int = 0


@dataclass(frozen=True, kw_only=True)
class LongRun:
    """Memory of one process over a long video.

    Attributes:
        minutes: length of the video.
        n_frames: number of frames analysed.
        seconds: duration of the run.
        at_minutes: N evenly spaced times in the video, as if progress were even over the run.
        resident_mb: N values, the maximum within the interval that ends at each time.
        peak_mb: maximum over the run.
    """

    minutes: float
    n_frames: int
    seconds: float
    at_minutes: tuple[float, ...]
    resident_mb: tuple[float, ...]
    peak_mb: float


def measure_starts(photos: dict[str, Path]) -> list[Start]:
    """Time `mien --version`, the import and the analysis of each photo, in turns; the first round does not count.

    Args:
        photos: label -> image file.
    """
    with tempfile.TemporaryDirectory() as folder:
        tables = {name: Path(folder) / f"{number}.parquet" for number, name in enumerate(photos)}
        commands = {"import mien": (sys.executable, "-P", "-c", "import mien"), "mien --version": (*_MIEN, "--version")}
        commands |= {
            name: (*_MIEN, "analyze", str(photo), "--out", str(tables[name])) for name, photo in photos.items()
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(1 + _N_STARTS):
            for name, command in commands.items():
                times[name].append(_timed(command))
        return [
            _start(name, found[1:], sum(read_table(tables[name])["success"].to_pylist()) if name in tables else 0)
            for name, found in times.items()
        ]


def measure_long_run(clip: Path) -> LongRun:
    """Analyse a long video in a process of its own, and sample the memory of that process.

    Raises:
        SystemExit: the command fails, or the system does not report the memory of processes.
    """
    with open_video(clip) as video:
        minutes = (video.info.duration_s or 0) / 60
    samples: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.parquet"
        started, peak_mb = time.monotonic(), 0.0
        process = subprocess.Popen(
            (*_MIEN, "analyze", str(clip), "--out", str(table)), env=user_environment(), stderr=subprocess.DEVNULL
        )
        try:
            while process.poll() is None:
                memory = process_memory(process.pid)
                if memory is not None:
                    samples.append((time.monotonic() - started, memory.resident_mb))
                    peak_mb = memory.peak_mb
                time.sleep(_SAMPLE_S)
        finally:
            process.kill()
            process.wait()
        seconds = time.monotonic() - started
        if process.returncode != 0 or not samples:
            raise SystemExit(f"mien analyze {clip} ended with {process.returncode} and {len(samples)} samples")
        n_frames = read_table(table).num_rows
    curve = interval_maxima(samples, seconds)
    return LongRun(
        minutes=round(minutes, 1),
        n_frames=n_frames,
        seconds=round(seconds, 1),
        at_minutes=tuple(round(minutes * (number + 1) / _N_POINTS, 1) for number in range(_N_POINTS)),
        resident_mb=tuple(round(value, 1) for value in curve),
        peak_mb=round(peak_mb, 1),
    )


def interval_maxima(samples: list[tuple[float, float]], end: float) -> list[float]:
    """The largest value within each of the curve's equal intervals of [0, end]; the previous one's where it has none.

    Args:
        samples: (time, value), at least one.
        end: end of the last interval.
    """
    largest: list[float] = []
    for number in range(_N_POINTS):
        low, high = end * number / _N_POINTS, end * (number + 1) / _N_POINTS
        within = [value for at, value in samples if low <= at < high or at == end == high]
        largest.append(max(within) if within else (largest or [samples[0][1]])[-1])
    return largest


def _timed(command: tuple[str, ...]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a process, from its start to its end."""
    started = time.perf_counter()
    cpu_before = _children_s()
    subprocess.run(command, check=True, capture_output=True, env=user_environment())
    return time.perf_counter() - started, _children_s() - cpu_before


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _start(name: str, times: list[tuple[float, float]], n_faces: int) -> Start:
    walls = [wall for wall, _ in times]
    return Start(
        name=name,
        seconds=round(statistics.median(walls), 3),
        fastest=round(min(walls), 3),
        slowest=round(max(walls), 3),
        cpu_s=round(statistics.median(cpu for _, cpu in times), 2),
        n_faces=n_faces,
    )
