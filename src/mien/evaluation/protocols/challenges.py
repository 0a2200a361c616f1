# SPDX-License-Identifier: Apache-2.0
"""Protocols of the ABAW challenges and AffectNet, each a function of a predictor, a data folder and a split.

A metric is computed once over the concatenated frames of all videos; intervals come from resampling whole videos, all
tracks of a video together. Rows without a valid label are left out, task by task, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mien.core import Bools, DatasetError, Float64, Indices, InputError
from mien.datasets import ClipSamples, FrameSamples, ImageSamples, base_video, deeper_crops, load_dataset
from mien.evaluation.challenge.submission_formats import PREDICTION_FORMATS, SubmissionFormat, edition_format
from mien.evaluation.evaluation_report import Coverage, Report
from mien.evaluation.predictors import Predictor, no_crops
from mien.evaluation.protocols.challenge_metrics import (
    GroupMetric,
    LabelledRows,
    expression_metrics,
    fg2020_expression_metric,
    fg2020_unit_metric,
    intensity_metrics,
    sum_metric,
    unit_metrics,
    va_metrics,
)

Labels = npt.NDArray[np.generic]

_WITH_CROP = ", frames with a crop"


def evaluate_va(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Aff-Wild2 valence and arousal: P_VA and both CCC."""
    samples = cast("FrameSamples", load_dataset("affwild2-va", data, split))
    values, rows = _predicted_frames(PREDICTION_FORMATS["va"], subject, samples, data)
    metrics = [*va_metrics(rows.labelled(samples.valence_arousal, values, samples.valid_valence_arousal))]
    metrics += [
        va_metrics(rows.labelled(samples.valence_arousal, values, valid, _WITH_CROP))[0]
        for valid in rows.with_crop(samples.valid_valence_arousal)
    ]
    return rows.report("va", subject, {"valence and arousal": samples.valid_valence_arousal}, metrics)


