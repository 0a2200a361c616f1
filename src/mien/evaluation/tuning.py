# SPDX-License-Identifier: Apache-2.0
"""What is chosen on validation data: action unit thresholds, weights of a blend, one of several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from mien.affect import BlendSearch, Smoothing, choose_by_frequencies, search_blend, search_blend_per_column
from mien.core import ConfigError
from mien.datasets import ClipSamples, FrameSamples, load_dataset
from mien.evaluation.challenge.ensembles import TablePredictor
from mien.evaluation.challenge.submission_formats import (
    PREDICTION_FORMATS,
    SubmissionFormat,
    TaskDecoder,
    edition_format,
)
from mien.evaluation.predictors import PredictionFile
from mien.metrics import LabelCounts, p_au, p_expr, p_va, pearson

# From .5 outwards, so that of equal scores the threshold nearest to .5 wins.
_GRID = tuple(sorted((step / 10 for step in range(1, 10)), key=lambda threshold: (abs(threshold - 0.5), threshold)))


@dataclass(frozen=True, kw_only=True)
class ThresholdSearch:
    """What a search found for A action units.

    The tuned figures were chosen on the data that they are measured on; the official ones are those at .5.

    Attributes:
        thresholds: A probabilities in .1, .2, .. .9, from which a unit counts as present.
        f1: A scores at these thresholds.
        f1_at_half: A scores at .5.
    """

    thresholds: tuple[float, ...]
    f1: tuple[float, ...]
    f1_at_half: tuple[float, ...]

    @property
    def mean_f1(self) -> float:
        """P_AU with the tuned thresholds."""
        return float(np.mean(self.f1))

    @property
    def mean_f1_at_half(self) -> float:
        """P_AU as the challenges score it."""
        return float(np.mean(self.f1_at_half))


def search_thresholds(targets: npt.ArrayLike, probabilities: npt.ArrayLike) -> ThresholdSearch:
    """For each action unit, the threshold in steps of .1 with the highest F1 of "present" (probability >= threshold).

    Args:
        targets: (N, A) zeros and ones, valid rows only.
        probabilities: (N, A) in [0, 1].

    Raises:
        ConfigError: shapes do not fit, there is no row, or a target is neither 0 nor 1.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or probabilities.shape != np.shape(targets) or not len(probabilities):
        raise ConfigError(
            f"(N, A) targets and probabilities are needed, got {np.shape(targets)} and {probabilities.shape}"
        )
    scores = np.stack([LabelCounts.of_flags(targets, probabilities >= threshold).f1 for threshold in _GRID])
    best = scores.argmax(axis=0)
    return ThresholdSearch(
        thresholds=tuple(_GRID[index] for index in best),
        f1=tuple(scores.max(axis=0).tolist()),
        f1_at_half=tuple(scores[0].tolist()),
    )


Floats = npt.NDArray[np.float64]

_FRAME_SETS = {"va": "affwild2-va", "expr": "affwild2-expr", "au": "affwild2-au", "mtl": "affwild2-mtl"}
_CLIP_SETS = ("emi", "eri")

TUNABLE = (*_FRAME_SETS, *_CLIP_SETS)
"""Protocols whose models can be blended by a weight search."""


def search_thresholds_of(task: str, data: Path, tables: TablePredictor, split: str = "valid") -> ThresholdSearch:
    """One threshold per action unit on the labelled frames of a split, the figure at .5 beside it.

    Args:
        task: ``"au"`` or ``"mtl"``.
        data: folder of the data set.
        tables: of a model, or of several and their weights.
        split: of the data set.

    Raises:
        ConfigError: the task has no action units.
        AnnotationError: the data set is malformed.
        InputError: a table cannot be read, or a video is in none.
    """
    samples, form = _frames(task, data, split)
    part = next((part for part in tables.parts(form) if part.task == "au"), None)
    if part is None:
        raise ConfigError(f"{task} has no action units; thresholds are searched for au and mtl")
    valid = samples.valid_action_units
    return search_thresholds(samples.action_units[valid], tables.scores(form, part, samples)[valid])


