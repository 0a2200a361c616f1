# SPDX-License-Identifier: Apache-2.0
"""Submissions: from affect tables (or files of intensities) to one row for each row of the official list."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mien.affect import Smoothing, compound_scores, fill_gaps, strongest_per_frame
from mien.core import DIMENSIONS, EXPRESSION_ORDERS, ConfigError, InputError
from mien.datasets import ACTION_UNITS_12
from mien.evaluation.answers import read_answers, read_list, validate_answers, write_answers
from mien.evaluation.faces_of_tables import VideoFaces, load_faces
from mien.evaluation.forms import AnswerForm, submission_form

Floats = npt.NDArray[np.float64]

_FRAME = re.compile(r"(?P<video>.+)/(?P<frame>\d+)\.jpg")
_AFFWILD2 = EXPRESSION_ORDERS["affwild2_8"]
_SIX = EXPRESSION_ORDERS["lsd_6"]


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
    predictions: Path,
    list_path: Path,
    out: Path,
    *,
    smoothing: Smoothing | None = None,
    thresholds: Sequence[float] = (),
) -> Submission:
    """Write the submission for a task, every row of the list in its order, and validate it.

    Of each video the main face counts (see `VideoFaces`), for compound expressions every face. Its values are laid
    out on all frames of the list by interpolation, smoothed, and decided last.

    Args:
        task: in `SUBMISSIONS`.
        predictions: a folder of affect tables; for ``emi`` one of CSV files in the form of the submission.
        list_path: the official list.
        out: the file to write.
        smoothing: of the dense frames; None for none. Leave it out for tables that are smoothed already.
        thresholds: 12 probabilities from which an action unit counts as present; empty for .5 throughout.

    Raises:
        ConfigError: the task is unknown, or an option does not fit it.
        InputError: the list or the predictions cannot be read, or do not cover the list.
        OutputError: the file cannot be written.
    """
    form = submission_form(task)
    settings = smoothing or Smoothing()
    limits = np.asarray(thresholds or [0.5] * len(ACTION_UNITS_12), dtype=np.float64)
    if limits.shape != (len(ACTION_UNITS_12),):
        raise ConfigError(f"there are {len(ACTION_UNITS_12)} action units, got {len(limits)} thresholds")
    names = read_list(list_path)
    if task == "emi":
        values, report = (
            _intensities(form, predictions, names),
            Submission(n_rows=len(names), n_filled=0, without_face=(), messages=()),
        )
    else:
        values, report = _from_tables(form, predictions, names, settings, limits)
    write_answers(form, names, values, out)
    validate_answers(form, out, list_path)
    return report


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One task of a form: what it reads of a face, and how it decides.

    Attributes:
        columns: of the tables.
        width: half-width of the filter.
        decide: dense values (T, columns) to entries of the form (T, entries).
        scores: raw columns to what is interpolated; all faces of a frame count where it is given.
    """

    columns: tuple[str, ...]
    width: int
    decide: Callable[[Floats], Floats]
    scores: Callable[[Floats], Floats] | None = None


def _parts(form: AnswerForm, settings: Smoothing, limits: Floats) -> tuple[_Part, ...]:
    va = _Part(columns=DIMENSIONS, width=settings.va, decide=lambda dense: np.clip(dense, -1.0, 1.0))
    au = _Part(columns=ACTION_UNITS_12, width=settings.au, decide=lambda dense: (dense >= limits).astype(np.float64))
    chances = {
        labels: _Part(columns=_expressions(labels), width=settings.expr, decide=_highest)
        for labels in (_AFFWILD2, _SIX)
    }
    compound = _Part(
        columns=_expressions(EXPRESSION_ORDERS["canonical"]),
        width=settings.expr,
        decide=_highest,
        scores=lambda rows: compound_scores(rows, EXPRESSION_ORDERS["canonical"]),
    )
    return {
        "va": (va,),
        "expr": (chances[_AFFWILD2],),
        "au": (au,),
        "mtl": (va, chances[_AFFWILD2], au),
        "lsd": (chances[_SIX],),
        "ce": (compound,),
    }[form.name]


