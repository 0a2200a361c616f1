# SPDX-License-Identifier: Apache-2.0
"""Aff-Wild2, one task at a time: a text file per face track, a line per frame, in every edition from 2020 on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import EXPRESSION_ORDERS
from mien.datasets.columns import UNKNOWN
from mien.datasets.crops import CROP_FOLDERS, find_crops, match_crops
from mien.datasets.documents import Document, load_document
from mien.datasets.frame_lists import load_frame_list
from mien.datasets.frames import FrameSamples
from mien.datasets.problems import AnnotationError, OnProblem, refuse
from mien.datasets.tables import Field, Table, read_rows

ACTION_UNITS_12 = ("AU01", "AU02", "AU04", "AU06", "AU07", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26")
"""Action units of Aff-Wild2 since 2021, in file order."""

ACTION_UNITS_8 = ("AU01", "AU02", "AU04", "AU06", "AU12", "AU15", "AU20", "AU25")
"""Action units of the 2020 edition, in file order."""

NOT_RATED = -5.0
"""Stands in valence-arousal files for a frame that nobody rated."""

_SPLITS = {"train": ("train_set", "training_set"), "valid": ("validation_set",)}


@dataclass(frozen=True)
class _Task:
    """How the files of one task look.

    Attributes:
        name: of the data set.
        code: as it occurs in the names of test lists.
        folders: spellings of the task's folder, lower case.
        headers: first line of a file, lower case -> labels of its columns.
        read: column of a `FrameSamples` that the task fills, and how.
        labels_field: field of a `FrameSamples` that takes the labels; empty for valence and arousal.
    """

    name: str
    code: str
    folders: tuple[str, ...]
    headers: Mapping[tuple[str, ...], tuple[str, ...]]
    read: Callable[[Document, tuple[str, ...]], dict[str, npt.NDArray[Any]]]
    labels_field: str = ""


def load_affwild2_va(
    folder: Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """Valence and arousal of every frame of a split.

    Args:
        folder: that holds ``VA_Estimation_Challenge`` (or ``VA_Set`` of 2020 and 2021) and the crops.
        split: ``"train"``, ``"valid"``, or ``"test"`` (a list without labels).
        crops: name of the folder of crops; None takes ``cropped_aligned``, else ``cropped``, else none.
        on_problem: hears of files that are left out; the first one ends the reading unless it is given.

    Raises:
        AnnotationError: the split is missing or, without ``on_problem``, a file is malformed.
    """
    return _load(_TASKS["va"], folder, split, crops, on_problem)


def load_affwild2_expr(
    folder: Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """The expression of every frame of a split, of eight classes or (2020, 2021) seven; as `load_affwild2_va`."""
    return _load(_TASKS["expr"], folder, split, crops, on_problem)


def load_affwild2_au(
    folder: Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """Twelve action units, or (2020) eight, of every frame of a split; as `load_affwild2_va`."""
    return _load(_TASKS["au"], folder, split, crops, on_problem)


def valence_arousal_column(table: Table) -> npt.NDArray[np.float32]:
    """(N, 2) of the columns ``valence`` and ``arousal``; both NaN where either is `NOT_RATED`.

    Raises:
        AnnotationError: a value is neither in [-1, 1] nor `NOT_RATED`.
    """
    values = table.numbers(("valence", "arousal"))
    unrated = values == NOT_RATED
    for column, name in enumerate(("valence", "arousal")):
        outside = (np.abs(values[:, column]) > 1) & ~unrated[:, column]
        table.refuse(outside, name, f"is neither in [-1, 1] nor {NOT_RATED:g} (not rated)")
    values[unrated.any(axis=1)] = np.nan
    return values.astype(np.float32)


def action_unit_columns(table: Table, labels: tuple[str, ...]) -> npt.NDArray[np.int8]:
    """(N, len(labels)) of 0, 1 and `UNKNOWN`.

    Raises:
        AnnotationError: a value is anything else.
    """
    return np.stack([table.classes(label, low=UNKNOWN, high=1) for label in labels], axis=1).astype(np.int8)


def _read_va(document: Document, labels: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    table = read_rows(document, [Field(label) for label in labels])
    return {"valence_arousal": valence_arousal_column(table)}


def _read_expr(document: Document, labels: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    table = read_rows(document, [Field("expression")])
    return {"expression": table.classes("expression", low=UNKNOWN, high=len(labels) - 1).astype(np.int8)}


def _read_au(document: Document, labels: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    return {"action_units": action_unit_columns(read_rows(document, [Field(label) for label in labels]), labels)}


def _au_header(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The file's own spelling: ``au1`` for ``AU01``."""
    return tuple(f"au{int(label[2:])}" for label in labels)