def search_weights(
    task: str,
    data: Path,
    models: Sequence[Path],
    *,
    split: str = "valid",
    smoothing: Smoothing | None = None,
) -> dict[str, BlendSearch]:
    """The weights in steps of .1 with the best score, for each task of the protocol or each emotion of whole videos.

    The order is that of `TablePredictor`: interpolated, blended, smoothed, decided, scored over the whole split.

    Args:
        task: in `TUNABLE`.
        data: folder of the data set.
        models: 2 or more: folders of affect tables, or for ``emi`` and ``eri`` files of answers.
        split: of the data set.
        smoothing: of the blend.

    Returns:
        ``"va"``, ``"expr"``, ``"au"`` or the name of an emotion -> what the search found.

    Raises:
        ConfigError: the task is unknown, or there are fewer than two models.
        AnnotationError: the data set is malformed.
        InputError: predictions cannot be read or do not cover the data set.
    """
    if task not in TUNABLE:
        raise ConfigError(f"weights are searched for {', '.join(TUNABLE)}, not for {task!r}")
    if len(models) < 2:
        raise ConfigError("a blend needs at least two models")
    if task in _CLIP_SETS:
        if smoothing is not None:
            raise ConfigError(f"{task} has one row per video; there is nothing to smooth")
        return _search_emotions(task, data, models, split)
    samples, form = _frames(task, data, split)
    predictor_of = partial(TablePredictor, models, smoothing=smoothing)
    equal = predictor_of()
    loaded = equal.load(form)
    found: dict[str, BlendSearch] = {}
    for part in equal.parts(form):

        def score(weights: Floats, part: TaskDecoder = part) -> float:
            blended = predictor_of(weights={part.task: weights.tolist()})
            return _score(part.task, samples, blended.scores(form, part, samples, loaded=loaded))

        # The filter waits for the blend and runs over all frames, so weights are searched, not arrays: those of one
        # model alone, blended, are the weights themselves.
        found[part.task] = search_blend(list(np.eye(len(models))), score)
    return found


def choose_compound_model(
    data: Path, models: Sequence[Path], *, smoothing: Smoothing | None = None
) -> dict[str, float]:
    """Kullback-Leibler divergence of each model's compound expressions from published frequencies, best first.

    Needs no labels: the frames of the official list of C-EXPR-DB are enough.

    Args:
        data: folder of C-EXPR-DB.
        models: folders of affect tables.
        smoothing: before the decision.

    Raises:
        ConfigError: two folders have one name.
        AnnotationError: the list is malformed.
        InputError: a table cannot be read, or a video is in none.
    """
    samples = cast("FrameSamples", load_dataset("cexpr", data, "test"))
    form = PREDICTION_FORMATS["ce"]
    classes = {
        str(folder): TablePredictor([folder], smoothing=smoothing).of_frames(form, samples)[:, 0].astype(np.intp)
        for folder in models
    }
    divergences = choose_by_frequencies(classes)[1]
    return dict(sorted(divergences.items(), key=lambda item: item[1]))


def _frames(task: str, data: Path, split: str) -> tuple[FrameSamples, SubmissionFormat]:
    if task not in _FRAME_SETS:
        raise ConfigError(f"{task!r} is none of {', '.join(_FRAME_SETS)}")
    samples = cast("FrameSamples", load_dataset(_FRAME_SETS[task], data, split))
    return samples, edition_format(task, samples.expression_labels, samples.action_unit_labels)


def _score(task: str, samples: FrameSamples, values: Floats) -> float:
    """The challenge's score of one task; action units are decided at .5."""
    if task == "va":
        return p_va(samples.valence_arousal, values, samples.valid_valence_arousal)
    if task == "expr":
        n_classes = len(samples.expression_labels)
        return p_expr(samples.expression, values.argmax(axis=1), samples.valid_expression, n_classes=n_classes)
    return p_au(samples.action_units, (values >= 0.5).astype(np.int8), samples.valid_action_units)


def _search_emotions(task: str, data: Path, models: Sequence[Path], split: str) -> dict[str, BlendSearch]:
    samples = cast("ClipSamples", load_dataset(task, data, split))
    valid = samples.valid_intensities
    values = [PredictionFile(path).of_clips(PREDICTION_FORMATS[task], samples)[valid] for path in models]
    truth = samples.intensities[valid]
    found = search_blend_per_column(values, lambda column, own: pearson(own, truth[:, column]))
    return dict(zip(samples.labels, found, strict=True))