def _from_tables(
    form: AnswerForm, folder: Path, names: pa.Array, settings: Smoothing, limits: Floats
) -> tuple[Floats, Submission]:
    parts = _parts(form, settings, limits)
    columns = [column for part in parts for column in part.columns]
    videos = load_faces(folder, columns, of_frames=form.of_frames)
    absent = [column for column in columns if not any(np.isfinite(v.columns[column]).any() for v in videos.values())]
    messages = [f"{column} is in none of the tables; it counts as 0 throughout" for column in absent]
    values = np.zeros((len(names), len(form.entries)))
    n_filled, without_face = 0, []
    for video, rows, frames in _listed(form, names):
        if video not in videos:
            raise InputError(f"{folder}: no table has the video {video} of the list; analyse it too")
        faces = _completed(videos[video], absent)
        start = 0
        for part in parts:
            dense = _dense(part, faces, frames, settings)
            entries = part.decide(dense)
            values[rows, start : start + entries.shape[1]] = entries
            start += entries.shape[1]
        n_filled += int((~np.isin(frames, faces.frames)).sum())
        if not len(faces.frames):
            without_face.append(video)
    if without_face:
        messages.append(f"no face at all in {', '.join(without_face)}: class 0, value 0 and absent units were written")
    report = Submission(
        n_rows=len(names), n_filled=n_filled, without_face=tuple(without_face), messages=tuple(messages)
    )
    return values, report


def _listed(form: AnswerForm, names: pa.Array) -> list[tuple[str, npt.NDArray[np.intp], npt.NDArray[np.int64]]]:
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


def _dense(part: _Part, faces: VideoFaces, frames: npt.NDArray[np.int64], settings: Smoothing) -> Floats:
    """Values of the part on the listed frames: interpolated over the whole video, then filtered."""
    frames_known, values = faces.measured(part.columns, main_only=part.scores is None)
    if part.scores is not None:
        values = part.scores(values)
    if not len(frames_known):
        return np.zeros((len(frames), values.shape[1]))
    # The main face is alone in its frame, so this changes something only where all faces count.
    known, strongest = strongest_per_frame(frames_known, values)
    timeline = np.arange(1, max(int(frames.max()), int(known[-1])) + 1)
    dense = fill_gaps(known, strongest, timeline)
    return settings.filter(dense, part.width)[frames - 1] if part.width else dense[frames - 1]


def _completed(faces: VideoFaces, absent: Sequence[str]) -> VideoFaces:
    """Faces with 0 in the columns that no table has."""
    columns = faces.columns | {name: np.zeros(len(faces.frames)) for name in absent}
    return VideoFaces(frames=faces.frames, columns=columns, main=faces.main)


def _expressions(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"expression_{label}" for label in labels)


def _highest(dense: Floats) -> Floats:
    return np.asarray(dense.argmax(axis=1)[:, None], dtype=np.float64)


def _intensities(form: AnswerForm, folder: Path, names: pa.Array) -> Floats:
    """The rows of the list from files of the form."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise InputError(f"{folder} holds no CSV files with the header {form.header_line!r}")
    parts = [read_answers(form, path) for path in paths]
    known = pa.concat_arrays([part.names for part in parts])
    if pc.count_distinct(known).as_py() < len(known):
        raise InputError(f"{folder}: a video is there twice; keep one row for each")
    rows = pc.index_in(names, value_set=known)
    if rows.null_count:
        missing = names.filter(rows.is_null())
        raise InputError(f"{folder}: {len(missing)} videos of the list have no row, the first is {missing[0]}")
    values: Floats = np.concatenate([part.values for part in parts])[rows.to_numpy()]
    return values
