# SPDX-License-Identifier: Apache-2.0
"""What explains the conditions that failed: comparisons made after the verdicts, which do not count."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.page import table
from benchmarks.systems.gains import Gain, Statistic, mean_recall_of, paired_gain
from benchmarks.systems.head_systems import DIRECTIONS, head_pair_gain
from benchmarks.systems.nets import NETS, load_outputs, net_folder
from benchmarks.systems.other_systems import LARGER_BATCH, mtanet_gain
from mien.core import EXPRESSIONS, Float64
from mien.datasets import load_ferplus
from mien.metrics import ccc
from mien.results import atomic_write

CAUSES_PART = "Why the failed ones failed"

N_FACES = (50, 200, 1000, 3000)
"""Numbers of training faces of the least squares, beside all."""

PARTS = ("scores", "features")
_N_SCORES, _N_DRAWS = 10, 3
_PENALTIES = tuple(10.0**power for power in range(-1, 5))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One comparison.

    Attributes:
        what: what is compared with what.
        measure: measure and rows.
        gain: difference; positive where the first is better.
    """

    what: str
    measure: str
    gain: Gain


def comparisons(data: Path, work: Path, seeds: tuple[int, ...]) -> list[Comparison]:
    """All comparisons whose networks are trained."""
    return [*_balanced(data, work, seeds), *_heads(work, seeds), *_mtanet(work, seeds)]


def _balanced(data: Path, work: Path, seeds: tuple[int, ...]) -> Iterator[Comparison]:
    faces = load_ferplus(data, "valid")
    label = faces.expression.argmax(axis=1)
    pairs = [[load_outputs(net, seed, work) for net in ("base", "plain")] for seed in seeds]
    complete = [[run for run in pair if run is not None] for pair in pairs if None not in pair]
    if complete:
        sides: list[list[Statistic]] = [
            [mean_recall_of(label, pair[side]["expression"].argmax(axis=1), len(EXPRESSIONS)) for pair in complete]
            for side in range(2)
        ]
        yield Comparison(
            what="class weights with label smoothing against none, all classes as frequent, as in AffectNet's test set",
            measure="mean recall of the classes, FER+ valid by plurality",
            gain=paired_gain("weights over plain", *sides, len(faces)),
        )


def _heads(work: Path, seeds: tuple[int, ...]) -> Iterator[Comparison]:
    for what, pair, measures in (
        (
            "slice against the joint net, without valence and arousal",
            ("slice", "joint, both"),
            ("P_EXPR", "P_AU"),
        ),
        (
            "three separate heads on features and scores against the joint net",
            ("separate, both", "joint, both"),
            ("P_MTL",),
        ),
    ):
        gain = head_pair_gain(work, seeds, *pair, measures)
        if gain is not None:
            yield Comparison(what=what, measure=f"{' + '.join(measures)}, FER+ valid, degraded", gain=gain)


def _mtanet(work: Path, seeds: tuple[int, ...]) -> Iterator[Comparison]:
    for measure in ("P_VA", "P_EXPR", "P_AU"):
        gain = mtanet_gain(work, seeds, measure)
        if gain is not None:
            what = "MTANet: the joint net against three single nets"
            yield Comparison(what=what, measure=f"{measure}, FER+ valid by plurality", gain=gain)
    for variant, what in (
        ("larger batch", f"the same, the joint net with {LARGER_BATCH} times the rows a step (16 of each task)"),
        ("plain loss", "the same, both without class weights of the expressions"),
    ):
        for measure in ("P_MTL", "P_VA"):
            gain = mtanet_gain(work, seeds, measure, variant)  # type: ignore[arg-type]  # one of the variants
            if gain is not None:
                yield Comparison(what=what, measure=f"{measure}, FER+ valid by plurality", gain=gain)


def cause_lines(data: Path, work: Path, seeds: tuple[int, ...]) -> list[str]:
    """The section of the page; none where nothing was compared."""
    found = comparisons(data, work, seeds)
    rows = [
        [
            each.what,
            each.measure,
            f"{each.gain.before:.3f}, {each.gain.after:.3f}",
            f"{each.gain.value:+.3f} [{each.gain.low:+.3f}, {each.gain.high:+.3f}]",
            " ".join(f"{value:+.3f}" for value in each.gain.per_seed),
        ]
        for each in found
    ]
    curve = curve_lines(work, seeds)
    if not rows and not curve:
        return []
    lines = [f"## {CAUSES_PART}", "", *_TEXT.splitlines(), ""]
    lines += table(["comparison", "measure", "from, to", "gain", "each run"], rows)
    return [*lines, "", *_CURVE_TEXT.splitlines(), "", *curve, ""]


