# SPDX-License-Identifier: Apache-2.0
"""Protocols of the ABAW challenges and AffectNet, each a function of a predictor, a data folder and a split.

Frames of all videos are concatenated and scored once; intervals come from resampling whole videos, a video's tracks
together. Rows without a valid label are left out, task by task, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from mien.datasets import ClipSamples, FrameSamples, ImageSamples, base_video, load_dataset
from mien.evaluation.challenge.submission_formats import PREDICTION_FORMATS, edition_format
from mien.evaluation.evaluation_report import (
    LabelledRows,
    Report,
    Score,
    action_unit_scores,
    expression_scores,
    fg2020_action_unit_score,
    fg2020_expression_score,
    intensity_scores,
    sum_score,
    va_scores,
)
from mien.evaluation.predictors import Floats, Predictor

Bools = npt.NDArray[np.bool_]

_WITH_CROP = ", frames with a crop"


def evaluate_va(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Aff-Wild2 valence and arousal: P_VA and both CCC."""
    samples = cast("FrameSamples", load_dataset("affwild2-va", data, split))
    values = subject.of_frames(PREDICTION_FORMATS["va"], samples)
    rows = _FrameRows(samples)
    scores = [*va_scores(rows.scored(samples.valence_arousal, values, samples.valid_valence_arousal))]
    scores += [
        va_scores(rows.scored(samples.valence_arousal, values, valid, _WITH_CROP))[0]
        for valid in rows.with_crop(samples.valid_valence_arousal)
    ]
    return _report("va", samples, subject, {"valence and arousal": samples.valid_valence_arousal}, scores)


