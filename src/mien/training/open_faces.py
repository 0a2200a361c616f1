# SPDX-License-Identifier: Apache-2.0
"""The open face sets behind the default bundle, as a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.core import DIMENSIONS, EXPRESSION_ORDERS, EXPRESSIONS, ConfigError
from mien.datasets import FaceSamples, load_fairface, load_ferplus, load_open_faces, load_traits
from mien.training.data import TeachingSet
from mien.training.pictures import Pictures
from mien.training.recipe import Recipe
from mien.training.settings import SourceSettings


def load_open_source(source: SourceSettings, folder: Path, recipe: Recipe) -> TeachingSet:
    """FER+ train (primary), FairFace train and LFW's teaching people; or, by ``split``, one part of FER+ alone.

    The splits are ``"train"`` (all of these), ``"ferplus-train"`` and ``"valid"`` (FER+ valid). Layout of the folder:
    docs/training.md.
    """
    if EXPRESSION_ORDERS[recipe.data.expressions] != EXPRESSIONS:
        raise ConfigError("open-faces has the canonical expressions; set [data] expressions = 'canonical'")
    alone = {"valid": "valid", "ferplus-train": "train"}.get(source.split)
    if alone is not None:
        samples = load_ferplus(folder, alone)
        return of_faces(samples, np.ones(len(samples), dtype=bool), recipe.model.colour)
    if source.split != "train":
        raise ConfigError(f"open-faces has the splits train, ferplus-train and valid, not {source.split!r}")
    faces = load_open_faces(folder, 0)
    return of_faces(faces.teaching, faces.voted, recipe.model.colour)


_TRAITS = ("age", "gender", "race")


def load_fairface_traits(source: SourceSettings, folder: Path, recipe: Recipe) -> TeachingSet:
    """FairFace with what annotators wrote of each face, a pretext to learn faces from: tasks age, gender and race.

    The splits are ``"train"`` and ``"val"``. Values are in the order of the alphabet.
    """
    if source.split not in ("train", "val"):
        raise ConfigError(f"fairface-traits has the splits train and val, not {source.split!r}")
    faces = load_fairface(folder, source.split)
    found = of_faces(faces, np.ones(len(faces), dtype=bool), recipe.model.colour)
    targets, labels = {}, {}
    for name, values in load_traits(folder / f"fairface/{source.split}.parquet", _TRAITS).items():
        known, column = np.unique(values, return_inverse=True)
        labels[name] = tuple(known.tolist())
        targets[name] = np.eye(len(known), dtype=np.float32)[column]
    return replace(found, targets=targets, labels=labels)


def of_faces(samples: FaceSamples, primary: np.ndarray[tuple[int], np.dtype[np.bool_]], colour: str) -> TeachingSet:
    """Face samples as a teaching set."""
    return TeachingSet(
        groups=samples.names,
        inputs=Pictures.of(samples.names, samples.images, colour),
        targets={
            "expression": samples.expression,
            "valence_arousal": samples.valence_arousal,
            "action_units": samples.action_units,
        },
        labels={
            "expression": EXPRESSIONS,
            "valence_arousal": DIMENSIONS,
            "action_units": samples.action_unit_labels,
        },
        landmarks=samples.landmarks,
        primary=primary,
    )