def evaluate_expr(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Aff-Wild2 expressions: macro F1 over all classes of the edition; the FG2020 score for seven."""
    samples = cast("FrameSamples", load_dataset("affwild2-expr", data, split))
    seven = len(samples.expression_labels) == 7
    task_format = edition_format("expr", samples.expression_labels, ())
    values, rows = _predicted_frames(task_format, subject, samples, data)
    values = values[:, 0]
    labelled = rows.labelled(samples.expression, values, samples.valid_expression)
    metrics = [*expression_metrics(labelled, samples.expression_labels)]
    if seven:
        metrics.append(fg2020_expression_metric(labelled))
    for valid in rows.with_crop(samples.valid_expression):
        with_crop = rows.labelled(samples.expression, values, valid, _WITH_CROP)
        metrics += expression_metrics(with_crop, samples.expression_labels)[:2]
    return rows.report("expr", subject, {"expression": samples.valid_expression}, metrics)


def evaluate_au(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Aff-Wild2 action units: mean F1 over all units of the edition; the FG2020 score for eight."""
    samples = cast("FrameSamples", load_dataset("affwild2-au", data, split))
    eight = len(samples.action_unit_labels) == 8
    task_format = edition_format("au", (), samples.action_unit_labels)
    values, rows = _predicted_frames(task_format, subject, samples, data)
    labelled = rows.labelled(samples.action_units, values, samples.valid_action_units)
    metrics = [*unit_metrics(labelled, samples.action_unit_labels)]
    if eight:
        metrics.append(fg2020_unit_metric(labelled))
    metrics += [
        unit_metrics(rows.labelled(samples.action_units, values, valid, _WITH_CROP), samples.action_unit_labels)[0]
        for valid in rows.with_crop(samples.valid_action_units)
    ]
    return rows.report("au", subject, {"action units": samples.valid_action_units}, metrics)


def evaluate_mtl(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """s-Aff-Wild2: P_MTL and its three parts, each on its own valid rows."""
    samples = cast("FrameSamples", load_dataset("affwild2-mtl", data, split))
    values, rows = _predicted_frames(PREDICTION_FORMATS["mtl"], subject, samples, data)
    parts = (
        va_metrics(rows.labelled(samples.valence_arousal, values[:, :2], samples.valid_valence_arousal)),
        expression_metrics(
            rows.labelled(samples.expression, values[:, 2], samples.valid_expression), samples.expression_labels
        ),
        unit_metrics(
            rows.labelled(samples.action_units, values[:, 3:], samples.valid_action_units), samples.action_unit_labels
        ),
    )
    masks = {
        "valence and arousal": samples.valid_valence_arousal,
        "expression": samples.valid_expression,
        "action units": samples.valid_action_units,
    }
    total = sum_metric("P_MTL", [part[0] for part in parts])
    return rows.report("mtl", subject, masks, [total, *(metric for part in parts for metric in part)])


def evaluate_ce(subject: Predictor, data: Path, split: str = "train") -> Report:
    """Compound expressions: macro F1 over seven classes on a re-annotation, as the challenge publishes no labels."""
    samples = cast("FrameSamples", load_dataset("cexpr", data, split))
    values, rows = _predicted_frames(PREDICTION_FORMATS["ce"], subject, samples, data)
    labels = samples.expression_labels[:7]
    # Some re-annotations have an eighth class, "other", which the challenge does not score.
    valid = samples.valid_expression & (samples.expression < len(labels))
    metrics = expression_metrics(rows.labelled(samples.expression, values[:, 0], valid), labels, title="macro F1")
    return rows.report("ce", subject, {"compound expression": valid}, metrics)


def evaluate_lsd(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Learning from synthetic data: macro F1 over six expressions; intervals by resampling images."""
    samples = cast("ImageSamples", load_dataset("lsd", data, split))
    values = subject.predict_images(PREDICTION_FORMATS["lsd"], samples)[:, 0]
    seen, found = _seen_images(samples, values)
    labelled = _single_rows(samples.expression, values, samples.valid_expression & seen)
    metrics = expression_metrics(labelled, samples.expression_labels, title="macro F1")
    return replace(_report("lsd", samples, subject, {"expression": samples.valid_expression}, metrics), **found)


def evaluate_affectnet(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """AffectNet: accuracy over eight classes, and over seven without the images and the column of contempt."""
    release = "affectnet-npy" if (data / "val_set").is_dir() else "affectnet"
    samples = cast("ImageSamples", load_dataset(release, data, split))
    values = subject.predict_images(PREDICTION_FORMATS["affectnet"], samples)
    contempt = samples.expression_labels.index("contempt")
    seen, found = _seen_images(samples, values[:, 0])
    # The selection of HSEmotion: an image without a face box is not scored.
    boxed: Bools = np.asarray(~np.isnan(samples.boxes).any(axis=1))
    masks = {"expression": samples.valid_expression} | ({"face box": boxed} if boxed.any() else {})
    valid, n_classes = samples.valid_expression & seen & (boxed | ~boxed.any()), len(samples.expression_labels)
    if not valid.any():
        raise DatasetError(f"{samples.dataset}, {samples.split}: no image has an expression and a face to score")
    eight = _single_rows(samples.expression, values.argmax(axis=1), valid).class_counts(n_classes)
    others = np.where(np.arange(n_classes) == contempt, -np.inf, values)
    rows = valid & (samples.expression != contempt)
    seven = _single_rows(samples.expression, others.argmax(axis=1), rows).class_counts(n_classes)
    metrics = (
        GroupMetric("accuracy, 8 classes", int(valid.sum()), lambda w: eight.pooled(w).accuracy, int(valid.sum())),
        GroupMetric("accuracy, 7 classes", int(rows.sum()), lambda w: seven.pooled(w).accuracy, int(rows.sum())),
    )
    return replace(_report("affectnet", samples, subject, masks, metrics), **found)


def evaluate_emi(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Emotional mimicry intensity: mean Pearson correlation over six emotions."""
    return _evaluate_clips("emi", subject, data, split)


def evaluate_eri(subject: Predictor, data: Path, split: str = "valid") -> Report:
    """Emotional reaction intensity: mean Pearson correlation over seven emotions."""
    return _evaluate_clips("eri", subject, data, split)


def _evaluate_clips(name: str, subject: Predictor, data: Path, split: str) -> Report:
    samples = cast("ClipSamples", load_dataset(name, data, split))
    values = subject.predict_clips(PREDICTION_FORMATS[name], samples)
    labelled = _single_rows(samples.intensities, values, samples.valid_intensities)
    masks = {"intensities": samples.valid_intensities}
    return _report(name, samples, subject, masks, intensity_metrics(labelled, samples.labels))


def _predicted_frames(
    task_format: SubmissionFormat, subject: Predictor, samples: FrameSamples, data: Path
) -> tuple[Float64, _FrameRows]:
    """The predictions, and the rows that they can be scored on.

    Raises:
        DatasetError: Nothing is predicted for any row; the message names crops that lie too deep.
    """
    try:
        values = subject.predict_frames(task_format, samples)
        known: Bools = np.asarray(np.isfinite(values).all(axis=1))
        if not known.any():
            raise no_crops(samples)
    except DatasetError as error:
        deeper = deeper_crops(Path(data))
        raise DatasetError(f"{error} ({', '.join(deeper)} lies below it)" if deeper else str(error)) from error
    coverage = None
    with_face = getattr(subject, "frames_with_face", None)
    if with_face is not None:
        unseen = sorted({samples.tracks[index] for index in samples.track_index[~known]})
        n_with_face = int(with_face(task_format, samples).sum())
        n_tracks = len(np.unique(samples.track_index))
        coverage = Coverage(n_rows=len(samples), n_with_face=n_with_face, n_tracks=n_tracks, without_face=tuple(unseen))
    missing = getattr(subject, "missing", lambda _: ())(task_format)
    notes = tuple(f"no model predicts {name}; it counts as 0 throughout" for name in missing)
    return values, _FrameRows(samples, known, coverage, notes)


class _FrameRows:
    """The labelled rows of frame samples, with the video of each.

    Args:
        samples: N frames.
        known: (N,) rows with a prediction; a track without any face has none and is left out.
        coverage: Frames and tracks with a face.
        notes: Sentences for the report.
    """

    def __init__(self, samples: FrameSamples, known: Bools, coverage: Coverage | None, notes: tuple[str, ...]) -> None:
        self._samples, self._known, self._coverage, self._notes = samples, known, coverage, notes
        videos, of_track = np.unique([base_video(track) for track in samples.tracks], return_inverse=True)
        self._n_videos = len(videos)
        self._video = of_track.astype(np.int32)[samples.track_index]

    def report(
        self, name: str, predictor: Predictor, masks: dict[str, Bools], metrics: Sequence[GroupMetric]
    ) -> Report:
        report = _report(name, self._samples, predictor, masks, metrics)
        n_unknown = int((~self._known).sum())
        dropped = report.dropped | ({"in tracks without a face": n_unknown} if n_unknown else {})
        return replace(report, dropped=dropped, coverage=self._coverage, notes=self._notes)

    def labelled(self, truth: Labels, predicted: Float64, valid: Bools, subset: str = "") -> LabelledRows:
        valid = valid & self._known
        return LabelledRows(
            truth=truth[valid],
            predicted=predicted[valid],
            groups=self._video[valid],
            n_groups=self._n_videos,
            subset=subset,
        )

    def with_crop(self, valid: Bools) -> Sequence[Bools]:
        """The valid rows that have a crop, which many notebooks evaluate; empty if these are all valid rows."""
        rows = valid & self._known & self._samples.has_image
        differs = self._samples.crops is not None and rows.any() and not np.array_equal(rows, valid & self._known)
        return [rows] if differs else []


def _seen_images(samples: ImageSamples, values: Float64) -> tuple[Bools, dict[str, Any]]:
    """(N,) images with a prediction, and what a report says of the others."""
    seen: Bools = np.asarray(np.isfinite(values))
    if not seen.any():
        raise InputError(f"{samples.dataset}, {samples.split}: no face was found in any of its {len(samples)} images")
    if seen.all():
        return seen, {}
    names = tuple(samples.names[row] for row in np.flatnonzero(~seen))
    coverage = Coverage(n_rows=len(samples), n_with_face=int(seen.sum()), n_tracks=len(samples), without_face=names)
    return seen, {"coverage": coverage}


def _single_rows(truth: Labels, predicted: Float64 | Indices, valid: Bools) -> LabelledRows:
    """The valid rows, each a group of its own."""
    n = int(valid.sum())
    return LabelledRows(truth=truth[valid], predicted=predicted[valid], groups=np.arange(n), n_groups=n)


def _report(
    name: str,
    samples: FrameSamples | ImageSamples | ClipSamples,
    predictor: Predictor,
    masks: dict[str, Bools],
    metrics: Sequence[GroupMetric],
) -> Report:
    return Report(
        protocol=name,
        data=f"{samples.dataset}, {samples.split}",
        predictor=predictor.name,
        digest=predictor.digest,
        n_rows=len(samples),
        dropped={f"without valid {task}": int((~valid).sum()) for task, valid in masks.items()},
        metrics=tuple(each.bootstrap() for each in metrics),
    )
