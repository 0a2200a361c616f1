# SPDX-License-Identifier: Apache-2.0
"""Readers of Aff-Wild2 (a text file per face track, all editions since 2020) and s-Aff-Wild2 (multi-task lists)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.core import ACTION_UNITS_8, ACTION_UNITS_12, EXPRESSION_ORDERS
from mien.datasets.crop_folders import find_crops, subfolders
from mien.datasets.frame_samples import FrameSamples
from mien.datasets.label_columns import read_action_units, read_ratings
from mien.datasets.samples import UNKNOWN
from mien.datasets.text_files import (
    AnnotationError,
    Field,
    OnProblem,
    first_rows,
    load_document,
    read_rows,
    refuse,
    text_files_in,
)
from mien.datasets.track_files import (
    NOT_RATED,
    TrackFormat,
    action_unit_format,
    expression_format,
    find_list,
    frame_columns,
    has_words,
    load_frame_list,
    read_track_files,
    valence_arousal_format,
)

_SPLITS = {
    "train": ("train_set", "training_set", "train", "training"),
    "valid": ("validation_set", "valid_set", "val_set", "validation", "valid", "val"),
}


@dataclass(frozen=True)
class _Task:
    """One task of Aff-Wild2.

    Attributes:
        name: Name of the data set.
        words: Words for the task in the names of test lists, in lower case with underscores.
        folders: Spellings of the task's folder, in lower case with underscores.
        form: Format of its files.
    """

    name: str
    words: tuple[str, ...]
    folders: tuple[str, ...]
    form: TrackFormat


_VA = _Task(
    name="affwild2-va",
    words=("va", "valence_arousal"),
    folders=("va_estimation_challenge", "valence_arousal_estimation_challenge", "va_challenge", "va_set"),
    form=valence_arousal_format(),
)
_EXPR = _Task(
    name="affwild2-expr",
    words=("expr", "expression"),
    folders=(
        "expr_recognition_challenge",
        "expr_classification_challenge",
        "expression_recognition_challenge",
        "expression_classification_challenge",
        "expr_challenge",
        "expr_set",
    ),
    form=expression_format({EXPRESSION_ORDERS[name]: EXPRESSION_ORDERS[name] for name in ("affwild2_8", "affwild2_7")}),
)
_AU = _Task(
    name="affwild2-au",
    words=("au", "action_unit"),
    folders=("au_detection_challenge", "action_unit_detection_challenge", "au_challenge", "au_set"),
    form=action_unit_format((ACTION_UNITS_12, ACTION_UNITS_8)),
)


def load_affwild2_va(
    folder: str | Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """Valence and arousal of every frame of a split.

    Args:
        folder: Folder that holds ``VA_Estimation_Challenge`` (or ``VA_Set`` of 2020 and 2021) and the crops.
        split: ``"train"``, ``"valid"``, or ``"test"`` (a list without labels).
        crops: Name of the folder of crops; None takes ``cropped_aligned``, else ``cropped``, else none.
        on_problem: Callback for files that are left out; by default the first one ends the reading.

    Raises:
        AnnotationError: The split is missing or, without ``on_problem``, a file is malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("affwild2-va", folder)
        ...     samples = load_affwild2_va(folder, "train")
        >>> samples.tracks, samples.valid_valence_arousal.tolist()
        (('1-30-640x360', '1-30-640x360_left'), [True, False, True, False, True, True])
    """
    folder = Path(folder)
    return _load(_VA, folder, split, crops, on_problem)


def load_affwild2_expr(
    folder: str | Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """Expression of every frame of a split, of eight classes or (2020, 2021) seven; arguments as `load_affwild2_va`.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("affwild2-expr", folder)
        ...     samples = load_affwild2_expr(folder, "valid")
        >>> [samples.expression_labels[index] if index >= 0 else None for index in samples.expression]
        ['sadness', None, 'neutral']
    """
    folder = Path(folder)
    return _load(_EXPR, folder, split, crops, on_problem)


def load_affwild2_au(
    folder: str | Path, split: str, *, crops: str | None = None, on_problem: OnProblem = refuse
) -> FrameSamples:
    """Twelve action units, or (2020) eight, of every frame of a split; arguments as `load_affwild2_va`.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("affwild2-au", folder)
        ...     samples = load_affwild2_au(folder, "train")
        >>> samples.action_units.shape, samples.valid_action_units.tolist()
        ((4, 12), [True, False, False, True])
    """
    folder = Path(folder)
    return _load(_AU, folder, split, crops, on_problem)


def _load(task: _Task, folder: Path, split: str, crops: str | None, on_problem: OnProblem) -> FrameSamples:
    images = find_crops(folder, crops)
    if split == "test":
        return load_frame_list(_find_test_list(task, folder), task.name, images)
    place = _find_split(task, folder, split)
    files = text_files_in(place)
    if not files:
        raise AnnotationError(place, "holds no annotation files (*.txt)")
    return read_track_files(files, task.form, dataset=task.name, split=split, crops=images, on_problem=on_problem)


def _find_split(task: _Task, folder: Path, split: str) -> Path:
    """Find the folder of a split below the task's folder, in any known spelling."""
    places = _find_task(task, folder)
    found = [path for place in places for path in subfolders(place) if _spelled(path) in _SPLITS.get(split, ())]
    if not found:
        wanted = " or ".join(_SPLITS.get(split, ())) or "a known split (train, valid, test)"
        raise AnnotationError(places[0], f"holds no folder {wanted} (upper or lower case) for {split!r}")
    if len(found) > 1:
        raise AnnotationError(found[1], f"is a second {split!r} beside {found[0]}; point at the folder of one edition")
    return found[0]