def evaluate_expr(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Aff-Wild2 expressions: macro F1 over all classes of the edition; the FG2020 score for seven."""
    samples = cast("FrameSamples", load_dataset("affwild2-expr", data, split))
    seven = len(samples.expression_labels) == 7
    values = subject.of_frames(edition_format("expr", samples.expression_labels, ()), samples)[:, 0]
    rows = _FrameRows(samples)
    scored = rows.scored(samples.expression, values, samples.valid_expression)
    scores = [*expression_scores(scored, samples.expression_labels)]
    if seven:
        scores.append(fg2020_expression_score(scored))
    for valid in rows.with_crop(samples.valid_expression):
        shown = rows.scored(samples.expression, values, valid, _WITH_CROP)
        scores += expression_scores(shown, samples.expression_labels)[:2]
    return _report("expr", samples, subject, {"expression": samples.valid_expression}, scores)


def evaluate_au(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Aff-Wild2 action units: mean F1 over all units of the edition; the FG2020 score for eight."""
    samples = cast("FrameSamples", load_dataset("affwild2-au", data, split))
    eight = len(samples.action_unit_labels) == 8
    values = subject.of_frames(edition_format("au", (), samples.action_unit_labels), samples)
    rows = _FrameRows(samples)
    scored = rows.scored(samples.action_units, values, samples.valid_action_units)
    scores = [*action_unit_scores(scored, samples.action_unit_labels)]
    if eight:
        scores.append(fg2020_action_unit_score(scored))
    scores += [
        action_unit_scores(rows.scored(samples.action_units, values, valid, _WITH_CROP), samples.action_unit_labels)[0]
        for valid in rows.with_crop(samples.valid_action_units)
    ]
    return _report("au", samples, subject, {"action units": samples.valid_action_units}, scores)


def evaluate_mtl(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """s-Aff-Wild2: P_MTL and its three parts, each on its own valid rows."""
    samples = cast("FrameSamples", load_dataset("affwild2-mtl", data, split))
    values = subject.of_frames(PREDICTION_FORMATS["mtl"], samples)
    rows = _FrameRows(samples)
    parts = (
        va_scores(rows.scored(samples.valence_arousal, values[:, :2], samples.valid_valence_arousal)),
        expression_scores(
            rows.scored(samples.expression, values[:, 2], samples.valid_expression), samples.expression_labels
        ),
        action_unit_scores(
            rows.scored(samples.action_units, values[:, 3:], samples.valid_action_units), samples.action_unit_labels
        ),
    )
    masks = {
        "valence and arousal": samples.valid_valence_arousal,
        "expression": samples.valid_expression,
        "action units": samples.valid_action_units,
    }
    total = sum_score("P_MTL", [part[0] for part in parts])
    return _report("mtl", samples, subject, masks, [total, *(score for part in parts for score in part)])


def evaluate_ce(subject: Predictor, data: Path, split: str = "train") -> Report:
    """Compound expressions: macro F1 over seven classes, on a re-annotation, as the challenge gives no labels."""
    samples = cast("FrameSamples", load_dataset("cexpr", data, split))
    values = subject.of_frames(PREDICTION_FORMATS["ce"], samples)[:, 0]
    labels = samples.expression_labels[:7]
    # Some re-annotations have an eighth class, "other", which the challenge does not score.
    valid = samples.valid_expression & (samples.expression < len(labels))
    rows = _FrameRows(samples)
    scores = expression_scores(rows.scored(samples.expression, values, valid), labels, title="macro F1")
    return _report("ce", samples, subject, {"compound expression": valid}, scores)


def evaluate_lsd(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Learning from synthetic data: macro F1 over six expressions; each image is drawn by itself."""
    samples = cast("ImageSamples", load_dataset("lsd", data, split))
    values = subject.of_images(PREDICTION_FORMATS["lsd"], samples)[:, 0]
    scored = _scored_alone(samples.expression, values, samples.valid_expression)
    scores = expression_scores(scored, samples.expression_labels, title="macro F1")
    return _report("lsd", samples, subject, {"expression": samples.valid_expression}, scores)


def evaluate_affectnet(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """AffectNet: accuracy over eight classes, and over seven by leaving out contempt, images and column."""
    release = "affectnet-npy" if (data / "val_set").is_dir() else "affectnet"
    samples = cast("ImageSamples", load_dataset(release, data, split))
    values = subject.of_images(PREDICTION_FORMATS["affectnet"], samples)
    contempt = samples.expression_labels.index("contempt")
    valid, n_classes = samples.valid_expression, len(samples.expression_labels)
    eight = _scored_alone(samples.expression, values.argmax(axis=1), valid).class_counts(n_classes)
    others = np.where(np.arange(n_classes) == contempt, -np.inf, values)
    rows = valid & (samples.expression != contempt)
    seven = _scored_alone(samples.expression, others.argmax(axis=1), rows).class_counts(n_classes)
    scores = (
        Score("accuracy, 8 classes", int(valid.sum()), lambda w: eight.pooled(w).accuracy, int(valid.sum())),
        Score("accuracy, 7 classes", int(rows.sum()), lambda w: seven.pooled(w).accuracy, int(rows.sum())),
    )
    return _report("affectnet", samples, subject, {"expression": valid}, scores)


def evaluate_emi(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Emotional mimicry intensity: mean Pearson correlation over six emotions."""
    return _evaluate_clips("emi", subject, data, split)


def evaluate_eri(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Emotional reaction intensity: mean Pearson correlation over seven emotions."""
    return _evaluate_clips("eri", subject, data, split)


def _evaluate_clips(name: str, subject: Predictor, data: Path, split: str) -> Report:
    samples = cast("ClipSamples", load_dataset(name, data, split))
    values = subject.of_clips(PREDICTION_FORMATS[name], samples)
    scored = _scored_alone(samples.intensities, values, samples.valid_intensities)
    masks = {"intensities": samples.valid_intensities}
    return _report(name, samples, subject, masks, intensity_scores(scored, samples.labels))


class _FrameRows:
    """Picks the labelled rows of frame samples, with the video of each."""

    def __init__(self, samples: FrameSamples) -> None:
        self._samples = samples
        videos, of_track = np.unique([base_video(track) for track in samples.tracks], return_inverse=True)
        self._n_videos = len(videos)
        self._video = of_track.astype(np.int32)[samples.track_index]

    def scored(self, truth: npt.NDArray[np.generic], guess: Floats, valid: Bools, where: str = "") -> LabelledRows:
        return LabelledRows(
            truth=truth[valid],
            guess=guess[valid],
            groups=self._video[valid],
            n_groups=self._n_videos,
            where=where,
        )

    def with_crop(self, valid: Bools) -> Sequence[Bools]:
        """The valid rows that have a crop, which is what many notebooks score; none if nothing would differ."""
        shown = valid & self._samples.has_image
        differs = self._samples.crops is not None and shown.any() and not np.array_equal(shown, valid)
        return [shown] if differs else []


def _scored_alone(truth: npt.NDArray[np.generic], guess: Floats | npt.NDArray[np.intp], valid: Bools) -> LabelledRows:
    """The valid rows, each a group of its own."""
    n = int(valid.sum())
    return LabelledRows(truth=truth[valid], guess=guess[valid], groups=np.arange(n), n_groups=n)


def _report(
    name: str,
    samples: FrameSamples | ImageSamples | ClipSamples,
    predictor: Predictor,
    masks: dict[str, Bools],
    scores: Sequence[Score],
) -> Report:
    return Report(
        protocol=name,
        data=f"{samples.dataset}, {samples.split}",
        predictor=predictor.name,
        digest=predictor.digest,
        n_rows=len(samples),
        dropped={f"without valid {task}": int((~valid).sum()) for task, valid in masks.items()},
        metrics=tuple(score.measured() for score in scores),
    )
