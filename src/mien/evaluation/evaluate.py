# SPDX-License-Identifier: Apache-2.0
"""`evaluate`: a protocol by name, what it evaluates, and a data folder make a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mien.core import ConfigError
from mien.datasets import find_crops
from mien.evaluation.challenge.post_processing import PostProcessing
from mien.evaluation.challenge.submission_formats import PREDICTION_FORMATS
from mien.evaluation.evaluation_report import Report
from mien.evaluation.protocols.registry import PROTOCOLS
from mien.evaluation.subjects import Subject, create_predictor, load_affect, load_landmarks


def evaluate(
    protocol: str,
    subject: Subject,
    data: str | Path,
    split: str | None = None,
    *,
    features: Sequence[str | Path] = (),
    post_processing: PostProcessing | None = None,
    landmark_model: str | Path | None = None,
) -> Report:
    """Evaluate a bundle or predictions by a named protocol.

    Args:
        protocol: Name in `PROTOCOLS`.
        subject: A bundle by name, folder or loaded (`mien.affect.Analyzer`, `mien.faces.LandmarkNet`), None for the
            default one; for the challenges also a file of predictions, a folder of affect tables (several to blend),
            a folder of a head over clips (several to blend), or any `Predictor`.
        data: Folder of the data set.
        split: Split of the data set; None for the protocol's own.
        features: Folders of feature shards that heads over clips read.
        post_processing: Smoothing, thresholds and weights of the challenges' predictions; None for none.
        landmark_model: Name or folder of the landmark net beside an affect bundle; None for the default.

    Returns:
        Metrics with 95 % bootstrap intervals.

    Raises:
        ConfigError: The protocol is unknown, or an option or the split does not fit it.
        ModelError: A bundle or head is missing, damaged or of a kind that the protocol cannot use.
        DatasetError: The data set is incomplete or malformed.
        InputError: Predictions cannot be read or do not cover the data set.

    Examples:
        ``evaluate("va", ["tables/a", "tables/b"], "Aff-Wild2")`` blends the tables of two models;
        ``evaluate("ferplus", "mien-light", "data").metrics`` are the metrics of a bundle. A bundle of the wrong kind is
        an error:

        >>> evaluate("ferplus", "mien-points", "data")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        mien.core.errors.ModelError: mien-points predicts landmarks, and a bundle that predicts affect is needed; ...
    """
    record, folder = PROTOCOLS[protocol], Path(data)
    chosen = split or record.split
    if record.splits and chosen not in record.splits:
        raise ConfigError(f"{protocol} evaluates {' or '.join(record.splits)}, not the split {chosen!r}")
    if landmark_model is not None and record.subject != "affect":
        raise ConfigError(f"{protocol} takes no landmark model beside its subject")
    given: Any
    if record.subject == "predictions":
        task_format, crops = PREDICTION_FORMATS[protocol], find_crops(folder, None)
        given = create_predictor(subject, task_format, features=features, crops=crops, post_processing=post_processing)
    else:
        post = post_processing or PostProcessing()
        if post.decides or post.weights or features:
            raise ConfigError(f"{protocol} takes no smoothing, thresholds, weights or features; the challenges do")
        if record.subject == "landmarks":
            given = load_landmarks(subject, protocol)
        else:
            given = load_affect(subject, protocol, landmark_model=landmark_model)
    report: Report = PROTOCOLS.load(protocol)(given, folder, chosen)
    return report