_TASKS = MappingProxyType(
    {
        "va": _Task(
            name="affwild2-va",
            code="VA",
            folders=("va_estimation_challenge", "va_set"),
            headers={("valence", "arousal"): ("valence", "arousal")},
            read=_read_va,
        ),
        "expr": _Task(
            name="affwild2-expr",
            code="EXPR",
            folders=("expr_recognition_challenge", "expr_classification_challenge", "expr_set"),
            headers={EXPRESSION_ORDERS[order]: EXPRESSION_ORDERS[order] for order in ("affwild2_8", "affwild2_7")},
            read=_read_expr,
            labels_field="expression_labels",
        ),
        "au": _Task(
            name="affwild2-au",
            code="AU",
            folders=("au_detection_challenge", "au_set"),
            headers={_au_header(labels): labels for labels in (ACTION_UNITS_12, ACTION_UNITS_8)},
            read=_read_au,
            labels_field="action_unit_labels",
        ),
    }
)


def _load(task: _Task, folder: Path, split: str, crops: str | None, on_problem: OnProblem) -> FrameSamples:
    if split == "test":
        return load_frame_list(_find_test_list(task, folder), task.name, find_crops(folder, crops))
    files = sorted(path for path in _find_split(task, folder, split).glob("*.txt") if not path.name.startswith("."))
    if not files:
        raise AnnotationError(_find_split(task, folder, split), "holds no annotation files (*.txt)")
    tracks, parts, edition = [], [], None
    for path in files:
        try:
            document = load_document(path)
            labels = _labels_of(task, document, edition)
            parts.append(task.read(document, labels))
        except AnnotationError as problem:
            on_problem(problem)
            continue
        tracks.append(path.stem)
        edition = edition or labels
    if edition is None:
        raise AnnotationError(files[0].parent, f"none of its {len(files)} annotation files can be read")
    return _joined(task, split, tuple(tracks), parts, edition, find_crops(folder, crops))


def _joined(
    task: _Task,
    split: str,
    tracks: tuple[str, ...],
    parts: list[dict[str, npt.NDArray[Any]]],
    labels: tuple[str, ...],
    crops: Path | None,
) -> FrameSamples:
    columns: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    lengths = [len(next(iter(part.values()))) for part in parts]
    track_index = np.repeat(np.arange(len(tracks), dtype=np.int32), lengths)
    frame = np.concatenate([np.arange(1, n + 1, dtype=np.int32) for n in lengths])
    has_image, n_crop_frames = match_crops(crops, tracks, track_index, frame)
    if task.labels_field:
        columns[task.labels_field] = labels
    return FrameSamples(
        dataset=task.name,
        split=split,
        tracks=tracks,
        track_index=track_index,
        frame=frame,
        crops=crops,
        has_image=has_image,
        n_crop_frames=n_crop_frames,
        **columns,
    )


def _labels_of(task: _Task, document: Document, edition: tuple[str, ...] | None) -> tuple[str, ...]:
    """The labels that the header promises; all files of a split must promise the same."""
    header = document.header()
    labels = task.headers.get(tuple(name.lower() for name in header))
    if labels is None:
        known = " or ".join(repr(",".join(names)) for names in task.headers)
        reason = f"the header is {','.join(header)[:120]!r}, not {known} (upper or lower case)"
        raise AnnotationError(document.path, reason, line=1)
    if edition is not None and labels != edition:
        reason = f"promises {len(labels)} labels where the files before it have {len(edition)}; keep editions apart"
        raise AnnotationError(document.path, reason, line=1)
    return labels


def _find_split(task: _Task, folder: Path, split: str) -> Path:
    """The folder of a split below the task's folder, whatever its spelling."""
    places = _find_task(task, folder)
    found = [path for place in places for path in _subfolders(place) if path.name.lower() in _SPLITS.get(split, ())]
    if not found:
        wanted = " or ".join(_SPLITS.get(split, ())) or "a known split (train, valid, test)"
        raise AnnotationError(places[0], f"holds no folder {wanted} (upper or lower case) for {split!r}")
    if len(found) > 1:
        raise AnnotationError(found[1], f"is a second {split!r} beside {found[0]}; point at the folder of one edition")
    return found[0]


def _find_task(task: _Task, folder: Path) -> list[Path]:
    """Folders of the task, in the given one or up to two below it: archives unpack into a folder of their own."""
    level = [folder]
    for _ in range(3):
        below = [path for place in level for path in _subfolders(place)]
        found = [path for path in (*level, *below) if path.name.lower() in task.folders]
        if found:
            return found
        level = [path for path in below if not path.name.lower().startswith(CROP_FOLDERS[1])]
    raise AnnotationError(folder, f"holds no folder {' or '.join(task.folders)} (upper or lower case)")


def _find_test_list(task: _Task, folder: Path) -> Path:
    """The one list ``*_VA_*test*.txt`` (or EXPR, AU) in the folder or in the folder of the task."""
    places = [folder, *_subfolders(folder)]
    found = [
        path
        for place in places
        if not place.name.startswith(CROP_FOLDERS[1])
        for path in sorted(place.glob("*.txt"))
        if "test" in path.stem.lower() and task.code in path.stem.upper().split("_")
    ]
    if len(found) != 1:
        raise AnnotationError(folder, f"holds {len(found)} test lists (*_{task.code}_*test*.txt) instead of one")
    return found[0]


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise AnnotationError(folder, "no such folder")
    return sorted(path for path in folder.iterdir() if path.is_dir())
