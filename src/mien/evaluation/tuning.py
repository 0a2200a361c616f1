# SPDX-License-Identifier: Apache-2.0
"""Searches on validation data: action unit thresholds, weights of a blend, one of several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from mien.affect import BlendSearch, Smoothing, choose_by_frequencies, search_blend, search_blend_per_column
from mien.core import ConfigError, Float64
from mien.datasets import ClipSamples, FrameSamples, load_dataset
from mien.evaluation.challenge.ensembles import TablePredictor
from mien.evaluation.challenge.submission_formats import (
    PREDICTION_FORMATS,
    SubmissionFormat,
    TaskDecoder,
    edition_format,
)
from mien.evaluation.predictors import PredictionFile
from mien.metrics import OFFICIAL_THRESHOLD, LabelCounts, p_au, p_expr, p_va, pearson

# From 0.5 outwards, so that among equal scores the threshold nearest to 0.5 wins.
_GRID = tuple(sorted((step / 10 for step in range(1, 10)), key=lambda threshold: (abs(threshold - 0.5), threshold)))


MIN_POSITIVES = 20
"""Number of positive rows of a label below which what is chosen on them is mostly chance."""


def small_set_note(what: str, labels: Sequence[str], n_positive: Sequence[int]) -> str:
    """A sentence that warns of labels with few positive rows; empty where each has `MIN_POSITIVES` of them.

    Args:
        what: Chosen quantity, such as ``"thresholds"``.
        labels: Name of each label.
        n_positive: Number of rows in which each label is present.

    Returns:
        The sentence.

    Examples:
        >>> small_set_note("thresholds", ["AU01", "AU12"], [3, 50])
        'thresholds of AU01 (3) come from fewer than 20 positive rows: expect other values on other data'
        >>> small_set_note("thresholds", ["AU12"], [50])
        ''
    """
    few = [f"{name} ({n})" for name, n in zip(labels, n_positive, strict=True) if n < MIN_POSITIVES]
    if not few:
        return ""
    rows = f"fewer than {MIN_POSITIVES} positive rows"
    return f"{what} of {', '.join(few)} come from {rows}: expect other values on other data"


@dataclass(frozen=True, kw_only=True)
class ThresholdSearch:
    """Result of a threshold search for A action units.

    The tuned F1 scores were chosen on the data that they are measured on; the official ones are those at 0.5.

    Attributes:
        thresholds: (A,) probabilities in 0.1, 0.2, ..., 0.9, from which a unit counts as present.
        f1: (A,) F1 scores at these thresholds.
        f1_at_half: (A,) F1 scores at 0.5.
        n_positive: (A,) numbers of rows in which the unit is present.
        labels: (A,) names of the units; empty where they are unknown.
    """

    thresholds: tuple[float, ...]
    f1: tuple[float, ...]
    f1_at_half: tuple[float, ...]
    n_positive: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """A warning where a unit has few positive rows, see `small_set_note`; else empty."""
        labels = self.labels or tuple(f"unit {number}" for number in range(len(self.n_positive)))
        return small_set_note("thresholds", labels, self.n_positive)

    @property
    def mean_f1(self) -> float:
        """P_AU at the tuned thresholds."""
        return float(np.mean(self.f1))

    @property
    def mean_f1_at_half(self) -> float:
        """P_AU as the challenges score it."""
        return float(np.mean(self.f1_at_half))


def search_thresholds(targets: npt.ArrayLike, probabilities: npt.ArrayLike) -> ThresholdSearch:
    """Search the threshold with the highest F1 of "present" (probability >= threshold) for each action unit.

    Args:
        targets: (N, A) zeros and ones, valid rows only.
        probabilities: (N, A) probabilities in [0, 1].

    Returns:
        Thresholds in steps of 0.1.

    Raises:
        ConfigError: The shapes do not fit, there is no row, a target is neither 0 nor 1, or a probability is not in
            [0, 1].

    Examples:
        >>> found = search_thresholds([[1], [1], [0]], [[0.35], [0.45], [0.2]])
        >>> found.thresholds, found.mean_f1, found.mean_f1_at_half
        ((0.3,), 1.0, 0.0)
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or probabilities.shape != np.shape(targets) or not len(probabilities):
        raise ConfigError(
            f"(N, A) targets and probabilities are needed, got {np.shape(targets)} and {probabilities.shape}"
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ConfigError("a probability is not in [0, 1]; leave out rows without a prediction")
    scores = np.stack([LabelCounts.of_flags(targets, probabilities >= threshold).f1 for threshold in _GRID])
    best = scores.argmax(axis=0)
    return ThresholdSearch(
        thresholds=tuple(_GRID[index] for index in best),
        f1=tuple(scores.max(axis=0).tolist()),
        f1_at_half=tuple(scores[0].tolist()),
        n_positive=tuple(np.count_nonzero(targets, axis=0).tolist()),
    )


_FRAME_SETS = {"va": "affwild2-va", "expr": "affwild2-expr", "au": "affwild2-au", "mtl": "affwild2-mtl"}
_CLIP_SETS = ("emi", "eri")

TUNABLE = (*_FRAME_SETS, *_CLIP_SETS)
"""Protocols for which `search_weights` finds the weights of a blend."""


def search_thresholds_on(task: str, data: str | Path, tables: TablePredictor, split: str = "valid") -> ThresholdSearch:
    """Search one threshold per action unit on the labelled frames of a split, beside the F1 at 0.5.

    Args:
        task: ``"au"`` or ``"mtl"``.
        data: Folder of the data set.
        tables: Predictor from the tables of one model, or of several and their weights.
        split: Split of the data set.

    Raises:
        ConfigError: The task has no action units.
        AnnotationError: The data set is malformed.
        InputError: A table cannot be read, or a video is in none.
    """
    samples, task_format = _frames(task, data, split)
    decoder = next((each for each in tables.decoders(task_format) if each.task == "au"), None)
    if decoder is None:
        raise ConfigError(f"{task} has no action units; thresholds are searched for au and mtl")
    scores = tables.scores(task_format, decoder, samples)
    valid = samples.valid_action_units & np.isfinite(scores).all(axis=1)
    found = search_thresholds(samples.action_units[valid], scores[valid])
    return replace(found, labels=tuple(samples.action_unit_labels))


def search_weights(
    task: str,
    data: str | Path,
    models: Sequence[str | Path],
    *,
    split: str = "valid",
    smoothing: Smoothing | str | None = None,
) -> dict[str, BlendSearch]:
    """Search the weights with the best score, for each task of the protocol or each emotion of whole clips.

    The order is that of `TablePredictor`: interpolated, blended, smoothed, decoded, scored over the whole split.

    Args:
        task: Name in `TUNABLE`.
        data: Folder of the data set.
        models: Two or more folders of affect tables; for ``emi`` and ``eri`` files of predictions.
        split: Split of the data set.
        smoothing: Filter over the blended frames; settings, their text, or None for none.

    Returns:
        ``"va"``, ``"expr"``, ``"au"`` or the name of an emotion -> result of the search, in steps of 0.1.

    Raises:
        ConfigError: The task is unknown, or there are fewer than two models.
        AnnotationError: The data set is malformed.
        InputError: Predictions cannot be read or do not cover the data set.
    """
    if task not in TUNABLE:
        raise ConfigError(f"weights are searched for {', '.join(TUNABLE)}, not for {task!r}")
    if len(models) < 2:
        raise ConfigError("a blend needs at least two models")
    if task in _CLIP_SETS:
        if smoothing is not None:
            raise ConfigError(f"{task} has one row per video; there is nothing to smooth")
        return _search_emotions(task, data, models, split)
    samples, task_format = _frames(task, data, split)
    predictor_of = partial(TablePredictor, models, smoothing=Smoothing.of(smoothing))
    equal = predictor_of()
    loaded = equal.load(task_format)
    found: dict[str, BlendSearch] = {}
    for decoder in equal.decoders(task_format):

        def score(weights: Float64, decoder: TaskDecoder = decoder) -> float:
            blended = predictor_of(weights={decoder.task: weights.tolist()})
            return _score(decoder.task, samples, blended.scores(task_format, decoder, samples, loaded=loaded))

        # The filter needs the blended frames of all tracks, so the search runs over weights in place of arrays: the
        # blend of unit vectors is the weights themselves.
        chosen = search_blend(list(np.eye(len(models))), score)
        note = small_set_note("weights", *_positives(decoder.task, samples))
        found[decoder.task] = replace(chosen, note=note)
    return found


def choose_compound_model(
    data: str | Path, models: Sequence[str | Path], *, smoothing: Smoothing | str | None = None
) -> dict[str, float]:
    """Kullback-Leibler divergence of each model's compound expressions from published frequencies, best first.

    No labels are needed, only the frames of the official list of C-EXPR-DB.

    Args:
        data: Folder of C-EXPR-DB.
        models: Folders of affect tables.
        smoothing: Filter before the decision; settings, their text, or None for none.

    Returns:
        Folder of a model -> divergence in nats, in ascending order.

    Raises:
        ConfigError: Two folders have one name.
        AnnotationError: The list is malformed.
        InputError: A table cannot be read, or a video is in none.
    """
    filters = Smoothing.of(smoothing)
    samples = cast("FrameSamples", load_dataset("cexpr", data, "test"))
    task_format = PREDICTION_FORMATS["ce"]
    classes = {
        str(folder): TablePredictor([folder], smoothing=filters).predict_frames(task_format, samples)[:, 0]
        for folder in models
    }
    # Videos in which a model found no face have no class; the others are compared.
    seen = np.isfinite(list(classes.values())).all(axis=0)
    classes = {folder: values[seen].astype(np.intp) for folder, values in classes.items()}
    divergences = choose_by_frequencies(classes)[1]
    return dict(sorted(divergences.items(), key=lambda item: item[1]))


def _frames(task: str, data: str | Path, split: str) -> tuple[FrameSamples, SubmissionFormat]:
    if task not in _FRAME_SETS:
        raise ConfigError(f"{task!r} is none of {', '.join(_FRAME_SETS)}")
    samples = cast("FrameSamples", load_dataset(_FRAME_SETS[task], data, split))
    return samples, edition_format(task, samples.expression_labels, samples.action_unit_labels)


def _positives(task: str, samples: FrameSamples) -> tuple[Sequence[str], list[int]]:
    """Labels of a task, and the number of valid rows of each; the whole is one label of valence and arousal."""
    if task == "va":
        return ["valence and arousal"], [int(np.count_nonzero(samples.valid_valence_arousal))]
    if task == "expr":
        classes = samples.expression[samples.valid_expression]
        counts = np.bincount(classes.astype(np.intp), minlength=len(samples.expression_labels))
        return samples.expression_labels, counts.tolist()
    present = samples.action_units[samples.valid_action_units] == 1
    return samples.action_unit_labels, present.sum(axis=0).tolist()


def _score(task: str, samples: FrameSamples, values: Float64) -> float:
    """The challenge's score of one task; action units are present from the official threshold on."""
    seen = np.isfinite(values).all(axis=1)  # a track without any face has no scores
    if task == "va":
        return p_va(samples.valence_arousal, values, samples.valid_valence_arousal & seen)
    if task == "expr":
        n_classes = len(samples.expression_labels)
        return p_expr(samples.expression, values.argmax(axis=1), samples.valid_expression & seen, n_classes=n_classes)
    present = (values >= OFFICIAL_THRESHOLD).astype(np.int8)
    return p_au(samples.action_units, present, samples.valid_action_units & seen)


def _search_emotions(task: str, data: str | Path, models: Sequence[str | Path], split: str) -> dict[str, BlendSearch]:
    samples = cast("ClipSamples", load_dataset(task, data, split))
    valid = samples.valid_intensities
    values = [PredictionFile(Path(path)).predict_clips(PREDICTION_FORMATS[task], samples)[valid] for path in models]
    truth = samples.intensities[valid]
    found = search_blend_per_column(values, lambda column, own: pearson(own, truth[:, column]))
    note = small_set_note("weights", samples.labels, [len(truth)] * len(samples.labels))
    return {name: replace(search, note=note) for name, search in zip(samples.labels, found, strict=True)}
