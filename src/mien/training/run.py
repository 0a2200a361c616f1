# SPDX-License-Identifier: Apache-2.0
"""`train`: a recipe by name, a data folder and an output folder make an evaluated bundle or head."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mien.core import ConfigError, GeometrySpec, HeadSpec, ModelSpec, SequenceSpec, path_exists
from mien.results import check_folder
from mien.training.engine.compute import ComputeSettings
from mien.training.export.bundle_files import check_bundle_folder
from mien.training.geometry.geometry_training import train_geometry
from mien.training.head_training import train_head
from mien.training.identity_training import StartWeights, train_identities
from mien.training.picture_training import train_bundle
from mien.training.recipes.geometry_recipe import GeometryRecipe, is_geometry_recipe, load_geometry_recipe
from mien.training.recipes.recipe import IDENTITY, Recipe, load_recipe
from mien.training.utterance_training import train_utterances

Trained = ModelSpec | HeadSpec | GeometrySpec | SequenceSpec | StartWeights
"""What a training leaves: the description of a bundle, of a head, or of start weights."""


def train(
    recipe: Recipe | GeometryRecipe | str | Path,
    data: str | Path,
    out: str | Path,
    compute: ComputeSettings | None = None,
    *,
    work: str | Path | None = None,
    model: str | Path | None = None,
    seed: int | None = None,
    refit: bool = False,
) -> Trained | None:
    """Train a recipe, calibrate, export with a parity check, and evaluate.

    A recipe of pictures becomes a bundle; a recipe of stored vectors becomes a head, or a bundle together with the
    frozen network that made the vectors. A recipe of geometry becomes a geometry bundle, by regression and on the CPU.
    A recipe of utterances (``[model.sequences]``) becomes a sequence bundle. A pretext over identities becomes start
    weights for ``[model] start``.

    Args:
        recipe: Recipe, its name, or the path of a TOML file.
        data: Folder of the data sets (layouts: docs/how-to/training.md and docs/reference/datasets.md).
        out: Folder of the new bundle or head.
        compute: Devices, threads and the picture cache; None for one CPU with torch's default threads.
        work: Folder for checkpoints; an interrupted training resumes from there. None for ``OUT.work`` beside ``out``.
        model: Name or folder of the bundle that made the vectors of a head; None for the name in the shards.
        seed: Seed in place of the recipe's.
        refit: Whether to train on training and validation sets, for the recipe's refit epochs.

    Returns:
        The description of the bundle, head or start weights; None in the further processes of a training on several
        devices.

    Raises:
        ConfigError: There is no such recipe, it does not fit the data or the machine, ``model`` is given for a
            recipe of pictures or geometry, or the bundle would replace a file that is no part of one.
        OutputError: The bundle or the checkpoints cannot be written.
        DatasetError: The data are incomplete.
        ModelError: The bundle that made the vectors is missing, or the exported graph and the network disagree.
    """
    if isinstance(recipe, (Recipe, GeometryRecipe)):
        chosen = recipe
    else:
        chosen = load_geometry_recipe(recipe) if is_geometry_recipe(recipe) else load_recipe(recipe)
    if seed is not None:
        chosen = dataclasses.replace(chosen, seed=seed)
    if refit:
        chosen = chosen.refit()
    data, out = Path(data), Path(out)
    check_bundle_folder(out, [("RECIPE", recipe)] if isinstance(recipe, (str, Path)) and path_exists(recipe) else [])
    if isinstance(chosen, GeometryRecipe):
        if model is not None:
            raise ConfigError(f"{chosen.name} fits landmarks; model (--model) is for heads on stored vectors")
        return train_geometry(chosen, data, out)
    folder = out.parent / f"{out.name}.work" if work is None else Path(work)
    check_folder(folder, folder, "choose another folder for the checkpoints")
    if chosen.model.sequences is not None:
        if model is not None:
            raise ConfigError(f"{chosen.name} trains on utterances; model (--model) is for heads on stored vectors")
        return train_utterances(chosen, data, out, folder, compute)
    if chosen.model.vectors:
        return train_head(chosen, data, out, folder, compute, model)
    if model is not None:
        raise ConfigError(f"{chosen.name} trains on pictures; model (--model) is for heads on stored vectors")
    if IDENTITY in chosen.tasks:
        return train_identities(chosen, data, out, folder, compute)
    return train_bundle(chosen, data, out, folder, compute)
