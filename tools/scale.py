# SPDX-License-Identifier: Apache-2.0
"""What an evaluation of millions of rows and smoothing of a million rows cost here; ``make scale`` runs it.

CPU seconds and the highest memory of the process so far, on made-up data; the figures in docs/measures.md are from it.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from mien.affect import Smoothing, smooth_tracks
from mien.evaluation import PredictionFile, challenges

_ROWS_A_VIDEO = 10_000
_N_CLASSES = 8
_FILTERS = (("mean", 50), ("gaussian", 50), ("median", 5), ("median", 50))
_LOST = 0.02


def write_va_tree(folder: Path, n_videos: int, rows_a_video: int = _ROWS_A_VIDEO) -> Path:
    """Write annotations of valence and arousal, and noisy answers to every frame.

    Returns:
        The file of answers, inside the folder.
    """
    rng = np.random.default_rng(0)
    place = folder / "VA_Estimation_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    answers = folder / "answers.txt"
    with answers.open("w") as out:
        out.write("image_location,valence,arousal\n")
        for video in range(n_videos):
            truth = rng.uniform(-1, 1, (rows_a_video, 2)).round(3)
            rows = "".join(f"{valence},{arousal}\n" for valence, arousal in truth)
            (place / f"v{video}.txt").write_text(f"valence,arousal\n{rows}")
            guess = np.clip(truth + rng.normal(0, 0.3, truth.shape), -1, 1).round(4)
            out.writelines(f"v{video}/{i:05d}.jpg,{v},{a}\n" for i, (v, a) in enumerate(guess, start=1))
    return answers


def smooth_rows(kernel: str, half_width: int, n_rows: int) -> int:
    """Smooth tracks of 10,000 frames with some lost ones, 8 columns.

    Returns:
        How many rows had a face.
    """
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(rng.random(n_rows) >= _LOST)
    values = rng.random((len(rows), _N_CLASSES))
    settings = Smoothing(expr=half_width, kernel=kernel)
    return len(smooth_tracks(rows // _ROWS_A_VIDEO, rows % _ROWS_A_VIDEO, values, half_width, settings))


def main(n_videos: int = 290, n_rows: int = 1_000_000) -> None:
    """Measure and print one line for each."""
    with tempfile.TemporaryDirectory() as folder:
        answers = write_va_tree(Path(folder), n_videos)
        measure("evaluate va", lambda: challenges.evaluate_va(Path(folder), PredictionFile(answers)).n_rows)
    for kernel, half_width in _FILTERS:
        measure(f"smooth {kernel} {half_width}", partial(smooth_rows, kernel, half_width, n_rows))


def measure(name: str, work: Callable[[], int]) -> None:
    """Run some work that tells how many rows it saw, and print its line."""
    before = time.process_time()
    n_rows = work()
    cpu_s = time.process_time() - before
    # Linux counts kilobytes, macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"{name}: {n_rows} rows, {cpu_s:.1f} s CPU, peak so far {peak / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
