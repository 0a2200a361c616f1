# SPDX-License-Identifier: Apache-2.0
"""Reads training vectors from shards of `mien features`, matched to labels, and from NumPy files."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.affect import clip_sequences, clip_statistics
from mien.core import Bools, ConfigError, DatasetError, Floats, Indices, InputError, load_array, read_regular
from mien.datasets import ClipSamples, FrameSamples
from mien.evaluation import sound_rows
from mien.results import FeatureArrays, FeatureInfo, FeatureSet, open_features
from mien.training.data.feature_vectors import StoredVectors, Vectors
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings, VectorSettings

logger = logging.getLogger(__name__)

_FRAME_KINDS = ("crops", "audio", "openface")


def fit_recipe(recipe: Recipe, data: Path) -> tuple[Recipe, tuple[FeatureInfo, ...]]:
    """Set the lengths of the stored vectors in a recipe.

    Args:
        recipe: Recipe with ``[[model.vectors]]``.
        data: Folder of the data sets.

    Returns:
        The recipe with the lengths, and the description of the vectors of each stretch.

    Raises:
        ConfigError: The vectors of the sources come from different bundles.
        DatasetError: There are no vectors, or none of a requested part.
    """
    made: list[FeatureInfo] = []
    stretches: list[VectorSettings] = []
    for wanted in recipe.model.vectors:
        folders = [_folder(data / source.folder, wanted) for source in (*recipe.data.sources, *recipe.data.valid)]
        infos = {folder: _open(folder).info for folder in dict.fromkeys(folders)}
        if len({info.digest for info in infos.values()}) > 1:
            raise ConfigError(
                f"{', '.join(map(str, infos))}: their vectors come from different bundles; extract all with one bundle"
            )
        info = infos[folders[0]]
        n = _length(info, wanted, folders[0])
        if n != wanted.n:
            logger.info("the %s of %s have length %d, the published ones %d", wanted.part, info.made_by, n, wanted.n)
        stretches.append(replace(wanted, n=n))
        made.append(info)
    return replace(recipe, model=replace(recipe.model, vectors=tuple(stretches))), tuple(made)


def stored_inputs(samples: FrameSamples | ClipSamples, folder: Path, recipe: Recipe) -> tuple[Vectors, Bools]:
    """Find the stored vectors of labelled rows.

    Args:
        samples: N labelled frames or clips.
        folder: Folder of the source.
        recipe: Recipe whose ``[[model.vectors]]`` select the vectors.

    Returns:
        (M, D) vectors of the M rows with a vector in every stretch, and a mask (N,) of these rows.

    Raises:
        DatasetError: The folder has no vectors, none of these samples, or vectors that belong to no frames of tracks.
    """
    model = recipe.model
    sets = [(wanted, _open(_folder(folder, wanted))) for wanted in model.vectors]
    for wanted, stored in sets:
        if _length(stored.info, wanted, stored.folder) != wanted.n:
            raise DatasetError(f"{stored.folder}: the {wanted.part} do not have the length {wanted.n} of the recipe")
    if isinstance(samples, ClipSamples):
        return _of_clips(samples, sets, recipe)
    if model.clip != "frames":
        raise DatasetError(f"{samples.dataset} has labels of frames; {recipe.name} needs labels of whole clips")
    return _of_frames(samples, sets)


def _of_frames(samples: FrameSamples, sets: list[tuple[VectorSettings, FeatureSet]]) -> tuple[Vectors, Bools]:
    stretches: list[tuple[Floats, Indices]] = []
    found = np.ones(len(samples), dtype=bool)
    opened: dict[Path, tuple[FeatureArrays, Indices]] = {}
    for wanted, stored in sets:
        if not any(stored.info.settings.get(kind) for kind in _FRAME_KINDS):
            raise DatasetError(
                f"{stored.folder}: the vectors are not of official crops, of sound or of OpenFace; extract them with"
                " mien features --crops"
            )
        if stored.folder not in opened:
            arrays = stored.mapped()
            of_sound = bool(stored.info.settings.get("audio"))
            rows = _rows_of_sound(samples, arrays) if of_sound else _rows_of_frames(samples, arrays)
            opened[stored.folder] = arrays, rows
        arrays, rows = opened[stored.folder]
        found &= rows >= 0
        stretches.append((getattr(arrays, wanted.part), rows))
    _check_any(samples, found, sets)
    return StoredVectors(tuple((values, rows[found]) for values, rows in stretches)), found


def _rows_of_frames(samples: FrameSamples, arrays: FeatureArrays) -> Indices:
    """Stored row (N,) of each labelled frame, -1 without one."""
    number = {track: index for index, track in enumerate(samples.tracks)}
    track = np.array([number.get(source, -1) for source in arrays.sources], np.int64)
    known = track[arrays.source_index] << 32 | np.asarray(arrays.frame)
    wanted = samples.track_index.astype(np.int64) << 32 | samples.frame
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
    rows = order[place]
    return np.where(known[rows] == wanted, rows, -1)


def _rows_of_sound(samples: FrameSamples, arrays: FeatureArrays) -> Indices:
    """Stored row (N,) of the sound of each labelled frame, -1 for a video without sound.

    The last frame of a track's list counts as the last of the video.
    """
    found = np.full(len(samples), -1, np.intp)
    for track, rows in samples.track_rows():
        if not len(rows):
            continue
        try:
            steps = sound_rows(arrays, track, int(samples.frame[rows].max()))
        except InputError as error:
            logger.info("%s", error)
            continue
        found[rows] = steps[samples.frame[rows] - 1]
    return found


def _of_clips(
    samples: ClipSamples, sets: list[tuple[VectorSettings, FeatureSet]], recipe: Recipe
) -> tuple[Vectors, Bools]:
    model = recipe.model
    if model.clip == "frames":
        raise ConfigError(f"{samples.dataset} has labels of clips; set [model] clip = 'statistics' or 'sequence'")
    number = {name: index for index, name in enumerate(samples.names)}
    parts = []
    for wanted, stored in sets:
        arrays = stored.mapped()
        clip = np.array([number.get(Path(source).stem, -1) for source in arrays.sources], np.int64)[arrays.source_index]
        rows = np.flatnonzero(clip >= 0)
        values = getattr(arrays, wanted.part)
        # Rows are copied only if there are clips of other splits.
        own = values if len(rows) == len(clip) else values[rows]
        columns = clip[rows], arrays.frame[rows], own
        if model.clip == "sequence":
            part = clip_sequences(*columns, n_clips=len(samples), n_steps=model.n_steps, every=wanted.every)
        else:
            part = clip_statistics(*columns, n_clips=len(samples), every=wanted.every)
        parts.append(part)
    vectors = np.concatenate(parts, axis=1).astype(np.float32)
    found: Bools = np.asarray(~np.isnan(vectors).any(axis=1))
    _check_any(samples, found, sets)
    return vectors[found], found


def _check_any(
    samples: FrameSamples | ClipSamples, found: Bools, sets: list[tuple[VectorSettings, FeatureSet]]
) -> None:
    if not found.any():
        folders = ", ".join(str(stored.folder) for _, stored in sets)
        raise DatasetError(f"{folders}: no row of {samples.dataset} {samples.split} has a vector; extract its folder")


def _folder(folder: Path, wanted: VectorSettings) -> Path:
    return folder / wanted.folder


def _open(folder: Path) -> FeatureSet:
    try:
        return open_features(folder)
    except InputError as error:
        raise DatasetError(f"{error} (mien features CROPS --crops --model NAME --out {folder})") from error


def _length(info: FeatureInfo, wanted: VectorSettings, folder: Path) -> int:
    n = info.n_features if wanted.part == "features" else len(info.score_names)
    if not n:
        raise DatasetError(f"{folder}: {info.made_by} has no {wanted.part}")
    return n


_LABELS = "labels.json"
_INPUTS = "inputs.npy"


def load_vectors(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """Load ``<split>/inputs.npy`` (N, D) float16 or float32, ``<split>/<task>.npy`` (N, L) and ``labels.json``.

    ``labels.json`` maps each task to its L names. Unknown labels are NaN. ``<split>/groups.npy`` (N,) contains the name
    of the video or person of each row; without it every row is its own group. The vectors stay on disk.

    Raises:
        DatasetError: A file is missing or does not fit.
    """
    split = folder / source.split
    inputs = _load(split / _INPUTS, mapped=True)
    if inputs.ndim != 2 or inputs.shape[1] != recipe.model.n_vector:
        raise DatasetError(f"{split / _INPUTS} has shape {inputs.shape}, the recipe needs (N, {recipe.model.n_vector})")
    labels = _read_labels(folder / _LABELS)
    tasks = [task for task in labels if (split / f"{task}.npy").is_file()]
    targets = {task: np.asarray(_load(split / f"{task}.npy"), dtype=np.float32) for task in tasks}
    for task, values in targets.items():
        if values.shape != (len(inputs), len(labels[task])):
            raise DatasetError(
                f"{split / f'{task}.npy'} has shape {values.shape}, expected {(len(inputs), len(labels[task]))}"
            )
    groups = split / "groups.npy"
    names = map(str, _load(groups) if groups.is_file() else range(len(inputs)))
    return TrainingSet(
        groups=tuple(names),
        inputs=inputs,
        targets=targets,
        labels={task: labels[task] for task in tasks},
        keypoints=np.broadcast_to(np.float32(np.nan), (len(inputs), 5, 2)),
        primary=np.ones(len(inputs), dtype=bool),
    )


def _load(path: Path, *, mapped: bool = False) -> npt.NDArray[Any]:
    try:
        return load_array(path, mapped=mapped)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as a NumPy file ({error})") from error


def _read_labels(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        content = json.loads(read_regular(path))
        return {str(task): tuple(map(str, names)) for task, names in content.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path}: expected a JSON object of task -> list of names ({error})") from error