def _find_task(task: _Task, folder: Path) -> list[Path]:
    """Find the task's folders in the given one or up to two levels below it, where archives unpack."""
    if not folder.is_dir():
        raise AnnotationError(folder, "no such folder")
    level = [folder]
    for _ in range(3):
        below = [path for place in level for path in subfolders(place, without_crops=True)]
        found = [path for path in (*level, *below) if _spelled(path) in task.folders]
        if found:
            # Some archives hold the folder in one of its own name.
            return [path for place in found for path in _same_inside(place, task) or [place]]
        level = below
    raise AnnotationError(folder, f"holds no folder {' or '.join(task.folders)} (upper or lower case)")


def _same_inside(place: Path, task: _Task) -> list[Path]:
    return [path for path in subfolders(place) if _spelled(path) in task.folders]


def _spelled(path: Path) -> str:
    return path.name.lower().replace(" ", "_").replace("-", "_")


def _find_test_list(task: _Task, folder: Path) -> Path:
    """Find the single list ``*_VA_*test*.txt`` (or EXPR, AU) in the folder or up to two levels below it."""
    return find_list(
        folder,
        lambda path: "test" in path.stem.lower() and has_words(path, *task.words),
        f"*_{task.words[0].upper()}_*test*.txt",
    )


NAME = "affwild2-mtl"

_FILES = {
    "train": re.compile(r"(^|_)train(ing)?_set|^train(ing)?(_|$)"),
    "valid": re.compile(r"(^|_)val(id(ation)?)?_set|^val(id(ation)?)?(_|$)"),
    "test": re.compile(r"test"),
}
_OFFICIAL = {
    "train": "training_set_annotations.txt",
    "valid": "validation_set_annotations.txt",
    "test": "*test*.txt",
}
_FIELDS = (
    Field("image", "text"),
    Field("valence"),
    Field("arousal"),
    Field("expression"),
    *(Field(label) for label in ACTION_UNITS_12),
)


def load_affwild2_mtl(folder: str | Path, split: str, *, crops: str | None = None) -> FrameSamples:
    """All three tasks of every listed frame, each with its own mask; rows keep the order of the list.

    Args:
        folder: Folder that holds the crops, and the lists in itself or up to two levels below.
        split: ``"train"``, ``"valid"``, or ``"test"`` (the single ``*test*.txt``, names only).
        crops: Name of the folder of crops; None takes ``cropped_aligned``, else ``cropped``, else none.

    Raises:
        AnnotationError: The list is missing or malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from mien.datasets import create_example
        >>> with TemporaryDirectory() as folder:
        ...     create_example("affwild2-mtl", folder)
        ...     samples = load_affwild2_mtl(folder, "train")
        >>> samples.counts().valid
        {'valence_arousal': 2, 'expression': 2, 'action_units': 2}
    """
    folder = Path(folder)
    images = find_crops(folder, crops)
    if split not in _FILES:
        raise AnnotationError(folder, f"s-Aff-Wild2 has the splits {', '.join(_FILES)}, not {split!r}")
    path = find_list(folder, lambda each: _is_mtl_list(each, split), _OFFICIAL[split])
    if split == "test":
        return load_frame_list(path, NAME, images)
    table, remark = first_rows(read_rows(load_document(path), _FIELDS, quoted=True))
    labels = EXPRESSION_ORDERS["affwild2_8"]
    return FrameSamples(
        dataset=NAME,
        split=split,
        valence_arousal=read_ratings(table, not_rated=NOT_RATED),
        expression=table.classes("expression", low=UNKNOWN, high=len(labels) - 1).astype(np.int8),
        action_units=read_action_units(table, ACTION_UNITS_12),
        expression_labels=labels,
        action_unit_labels=ACTION_UNITS_12,
        crops=images,
        remarks=(remark,) if remark else (),
        **frame_columns(table, images),
    )


def _is_mtl_list(path: Path, split: str) -> bool:
    """Whether a file is named like the list of a split: ``training_set_annotations.txt``, ``MTL_.../train_set.txt``."""
    if has_words(path, *_VA.words, *_EXPR.words, *_AU.words, "ce"):
        return False
    spelled = path.stem.lower().replace(" ", "_")
    return bool(_FILES[split].search(spelled)) and ("test" in spelled) == (split == "test")
