# SPDX-License-Identifier: Apache-2.0
"""Submissions: from affect tables (or files of intensities) to one row for each row of the official list."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mien.affect import Smoothing
from mien.core import ConfigError, InputError
from mien.evaluation.challenge.clip_head_predictions import HeadsOnFeatures
from mien.evaluation.challenge.crop_scores import BundleOnCropFolder
from mien.evaluation.challenge.ensembles import TablePredictor
from mien.evaluation.challenge.predictions import read_list, read_predictions, validate_predictions, write_predictions
from mien.evaluation.challenge.submission_formats import SubmissionFormat, submission_format

Floats = npt.NDArray[np.float64]

_FRAME = re.compile(r"(?P<video>.+)/(?P<frame>\d+)\.jpg")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What was written.

    Attributes:
        n_rows: rows, as many as the list has.
        n_filled: rows whose frame has no face; they are interpolated or copied within their video.
        without_face: videos without any face, whose rows hold the first class, 0 or "absent".
        messages: what the user should know, in sentences.
    """

    n_rows: int
    n_filled: int
    without_face: tuple[str, ...]
    messages: tuple[str, ...]


def write_submission(
    task: str,
    predictions: Path | BundleOnCropFolder | Sequence[Path | BundleOnCropFolder],
    list_path: Path,
    out: Path,
    *,
    smoothing: Smoothing | None = None,
    thresholds: Sequence[float] = (),
    weights: Mapping[str, Sequence[float]] | None = None,
) -> Submission:
    """Write the submission for a task, every row of the list in its order, and validate it.

    Of each video the main face counts (see `VideoScores`), for compound expressions every face. Its values are laid
    out on all frames of the list by interpolation, smoothed, and decided last.

    Args:
        task: in `SUBMISSIONS`.
        predictions: a folder of affect tables or a bundle on crops, or one for each model of a blend; for ``emi`` one
            folder of CSV files in the form of the submission.
        list_path: the official list.
        out: the file to write.
        smoothing: of the dense frames; None for none. Leave it out for tables that are smoothed already.
        thresholds: 12 probabilities from which an action unit counts as present; empty for .5 throughout.
        weights: of the models, as `TablePredictor` takes them.

    Raises:
        ConfigError: the task is unknown, or an option does not fit it.
        InputError: the list or the predictions cannot be read, or do not cover the list.
        OutputError: the file cannot be written.
    """
    form = submission_format(task)
    names = read_list(list_path)
    models = [predictions] if isinstance(predictions, (Path, BundleOnCropFolder)) else list(predictions)
    if task == "emi":
        if len(models) != 1 or not isinstance(models[0], Path) or weights or thresholds or smoothing:
            raise ConfigError("emi takes one folder of CSV files and no further option; blend them with mien blend")
        values = _intensities(form, models[0], names)
        report = Submission(n_rows=len(names), n_filled=0, without_face=(), messages=())
    else:
        tables = TablePredictor(models, smoothing=smoothing, thresholds=thresholds, weights=weights)
        values, report = _from_tables(form, tables, names)
    write_predictions(form, names, values, out)
    validate_predictions(form, out, list_path)
    return report


def write_intensities(task: str, heads: HeadsOnFeatures, list_path: Path, out: Path) -> int:
    """Write the submission of a task of whole clips from heads on stored vectors, and validate it.

    Returns:
        The number of rows.

    Raises:
        ConfigError: the task has no submissions, or is not of clips.
        InputError: the list cannot be read, or a clip of it has no vector.
        OutputError: the file cannot be written.
    """
    form, names = submission_format(task), read_list(list_path)
    write_predictions(form, names, heads.of_names(form, names.to_pylist()), out)
    return validate_predictions(form, out, list_path)


def _from_tables(form: SubmissionFormat, models: TablePredictor, names: pa.Array) -> tuple[Floats, Submission]:
    parts, loaded = models.parts(form), models.load(form)
    absent = [name for name in loaded[0].absent if all(name in tables.absent for tables in loaded)]
    messages = [f"{column} is given by no model; it counts as 0 throughout" for column in absent]
    values = np.zeros((len(names), len(form.entries)))
    listed = _listed(form, names)
    other_tracks = [video for video, _, _ in listed]
    n_filled, without_face = 0, []
    for video, rows, frames in listed:
        scores = (part.decode(models.video(part, loaded, video, frames, other_tracks=other_tracks)) for part in parts)
        values[rows] = np.concatenate(list(scores), axis=1)
        seen = np.unique(np.concatenate([tables.faces(video, other_tracks).frames for tables in loaded]))
        n_filled += int((~np.isin(frames, seen)).sum())
        if not len(seen):
            without_face.append(video)
    if without_face:
        messages.append(f"no face at all in {', '.join(without_face)}: class 0, value 0 and absent units were written")
    report = Submission(
        n_rows=len(names), n_filled=n_filled, without_face=tuple(without_face), messages=tuple(messages)
    )
    return values, report


def _listed(form: SubmissionFormat, names: pa.Array) -> list[tuple[str, npt.NDArray[np.intp], npt.NDArray[np.int64]]]:
    """Each video of the list, its rows, and their frames."""
    if not form.of_frames:
        texts = names.to_pylist()
        return [(name, np.array([row]), np.array([1])) for row, name in enumerate(texts)]
    parts = pc.extract_regex(names, f"^{_FRAME.pattern}$".replace(r"\d", "[0-9]"))
    bad = np.asarray(parts.is_null())
    if bad.any():
        row = int(bad.argmax())
        raise InputError(f"line {row + 2} of the list: {names[row]} is not of the form video/00001.jpg")
    frames = pc.cast(parts.field("frame"), pa.int64()).to_numpy()
    coded = parts.field("video").dictionary_encode()
    index = coded.indices.to_numpy()
    order = np.argsort(index, kind="stable")
    videos = coded.dictionary.to_pylist()
    bounds = np.searchsorted(index[order], np.arange(len(videos) + 1))
    members = [order[start:stop] for start, stop in itertools.pairwise(bounds)]
    return [(video, rows, frames[rows]) for video, rows in zip(videos, members, strict=True)]


def _intensities(form: SubmissionFormat, folder: Path, names: pa.Array) -> Floats:
    """The rows of the list from files of the form."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise InputError(f"{folder} holds no CSV files with the header {form.header_line!r}")
    parts = [read_predictions(form, path) for path in paths]
    known = pa.concat_arrays([part.names for part in parts])
    if pc.count_distinct(known).as_py() < len(known):
        raise InputError(f"{folder}: a video is there twice; keep one row for each")
    rows = pc.index_in(names, value_set=known)
    if rows.null_count:
        missing = names.filter(rows.is_null())
        raise InputError(f"{folder}: {len(missing)} videos of the list have no row, the first is {missing[0]}")
    values: Floats = np.concatenate([part.values for part in parts])[rows.to_numpy()]
    return values
