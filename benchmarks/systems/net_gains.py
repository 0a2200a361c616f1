# SPDX-License-Identifier: Apache-2.0
"""Gains between the networks of the page, and the table of what each of them reaches."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.proofs.slice_heads import concordance_of
from benchmarks.systems.gains import Gain, Statistic, accuracy_of, macro_f1_of, paired_gain
from benchmarks.systems.nets import NETS, load_outputs
from mien.core import EXPRESSIONS
from mien.datasets import FaceSamples, load_ferplus

# Key of a condition -> (net that should be better, the other, measure).
ORDERINGS = {
    "face-scratch": ("face-80", "scratch-80", "accuracy"),
    "face-imagenet": ("face-80", "base-80", "accuracy"),
    "imagenet-scratch": ("base", "lite0-scratch", "accuracy"),
    "multi-single": ("base", "single", "accuracy"),
    "sam-adam": ("base", "adam", "accuracy"),
    "weights-plain": ("base", "plain", "macro F1"),
    "b2-b0": ("b2", "b0", "accuracy"),
}


def net_gains(data: Path, work: Path, seeds: tuple[int, ...]) -> dict[str, tuple[Gain, ...]]:
    """Key of a condition -> its gain, over the seeds that both nets have."""
    faces = load_ferplus(data, "valid")
    found = {}
    for key, (better, other, measure) in ORDERINGS.items():
        pairs = [(load_outputs(better, seed, work), load_outputs(other, seed, work)) for seed in seeds]
        complete = [(one, two) for one, two in pairs if one is not None and two is not None]
        if complete:
            sides = [[_statistics(faces, run[number])[measure] for run in complete] for number in range(2)]
            found[key] = (paired_gain(f"{better} over {other}", *sides, len(faces)),)
    return found


def net_rows(data: Path, work: Path, seeds: tuple[int, ...]) -> list[list[str]]:
    """Cells of the table of networks: what changes, seeds, and the mean of each measure with its lowest and highest."""
    faces = load_ferplus(data, "valid")
    once = np.ones((1, len(faces)))
    rows = []
    for net in NETS:
        runs = [own for seed in seeds if (own := load_outputs(net.name, seed, work)) is not None]
        cells = [f"`{net.name}`", f"`{net.recipe}`", net.change or "none", f"{len(runs)}"]
        measured = [{name: float(each(once)[0]) for name, each in _statistics(faces, run).items()} for run in runs]
        for name in ("accuracy", "macro F1", "P_VA"):
            values = [each[name] for each in measured if name in each]
            cells.append(f"{fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})" if values else "-")
        rows.append(cells if runs else [*cells[:3], "not run", "-", "-", "-"])
    return rows


def _statistics(
    faces: FaceSamples, run: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]
) -> dict[str, Statistic]:
    label, predicted = faces.expression.argmax(axis=1), run["expression"].argmax(axis=1)
    found = {"accuracy": accuracy_of(label, predicted), "macro F1": macro_f1_of(label, predicted, len(EXPRESSIONS))}
    if "valence_arousal" in run:
        found["P_VA"] = concordance_of(faces.valence_arousal, np.clip(run["valence_arousal"], -1, 1))
    return found
