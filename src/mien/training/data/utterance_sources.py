# SPDX-License-Identifier: Apache-2.0
"""Reads utterances into the vectors and targets that networks over sequences train on."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.affect import pack_utterances
from mien.core import ConfigError, DatasetError, Float32, InputError, ModalitySpec
from mien.datasets import UtteranceSamples, load_utterances, read_feature_file
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import SourceSettings

logger = logging.getLogger(__name__)


def fit_sequences(recipe: Recipe, data: Path) -> Recipe:
    """The recipe with the lengths of the feature vectors that its sources have.

    Args:
        recipe: Recipe with ``[model.sequences]``.
        data: Folder of the data sets.

    Raises:
        ConfigError: Two sources have vectors of different lengths, or the recipe has no sequences.
        DatasetError: A source is incomplete.
    """
    sequences = recipe.model.sequences
    if sequences is None:
        raise ConfigError(f"{recipe.name} has no [model.sequences]")
    found: dict[str, tuple[int, str]] = {}
    for source in (*recipe.data.sources, *recipe.data.valid):
        samples = load_utterances(data / source.folder, source.split)
        for column, modality in enumerate(samples.modalities):
            first = next(((files[column], i) for i, files in enumerate(samples.files) if files[column]), None)
            if first is None or first[0] is None:
                continue
            row = samples.places[first[1]]
            n, place = read_feature_file(first[0], row).shape[1], f"{first[0]} ({row})"
            known = found.setdefault(modality, (n, place))
            if known[0] != n:
                raise ConfigError(f"{modality} has vectors of length {known[0]} in {known[1]} and of {n} in {place}")
    fitted = [_fitted(modality, found) for modality in sequences.modalities]
    model = replace(recipe.model, sequences=replace(sequences, modalities=tuple(fitted)))
    return replace(recipe, model=model)


def _fitted(modality: ModalitySpec, found: dict[str, tuple[int, str]]) -> ModalitySpec:
    if modality.kind == "text":
        return modality
    if modality.name not in found:
        raise DatasetError(f"no source has features of {modality.name!r}; they have {sorted(found) or 'text alone'}")
    n = found[modality.name][0]
    if n != modality.n:
        logger.info("vectors of %s have length %d, the published ones %d", modality.name, n, modality.n)
    return replace(modality, n=n)


def load_utterance_set(source: SourceSettings, folder: Path, recipe: Recipe) -> TrainingSet:
    """One split of a folder of utterances, packed as the recipe's sequences say.

    A task that no row of the split has a label of is unknown there. Modalities that the folder lacks are missing.
    """
    sequences = recipe.model.sequences
    if sequences is None:
        raise ConfigError(f"{recipe.name}: the source utterances needs [model.sequences]")
    samples = load_utterances(folder, source.split)
    features = {
        modality.name: _features(samples, modality.name)
        for modality in sequences.modalities
        if modality.kind == "features"
    }
    texts = samples.texts if any(modality.kind == "text" for modality in sequences.modalities) else ("",) * len(samples)
    try:
        packed = pack_utterances(texts, features, sequences.modalities, sequences.steps, samples.places)
    except InputError as error:
        raise DatasetError(f"{folder}: {error}") from error
    n, title = len(samples), f"utterances of {source.folder or folder.name}, {source.split}"
    targets = {
        "emotion": samples.emotions,
        "sentiment": samples.sentiment[:, None],
        "sarcasm": samples.sarcasm[:, None],
    }
    labels = {"emotion": samples.emotion_labels, "sentiment": ("sentiment",), "sarcasm": ("sarcasm",)}
    has = {task for task, rows in samples.known.items() if rows.any()}
    return TrainingSet(
        groups=tuple(f"{source.folder or folder.name} {name}" for name in samples.names),
        inputs=packed,
        targets={task: np.array(values, np.float32) for task, values in targets.items() if task in has},
        labels={task: names for task, names in labels.items() if task in has},
        keypoints=np.full((n, 5, 2), np.nan, np.float32),
        primary=np.ones(n, dtype=bool),
        records=(SourceRecord(title=title, licence="the user's own data"),),
    )


def _features(samples: UtteranceSamples, modality: str) -> list[Float32 | None]:
    """The sequence of each utterance; None where it is missing."""
    if modality not in samples.modalities:
        return [None] * len(samples)
    column = samples.modalities.index(modality)
    paths = [files[column] for files in samples.files]
    return [
        None if path is None else np.asarray(read_feature_file(path, place), np.float32)
        for path, place in zip(paths, samples.places, strict=True)
    ]
