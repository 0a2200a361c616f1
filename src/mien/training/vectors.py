# SPDX-License-Identifier: Apache-2.0
"""Feature vectors and their labels as NumPy files: a source for heads that learn without pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.core import DatasetError
from mien.training.data import TeachingSet
from mien.training.recipe import Recipe
from mien.training.settings import SourceSettings

_LABELS = "labels.json"
_INPUTS = "inputs.npy"


def load_vectors(source: SourceSettings, folder: Path, recipe: Recipe) -> TeachingSet:
    """``<split>/inputs.npy`` (N, D) float16 or float32, ``<split>/<task>.npy`` (N, L), and ``labels.json``.

    ``labels.json`` maps each task to its L names. Unknown labels are NaN. ``<split>/groups.npy`` (N,) text names the
    video or person of each row; without it every row is its own. The vectors stay on disk.

    Raises:
        DatasetError: a file is missing or does not fit.
    """
    place = folder / source.split
    inputs = _load(place / _INPUTS, mapped=True)
    if inputs.ndim != 2 or inputs.shape[1] != recipe.model.n_vector:
        raise DatasetError(f"{place / _INPUTS} has shape {inputs.shape}, the recipe wants (N, {recipe.model.n_vector})")
    labels = _read_labels(folder / _LABELS)
    tasks = [task for task in labels if (place / f"{task}.npy").is_file()]
    targets = {task: np.asarray(_load(place / f"{task}.npy"), dtype=np.float32) for task in tasks}
    for task, values in targets.items():
        if values.shape != (len(inputs), len(labels[task])):
            raise DatasetError(
                f"{place / f'{task}.npy'} has shape {values.shape}, expected {(len(inputs), len(labels[task]))}"
            )
    groups = place / "groups.npy"
    names = map(str, _load(groups) if groups.is_file() else range(len(inputs)))
    return TeachingSet(
        groups=tuple(names),
        inputs=inputs,
        targets=targets,
        labels={task: labels[task] for task in tasks},
        landmarks=np.broadcast_to(np.float32(np.nan), (len(inputs), 5, 2)),
        primary=np.ones(len(inputs), dtype=bool),
    )


def _load(path: Path, *, mapped: bool = False) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as a NumPy file ({error})") from error
    return array


def _read_labels(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        content = json.loads(path.read_text("utf-8"))
        return {str(task): tuple(map(str, names)) for task, names in content.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path}: expected a JSON object of task -> list of names ({error})") from error
