# SPDX-License-Identifier: Apache-2.0
"""Submissions: predictions for every row of the official list, from tables, bundles, heads or files."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.core import ConfigError, Float64, Indices, InputError, Int64
from mien.datasets import AnnotationError, Table, frame_columns, some_names
from mien.evaluation.challenge.clip_head_predictions import HeadsOnFeatures
from mien.evaluation.challenge.ensembles import TablePredictor
from mien.evaluation.challenge.post_processing import PostProcessing
from mien.evaluation.challenge.predictions import (
    KEY,
    load_list,
    read_predictions,
    validate_predictions,
    write_predictions,
)
from mien.evaluation.challenge.submission_formats import SubmissionFormat, submission_format
from mien.evaluation.evaluation_report import Coverage
from mien.evaluation.subjects import Subject, blend_of_models, create_predictor
from mien.results import check_output

_Listed = tuple[str, Indices, Int64]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Summary of a submission that was written.

    Attributes:
        n_rows: Number of rows, as in the list.
        n_filled: Number of rows whose frame has no face; they are interpolated or copied within their video.
        without_face: Videos without any face, whose rows hold the first class, 0 or "absent".
        messages: Notes for the user, in sentences.
        coverage: Frames and tracks with a face; None where no faces are read.
    """

    n_rows: int
    n_filled: int
    without_face: tuple[str, ...]
    messages: tuple[str, ...]
    coverage: Coverage | None = None


def write_submission(
    task: str,
    subject: Subject,
    list_path: str | Path,
    out: str | Path,
    *,
    crops: str | Path | None = None,
    features: Sequence[str | Path] = (),
    post_processing: PostProcessing | None = None,
) -> Submission:
    """Write the submission for a task, every row of the list in its order, and validate it.

    Of each video the main face counts (see `VideoScores`), for compound expressions every face. Its scores are
    interpolated over all frames of the list, smoothed, and decoded last.

    Args:
        task: Name in `SUBMISSIONS`.
        subject: A folder of affect tables, or several to blend; bundles (name, folder or analyzer) together with
            ``crops``, and tables and heads beside them; for ``emi`` a folder of a head over clips, several to blend, or
            one folder of CSV files in the format of the submission; or a loaded `TablePredictor` or `HeadsOnFeatures`.
        list_path: The official list.
        out: File to write.
        crops: Folder of official crops, ``<track>/00001.jpg``, on which a bundle runs, or of the data set that holds
            them (`mien.datasets.crops_at`); None for all other subjects.
        features: Folders of feature shards that heads read.
        post_processing: Smoothing of the interpolated frames, thresholds, and weights of the models; None for none.

    Raises:
        ConfigError: The task is unknown, an option does not fit it, or the file would replace the list or a table.
        ModelError: A bundle or head is missing, damaged or of another kind.
        InputError: The list or the predictions cannot be read, or do not cover the list.
        OutputError: The file cannot be written.

    Examples:
        A blend of two folders of tables, smoothed and with weights for one task::

            post = PostProcessing(smoothing="va=50", weights={"va": (0.7, 0.3)})
            write_submission("va", ["tables/a", "tables/b"], "list.txt", "va.txt", post_processing=post)
    """
    task_format, listed = submission_format(task), Path(list_path)
    target = check_output("--out", out, {"--list": listed})
    rows = load_list(listed)
    names, places = rows.texts(KEY), _listed(task_format, rows)
    predictor = _predictor(task_format, subject, None if crops is None else Path(crops), features, post_processing)
    if isinstance(predictor, TablePredictor):
        values, report = _from_tables(task_format, predictor, names, places)
    else:
        values = (
            _intensities(task_format, predictor, names)
            if isinstance(predictor, Path)
            else predictor.predict_names(task_format, names.to_pylist())
        )
        report = Submission(n_rows=len(names), n_filled=0, without_face=(), messages=())
    write_predictions(task_format, names, values, target)
    validate_predictions(task_format, target, listed)
    return report


def validate_submission(task: str, path: str | Path, list_path: str | Path) -> int:
    """Check a finished submission against the official list: header, order, number of rows, ranges and classes.

    Returns:
        The number of rows.

    Raises:
        ConfigError: The task has no submissions.
        InputError: The first fault, with its line.
    """
    return validate_predictions(submission_format(task), Path(path), Path(list_path))


