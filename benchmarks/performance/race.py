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

from benchmarks.machine import relative_spread, user_environment
from mien.inference import process_memory

_SCRIPTS = Path(__file__).resolve().parent / "contestants"


@dataclass(frozen=True)
class Contestant:
    """A program that processes a clip.

    Attributes:
        name: label in the table.
        command: interpreter, script and arguments; the clip is added at the end.
        n_frames: number of frames per pass, from the beginning of the clip.
        absent: why it cannot be measured here; empty where it can.
    """

    name: str
    command: tuple[str, ...] = ()
    n_frames: int = 1_000_000
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Measured speed of a contestant.

    Attributes:
        name: of the contestant.
        n_frames: number of frames per pass.
        faces_per_frame: mean number of faces found.
        fps: frames per second, median over the passes; None where it was not measured.
        spread: (slowest - fastest) / median of the seconds per pass.
        cpu_ms: CPU milliseconds per frame, all threads together.
        peak_mb: peak memory of its process in 10^6 bytes; None where the system does not report it.
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
    """Measure every contestant on a clip; each has one pass per round, so that other load slows all alike."""
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
                process.measure_pass()
        paces |= {process.contestant.name: process.pace() for process in able}
    finally:
        for process in running:
            process.close()
    return [paces[contestant.name] for contestant in contestants]


def own_command(script: str, *arguments: object) -> tuple[str, ...]:
    """A command that runs a contestant's script with this interpreter."""
    return foreign_command(Path(sys.executable), script, *arguments)


def foreign_command(python: Path, script: str, *arguments: object) -> tuple[str, ...]:
    """A command that runs a contestant's script with the interpreter of another environment."""
    return (str(python), str(_SCRIPTS / script), *map(str, arguments))


class _Process:
    """The process of a contestant; see ``contestants/clip_worker.py`` for the protocol."""

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
            env=user_environment(),
        )

    def wait_until_ready(self) -> str:
        """Wait for the first answer; the reason why there is none, or an empty string."""
        return "" if self._answer() is not None else "not measured: its script ended with an error"

    def measure_pass(self) -> None:
        """Run one measured pass."""
        if self._process.stdin is None:
            raise RuntimeError("the process has no standard input")
        self._process.stdin.write(f"{self.contestant.n_frames}\n")
        self._process.stdin.flush()
        answer = self._answer()
        if answer is None:
            raise SystemExit(
                f"{self.contestant.name}: ended during the benchmark; run {' '.join(self.contestant.command)}"
            )
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
            spread=round(relative_spread(seconds), 2),
            cpu_ms=round(1000 * statistics.median(answer["cpu_s"] for answer in self._answers) / n_frames, 2),
            peak_mb=None if self._peak_mb is None else round(self._peak_mb),
        )

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any] | None:
        """The next answer of the process; None where it has ended."""
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer
