# SPDX-License-Identifier: Apache-2.0
"""Smoothing over time: which half-width is best for expressions, valence and arousal, and action units."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.systems.gains import Gain, Statistic, paired_gain
from benchmarks.systems.head_systems import TASKS, load_heads, outputs_file, probabilities
from benchmarks.systems.nets import NETS, bundle_outputs, net_folder
from benchmarks.systems.sweeps.time_clips import clip_pieces
from benchmarks.systems.sweeps.time_videos import PersonVideo, person_videos
from mien.affect import box_mean, fill_gaps
from mien.core import DIMENSIONS, EXPRESSIONS, Bools, Float64, Indices, columns_by_name
from mien.evaluation import search_thresholds
from mien.inference import load_bundle
from mien.metrics import LabelCounts, Moments
from mien.results import atomic_write

logger = logging.getLogger(__name__)

HALF_WIDTHS = (0, 1, 2, 3, 5, 8, 10, 12, 18, 25, 35, 50, 80, 120, 200)
UNIT_HALF_WIDTHS = (0, 3, 5, 10)

_NET = "frozen"
_VIDEOS, _PREDICTED = "videos.npz", "predicted-{}.npz"
_MIN_FRAMES = 100  # of a unit being present, and absent, to be measured


SOURCES: Mapping[str, Callable[[Path], Iterator[PersonVideo]]] = {"time": person_videos, "clips": clip_pieces}
"""First word of the conditions, and folder of the results -> the videos."""


def run_time(data: Path, work: Path, seeds: tuple[int, ...]) -> None:
    """Predict the frames of all videos with the networks that are trained, and keep the predictions."""
    for name, source in SOURCES.items():
        _run_source(work / _folder(name), source, data, work, seeds)


def _folder(name: str) -> str:
    return "time" if name == "time" else f"time-{name}"


def _run_source(
    folder: Path, source: Callable[[Path], Iterator[PersonVideo]], data: Path, work: Path, seeds: tuple[int, ...]
) -> None:
    net = next(net for net in NETS if net.name == _NET)
    wanted = [
        seed
        for seed in seeds
        if outputs_file(_NET, seed, "slice", work).is_file() and not (folder / _PREDICTED.format(seed)).is_file()
    ]
    if not wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    videos = list(source(data))
    frames = np.concatenate([video.frames[~video.lost] for video in videos])
    with atomic_write(folder / _VIDEOS) as file:
        np.savez(
            file,
            video=np.repeat(np.arange(len(videos)), [len(video.lost) for video in videos]),
            lost=np.concatenate([video.lost for video in videos]),
            expression=np.concatenate([video.expression for video in videos]),
            affect=np.concatenate([video.affect for video in videos]),
            action_units=np.concatenate([video.action_units for video in videos]),
        )
    for seed in wanted:
        logger.info("%s, seed %d", folder.name, seed)
        bundle = load_bundle(net_folder(net, seed, work) / "bundle", kind="affect", threads=1)
        outputs = bundle_outputs(bundle, [np.repeat(frame[..., None], 3, axis=2) for frame in frames])
        tasks = {task.task: task for task in bundle.spec.tasks}
        vectors = [outputs[bundle.spec.features or ""], *(outputs[task.output] for task in bundle.spec.tasks)]
        units = load_heads(_NET, seed, "slice", work)(np.concatenate(vectors, axis=1))[TASKS[2]]
        expression, affect = tasks["expression"], tasks["valence_arousal"]
        logits = outputs[expression.output][:, columns_by_name(tuple(expression.labels), EXPRESSIONS)]
        with atomic_write(folder / _PREDICTED.format(seed)) as file:
            np.savez(
                file,
                expression=softmax(logits),
                affect=np.clip(outputs[affect.output][:, columns_by_name(tuple(affect.labels), DIMENSIONS)], -1, 1),
                action_units=probabilities(units),
            )


def softmax(logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Float64:
    """Probabilities (N, C) of logits."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


class Sweep:
    """Smoothed predictions of one network on all videos, and their scores as functions of weights of the videos.

    Args:
        truth: arrays of all frames, see `run_time`.
        predicted: predictions of the frames that are not lost.
    """

    def __init__(self, truth: Mapping[str, Float64], predicted: Mapping[str, Float64]) -> None:
        self.video = truth["video"].astype(np.intp)
        self.n_videos = int(self.video.max()) + 1
        self._truth = truth
        self._predicted = predicted
        self._smooth: dict[tuple[str, int], Float64] = {}

    def smoothed(self, task: str, half_width: int) -> Float64:
        """(T, L) predictions of all frames: gaps filled, then smoothed, video by video."""
        key = task, half_width
        if key not in self._smooth:
            lost = self._truth["lost"].astype(bool)
            whole = np.empty((len(lost), self._predicted[task].shape[1]))
            seen = np.full(len(lost), -1)
            seen[~lost] = np.arange(int((~lost).sum()))
            for video in range(self.n_videos):
                rows = np.flatnonzero(self.video == video)
                found = rows[~lost[rows]]
                filled = fill_gaps(found - rows[0], self._predicted[task][seen[found]], np.arange(len(rows)))
                whole[rows] = box_mean(filled, half_width)
            self._smooth[key] = whole
        return self._smooth[key]

    def expression(self, probabilities: Float64) -> Statistic:
        """Macro F1 over the expressions that occur in the videos."""
        label = self._truth["expression"].astype(np.intp)
        present = np.unique(label)
        counts = LabelCounts.of_classes(
            label, probabilities.argmax(axis=1), len(EXPRESSIONS), groups=self.video, n_groups=self.n_videos
        )
        return lambda weights: np.asarray(counts.pooled(weights).f1[:, present].mean(axis=1))

    def affect(self, values: Float64) -> Statistic:
        """Mean CCC of valence and arousal."""
        moments = Moments.of(self._truth["affect"], values, groups=self.video, n_groups=self.n_videos)
        return lambda weights: np.asarray(moments.pooled(weights).ccc.mean(axis=1))

    def units(self, present: Bools) -> Statistic:
        """Mean F1 of the units that occur often enough, on the frames in which they are known."""
        truth = self._truth["action_units"][:, self.measured_units]
        known = ~np.isnan(truth).any(axis=1)
        counts = LabelCounts.of_flags(
            truth[known] > 0.5,
            present[known][:, self.measured_units],
            groups=self.video[known],
            n_groups=self.n_videos,
        )
        return lambda weights: np.asarray(counts.pooled(weights).macro_f1)

    @property
    def measured_units(self) -> Indices:
        """Columns of the action units that occur often enough."""
        truth = self._truth["action_units"]
        positive, negative = np.nansum(truth > 0.5, axis=0), np.nansum(truth <= 0.5, axis=0)
        return np.flatnonzero((positive >= _MIN_FRAMES) & (negative >= _MIN_FRAMES))

    def tuned(self, half_width: int, videos: Bools) -> Float64:
        """(A,) thresholds tuned on the frames of some videos."""
        truth = self._truth["action_units"]
        rows = np.flatnonzero(videos[self.video] & ~np.isnan(truth).any(axis=1))
        return np.array(
            search_thresholds(truth[rows] > 0.5, self.smoothed("action_units", half_width)[rows]).thresholds
        )


def load_sweeps(work: Path, seeds: tuple[int, ...], name: str = "time") -> list[Sweep]:
    """The sweeps of all seeds that were run, on the videos of a source."""
    folder = work / _folder(name)
    if not (folder / _VIDEOS).is_file():
        return []
    truth = dict(np.load(folder / _VIDEOS, allow_pickle=False))
    paths = [folder / _PREDICTED.format(seed) for seed in seeds]
    return [Sweep(truth, dict(np.load(path, allow_pickle=False))) for path in paths if path.is_file()]


def time_gains(sweeps: list[Sweep], name: str = "time") -> dict[str, tuple[Gain, ...]]:
    """Gains of the three conditions of a source, half-widths chosen on the other half of the videos."""
    if not sweeps:
        return {}
    n = sweeps[0].n_videos
    rows = len(sweeps[0].video)
    found: dict[str, tuple[Gain, ...]] = {}
    for key, task, measure in ((f"{name}-expr", "expression", "expression"), (f"{name}-va", "affect", "affect")):
        best = [getattr(sweep, measure)(_chosen(sweep, task, measure)) for sweep in sweeps]
        found[key] = tuple(
            paired_gain(
                f"chosen d over d = {end}",
                best,
                [getattr(sweep, measure)(sweep.smoothed(task, end)) for sweep in sweeps],
                n,
                rows=rows,
            )
            for end in (0, HALF_WIDTHS[-1])
        )
    found[f"{name}-au"] = (
        paired_gain(
            "d = 3 or 5 over d = 0",
            [sweep.units(_chosen_units(sweep, (3, 5))) for sweep in sweeps],
            [sweep.units(_chosen_units(sweep, (0,))) for sweep in sweeps],
            n,
            rows=rows,
        ),
    )
    return found


def _halves(sweep: Sweep) -> tuple[Bools, Bools]:
    second = np.arange(sweep.n_videos) % 2 == 1
    return second, ~second


def _chosen(sweep: Sweep, task: str, measure: str) -> Float64:
    """Predictions of every video at the half-width above 0 that is best on the other half of the videos."""
    whole = sweep.smoothed(task, 0).copy()
    for scored in _halves(sweep):
        judged = (~scored).astype(np.float64)[None]
        best = max(HALF_WIDTHS[1:-1], key=lambda d, w=judged: getattr(sweep, measure)(sweep.smoothed(task, d))(w)[0])
        rows = scored[sweep.video]
        whole[rows] = sweep.smoothed(task, best)[rows]
    return whole


def _chosen_units(sweep: Sweep, half_widths: tuple[int, ...]) -> Bools:
    """Decisions on the units of every video, half-width and thresholds chosen on the other half of the videos."""
    present = np.zeros(sweep.smoothed("action_units", 0).shape, dtype=bool)
    for scored in _halves(sweep):
        judged = (~scored).astype(np.float64)[None]

        def decided(d: int, videos: Bools = ~scored) -> Bools:
            return np.asarray(sweep.smoothed("action_units", d) >= sweep.tuned(d, videos))

        best = max(half_widths, key=lambda d, w=judged, decide=decided: sweep.units(decide(d))(w)[0])
        rows = scored[sweep.video]
        present[rows] = decided(best)[rows]
    return present


def sweep_rows(sweeps: list[Sweep]) -> list[list[str]]:
    """Cells of the table of half-widths: macro F1, P_VA and P_AU at 0.5 and at tuned thresholds, means over seeds."""
    rows = []
    for d in HALF_WIDTHS:
        once = np.ones((1, sweeps[0].n_videos))
        cells = [
            float(np.mean([sweep.expression(sweep.smoothed("expression", d))(once)[0] for sweep in sweeps])),
            float(np.mean([sweep.affect(sweep.smoothed("affect", d))(once)[0] for sweep in sweeps])),
        ]
        if d in UNIT_HALF_WIDTHS:
            cells += [
                float(np.mean([sweep.units(decide(sweep, d))(once)[0] for sweep in sweeps]))
                for decide in (_decided_at_half, _decided_at_tuned)
            ]
        rows.append([str(d), *(f"{cell:.3f}" for cell in cells), *("" for _ in range(4 - len(cells)))])
    return rows


def _decided_at_half(sweep: Sweep, half_width: int) -> Bools:
    return np.asarray(sweep.smoothed("action_units", half_width) >= 0.5)


def _decided_at_tuned(sweep: Sweep, half_width: int) -> Bools:
    return _chosen_units(sweep, (half_width,))