def _predictor(
    task_format: SubmissionFormat,
    subject: Any,
    crops: Path | None,
    features: Sequence[str | Path],
    post_processing: PostProcessing | None,
) -> TablePredictor | HeadsOnFeatures | Path:
    """What fills the list: tables or a bundle, heads, or the folder of CSV files of ``emi``."""
    post = post_processing or PostProcessing()
    if crops is not None:
        subjects = [*subject] if isinstance(subject, (list, tuple)) else [subject]
        if post.weights and len(subjects) == 1:
            raise ConfigError("one bundle on crops has no weights; leave them out")
        return blend_of_models(subjects, task_format, crops, features, post)
    if task_format.name == "emi" and (folder := _csv_folder(subject)) is not None:
        if post.decides or post.weights or features:
            raise ConfigError("a folder of CSV files takes no further option; blend such files with mien blend")
        return folder
    predictor = create_predictor(subject, task_format, features=features, post_processing=post)
    if not isinstance(predictor, (TablePredictor, HeadsOnFeatures)):
        raise ConfigError(
            f"a submission for {task_format.name} needs folders of affect tables, folders of heads, or a bundle and"
            " its crops"
        )
    return predictor


def _csv_folder(subject: Any) -> Path | None:
    """The one folder that a subject names, if it holds no head."""
    one = subject[0] if isinstance(subject, (list, tuple)) and len(subject) == 1 else subject
    if isinstance(one, (str, Path)) and Path(one).is_dir() and not (Path(one) / "head.json").is_file():
        return Path(one)
    return None


def _from_tables(
    task_format: SubmissionFormat, models: TablePredictor, names: pa.Array, listed: Sequence[_Listed]
) -> tuple[Float64, Submission]:
    decoders, loaded = models.decoders(task_format), models.load(task_format)
    messages = [f"no model predicts {column}; it counts as 0 throughout" for column in models.missing(task_format)]
    values = np.zeros((len(names), len(task_format.fields)))
    other_tracks = [video for video, _, _ in listed]
    n_filled, without_face = 0, []
    for video, rows, frames in listed:
        scores = [models.track_scores(each, loaded, video, frames, other_tracks=other_tracks) for each in decoders]
        # The rules want a value for every row, also of a video in which nothing was seen.
        decoded = [each.decode(np.nan_to_num(own)) for each, own in zip(decoders, scores, strict=True)]
        values[rows] = np.concatenate(decoded, axis=1)
        known = np.any([tables.knows(video, frames, other_tracks) for tables in loaded], axis=0)
        n_filled += int((~known).sum())
        if not any(tables.anywhere(video, other_tracks) for tables in loaded):
            without_face.append(video)
    coverage = Coverage(
        n_rows=len(names),
        n_with_face=len(names) - n_filled,
        n_tracks=len(listed),
        without_face=tuple(without_face),
    )
    if not coverage.n_with_face and len(without_face) == len(listed):
        raise InputError(
            f"{models.name} has no face in any of the {len(listed)} videos of the list; nothing is written"
        )
    if without_face:
        messages.append(
            f"no face at all in {some_names(without_face)} ({len(without_face)} of {len(listed)} videos): class 0,"
            " value 0 and absent units were written"
        )
    report = Submission(
        n_rows=len(names),
        n_filled=n_filled,
        without_face=tuple(without_face),
        messages=tuple(messages),
        coverage=coverage,
    )
    return values, report


def _listed(task_format: SubmissionFormat, rows: Table) -> list[_Listed]:
    """Each video of the list, its rows, and their frames.

    Raises:
        InputError: A name is not of the form ``video/00001.jpg``, or counts from 0; with its line.
    """
    if not task_format.per_frame:
        return [(name, np.array([row]), np.array([1])) for row, name in enumerate(rows.texts(KEY).to_pylist())]
    try:
        columns = frame_columns(rows, None)
    except AnnotationError as error:
        raise InputError(str(error)) from error
    index, frames = columns["track_index"], columns["frame"].astype(np.int64)
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(len(columns["tracks"]) + 1))
    members = [order[start:stop] for start, stop in itertools.pairwise(bounds)]
    return [(video, own, frames[own]) for video, own in zip(columns["tracks"], members, strict=True)]


def _intensities(task_format: SubmissionFormat, folder: Path, names: pa.Array) -> Float64:
    """The rows of the list, from files in the format of the submission."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise InputError(f"{folder} holds no CSV files with the header {task_format.header_line!r}")
    parts = [read_predictions(task_format, path) for path in paths]
    known = pa.concat_arrays([part.names for part in parts])
    if pc.count_distinct(known).as_py() < len(known):
        raise InputError(f"{folder}: a video has two rows; keep one")
    rows = pc.index_in(names, value_set=known)
    if rows.null_count:
        missing = names.filter(rows.is_null())
        raise InputError(f"{folder}: {len(missing)} videos of the list have no row, the first is {missing[0]}")
    values: Float64 = np.concatenate([part.values for part in parts])[rows.to_numpy()]
    return values
