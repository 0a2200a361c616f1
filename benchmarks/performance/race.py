# SPDX-License-Identifier: Apache-2.0
"""Contestants side by side: each in a process of its own with its models loaded; they take turns on the same clip."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.inference import process_memory

_TOOLS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Contestant:
    """Something that reads a clip.

    Attributes:
        name: for the table.
        command: an interpreter, a script of this folder and its arguments; the clip is added.
        n_frames: frames a pass, from the beginning of the clip.
        absent: why it cannot be measured here; empty where it can.
    """

    name: str
    command: tuple[str, ...] = ()
    n_frames: int = 1_000_000
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a contestant did.

    Attributes:
        name: of the contestant.
        n_frames: frames a pass.
        faces_per_frame: mean.
        fps: frames a second, median over the passes; None where it was not measured.
        spread: (slowest - fastest) / median of the seconds a pass.
        cpu_ms: CPU milliseconds a frame, all threads together.
        peak_mb: most memory of its process, 10^6 bytes; None where the system does not tell.
        remark: why it was not measured.
    """

    name: str
    n_frames: int = 0
    faces_per_frame: float = 0.0
    fps: float | None = None
    spread: float = 0.0
    cpu_ms: float = 0.0
    peak_mb: float | None = None
    remark: str = ""


def race(contestants: Sequence[Contestant], clip: Path, rounds: int) -> list[Pace]:
    """Every contestant's pace on a clip; in each round each has one pass, so that a busy machine slows all alike."""
    paces: dict[str, Pace] = {}
    running: list[_Process] = []
    try:
        for contestant in contestants:
            if contestant.absent:
                paces[contestant.name] = Pace(name=contestant.name, remark=contestant.absent)
                continue
            process = _Process(contestant, clip)
            running.append(process)
            if reason := process.wait_until_ready():
                paces[contestant.name] = Pace(name=contestant.name, remark=reason)
        able = [process for process in running if process.contestant.name not in paces]
        for _ in range(rounds):
            for process in able:
                process.look()
        paces |= {process.contestant.name: process.pace() for process in able}
    finally:
        for process in running:
            process.close()
    return [paces[contestant.name] for contestant in contestants]


def environment() -> dict[str, str]:
    """Of the processes that are measured: threads are left to the libraries, as a user has it."""
    return {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}


def own(script: str, *arguments: object) -> tuple[str, ...]:
    """A command that runs a script of this folder in this environment."""
    return foreign(Path(sys.executable), script, *arguments)


def foreign(python: Path, script: str, *arguments: object) -> tuple[str, ...]:
    """The same in another environment."""
    return (str(python), str(_TOOLS / script), *map(str, arguments))


class _Process:
    """A contestant at work; see ``perf_worker.py``."""

    def __init__(self, contestant: Contestant, clip: Path) -> None:
        self.contestant = contestant
        self._answers: list[dict[str, Any]] = []
        self._peak_mb: float | None = None
        self._process = subprocess.Popen(
            [*contestant.command, os.fspath(clip)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
        )

    def wait_until_ready(self) -> str:
        """Why it is not; empty where it is."""
        return "" if self._answer() is not None else "not measured: its script ended with an error"

    def look(self) -> None:
        """One measured pass."""
        if self._process.stdin is None:
            raise RuntimeError("a contestant is asked by its standard input")
        self._process.stdin.write(f"{self.contestant.n_frames}\n")
        self._process.stdin.flush()
        answer = self._answer()
        if answer is None:
            raise SystemExit(f"{self.contestant.name}: ended in the middle; run {' '.join(self.contestant.command)}")
        self._answers.append(answer)
        memory = process_memory(self._process.pid)
        self._peak_mb = None if memory is None else memory.peak_mb

    def pace(self) -> Pace:
        """Medians over the passes."""
        seconds = [answer["seconds"] for answer in self._answers]
        middle, n_frames = statistics.median(seconds), self._answers[0]["n_frames"]
        return Pace(
            name=self.contestant.name,
            n_frames=n_frames,
            faces_per_frame=round(self._answers[0]["n_faces"] / n_frames, 2),
            fps=round(n_frames / middle, 1),
            spread=round((max(seconds) - min(seconds)) / middle, 2),
            cpu_ms=round(1000 * statistics.median(answer["cpu_s"] for answer in self._answers) / n_frames, 2),
            peak_mb=None if self._peak_mb is None else round(self._peak_mb),
        )

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any] | None:
        """The next line that it says; None where it has ended."""
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer
