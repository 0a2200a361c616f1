# SPDX-License-Identifier: Apache-2.0
"""CPU time and memory of evaluating 2.9 million rows and of smoothing a million rows."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.machine import measure
from mien.affect import Smoothing, smooth_tracks
from mien.evaluation import PredictionFile
from mien.evaluation.protocols import challenges

_ROWS_A_VIDEO = 10_000
_N_CLASSES = 8
_FILTERS = (("mean", 50), ("gaussian", 50), ("median", 5), ("median", 50))
_LOST = 0.02


def write_va_tree(folder: Path, n_videos: int, rows_a_video: int = _ROWS_A_VIDEO) -> Path:
    """Write annotations of valence and arousal, and noisy predictions for every frame.

    Returns:
        The file of predictions, inside the folder.
    """
    rng = np.random.default_rng(0)
    place = folder / "VA_Estimation_Challenge" / "Validation_Set"
    place.mkdir(parents=True)
    predictions = folder / "predictions.txt"
    with predictions.open("w") as out:
        out.write("image_location,valence,arousal\n")
        for video in range(n_videos):
            truth = rng.uniform(-1, 1, (rows_a_video, 2)).round(3)
            rows = "".join(f"{valence},{arousal}\n" for valence, arousal in truth)
            (place / f"v{video}.txt").write_text(f"valence,arousal\n{rows}")
            predicted = np.clip(truth + rng.normal(0, 0.3, truth.shape), -1, 1).round(4)
            out.writelines(f"v{video}/{i:05d}.jpg,{v},{a}\n" for i, (v, a) in enumerate(predicted, start=1))
    return predictions


def smooth_rows(kernel: str, half_width: int, n_rows: int) -> int:
    """Smooth 8 columns over tracks of 10,000 frames, some of which are lost.

    Returns:
        Number of rows with a face.
    """
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(rng.random(n_rows) >= _LOST)
    values = rng.random((len(rows), _N_CLASSES))
    settings = Smoothing(expr=half_width, kernel=kernel)
    return len(smooth_tracks(rows // _ROWS_A_VIDEO, rows % _ROWS_A_VIDEO, values, half_width, settings))


def measure_tables(n_videos: int = 290, n_rows: int = 1_000_000) -> None:
    """Measure the evaluation and each filter, and print one line for each."""
    with tempfile.TemporaryDirectory() as folder:
        predictions = write_va_tree(Path(folder), n_videos)
        measure("evaluate va", lambda: challenges.evaluate_va(PredictionFile(predictions), Path(folder)).n_rows)
    for kernel, half_width in _FILTERS:
        measure(f"smooth {kernel} {half_width}", partial(smooth_rows, kernel, half_width, n_rows))