_TEXT = """\
These comparisons were chosen after the verdicts, to tell a fault of mien from the stand-in. They count for nothing
above and have no rule. What they say of each claim is in the list at the top.
"""

_CURVE_TEXT = """\
Valence and arousal from ten scores or from 1,280 features, by least squares (the penalty of the weights is chosen on
2,000 other faces; mean over networks and three draws). With all faces the least squares on ten scores reach what the
published head reaches on them.
"""


def run_curve(work: Path, seeds: tuple[int, ...]) -> None:
    """Fit valence and arousal by least squares on the frozen vectors of more and more faces; kept for the page."""
    for net in NETS:
        for seed in seeds if net.name in DIRECTIONS else ():
            vectors, target = net_folder(net, seed, work) / "vectors", _curve_file(net.name, seed, work)
            if not target.is_file() and (vectors / "labels.json").is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(target) as file:
                    file.write(json.dumps(_curve(vectors, seed)).encode())


def curve_lines(work: Path, seeds: tuple[int, ...]) -> list[str]:
    """The table of the least squares; none where they were not run."""
    paths = [path for net in DIRECTIONS for seed in seeds if (path := _curve_file(net, seed, work)).is_file()]
    runs = [json.loads(path.read_text("utf-8")) for path in paths]
    if not runs:
        return []
    rows = []
    for n in (*N_FACES, 0):
        values = {part: [value for run in runs for value in run[f"{part} {n}"]] for part in PARTS}
        better = sum(one > two for one, two in zip(*values.values(), strict=True))
        n_faces = f"{n:,}" if n else "all, about 12,200"
        means = [f"{fmean(own):.3f}" for own in values.values()]
        rows.append([n_faces, *means, f"{better} of {len(values[PARTS[0]])}"])
    return table(["training faces", "P_VA, ten scores", "P_VA, 1,280 features", "scores better"], rows)


def _curve_file(net: str, seed: int, work: Path) -> Path:
    return work / "causes" / f"{net}-{seed}.json"


def _curve(vectors: Path, seed: int) -> dict[str, list[float]]:
    """Part and number of training faces, 0 for all -> P_VA on the test faces of each draw."""
    sets = {split: _vectors(vectors / split) for split in ("train", "valid", "test")}
    inputs, targets = sets["train"]
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for n in (*N_FACES, 0):
        for _ in range(_N_DRAWS if n else 1):
            rows = rng.permutation(len(inputs))[: n or len(inputs)]
            for part, columns in (("scores", slice(-_N_SCORES, None)), ("features", slice(0, -_N_SCORES))):
                fits = least_squares(inputs[rows][:, columns], targets[rows], _PENALTIES)
                scored = [
                    [_p_va(fit(sets[split][0][:, columns]), sets[split][1]) for split in ("valid", "test")]
                    for fit in fits
                ]
                found.setdefault(f"{part} {n}", []).append(max(scored)[1])
    return found


def _vectors(folder: Path) -> tuple[Float64, Float64]:
    """Inputs and targets of the rated faces of a split."""
    inputs, targets = (np.load(folder / f"{name}.npy").astype(np.float64) for name in ("inputs", "valence_arousal"))
    rated = ~np.isnan(targets).any(axis=1)
    return inputs[rated], targets[rated]


class LinearFit:
    """Least squares whose predictions have mean and spread of the targets, which is best for the concordance."""

    def __init__(self, mean: Float64, spread: Float64, weights: Float64, offset: Float64) -> None:
        self._mean, self._spread, self._weights, self._offset = mean, spread, weights, offset

    def __call__(self, inputs: Float64) -> Float64:
        """(N, D) inputs -> (N, K) predictions."""
        return np.asarray((inputs - self._mean) / self._spread @ self._weights + self._offset)


def least_squares(inputs: Float64, targets: Float64, penalties: Sequence[float]) -> Iterator[LinearFit]:
    """A fit for each penalty of the squared weights, on standardised inputs.

    Args:
        inputs: (N, D).
        targets: (N, K).
        penalties: positive factors.
    """
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    spread = np.where(spread > 1e-6, spread, np.inf)  # a constant input says nothing
    rows, offset = (inputs - mean) / spread, targets.mean(axis=0)
    sizes, axes = np.linalg.eigh(rows.T @ rows)
    turned = axes.T @ (rows.T @ (targets - offset))
    for penalty in penalties:
        weights = axes @ (turned / (np.maximum(sizes, 0) + penalty)[:, None])
        fitted = (rows @ weights).std(axis=0)
        yield LinearFit(mean, spread, weights * targets.std(axis=0) / np.maximum(fitted, 1e-12), offset)


def _p_va(predicted: Float64, targets: Float64) -> float:
    values = np.clip(predicted, -1, 1)
    return fmean(float(ccc(values[:, column], targets[:, column])) for column in range(targets.shape[1]))
