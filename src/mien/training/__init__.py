# SPDX-License-Identifier: Apache-2.0
"""Training (extra ``train``): recipes, networks, losses, the training engine and the export of bundles."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.core import MissingExtraError
from mien.training.recipes.geometry_recipe import GeometryRecipe, list_geometry_recipes, load_geometry_recipe
from mien.training.recipes.recipe import Recipe, list_recipes, load_recipe

if TYPE_CHECKING:
    from mien.training.data.sources import SOURCES, TrainingData, load_source, load_training_data
    from mien.training.data.training_set import TrainingSet
    from mien.training.engine.checkpoint import load_checkpoint
    from mien.training.engine.compute import ComputeSettings
    from mien.training.engine.trainer import Trainer
    from mien.training.engine.validation import raw_outputs
    from mien.training.export.joined_bundles import JoinSettings, join_bundles, joined_parts
    from mien.training.export.turned_bundles import TurnSettings, join_turned
    from mien.training.export.variants import export_variant
    from mien.training.models.bundle_start import start_from_bundle
    from mien.training.picture_training import train_bundle, train_network
    from mien.training.run import Trained, train

__all__ = [
    "SOURCES",
    "ComputeSettings",
    "GeometryRecipe",
    "JoinSettings",
    "Recipe",
    "Trained",
    "Trainer",
    "TrainingData",
    "TrainingSet",
    "TurnSettings",
    "export_variant",
    "join_bundles",
    "join_turned",
    "joined_parts",
    "list_geometry_recipes",
    "list_recipes",
    "load_checkpoint",
    "load_geometry_recipe",
    "load_recipe",
    "load_source",
    "load_training_data",
    "raw_outputs",
    "start_from_bundle",
    "train",
    "train_bundle",
    "train_network",
]

_MODULES = {
    "data.sources": ("SOURCES", "TrainingData", "load_source", "load_training_data"),
    "data.training_set": ("TrainingSet",),
    "engine.checkpoint": ("load_checkpoint",),
    "engine.compute": ("ComputeSettings",),
    "engine.trainer": ("Trainer",),
    "engine.validation": ("raw_outputs",),
    "export.joined_bundles": ("JoinSettings", "join_bundles", "joined_parts"),
    "export.turned_bundles": ("TurnSettings", "join_turned"),
    "export.variants": ("export_variant",),
    "models.bundle_start": ("start_from_bundle",),
    "picture_training": ("train_bundle", "train_network"),
    "run": ("Trained", "train"),
}
_LAZY = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: recipes can be read without torch.

    Raises:
        MissingExtraError: A package of the extra ``train`` is not installed.
    """
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_LAZY[name]}")
    except ModuleNotFoundError as error:
        package = (error.name or "torch").partition(".")[0]
        if package == "mien":
            raise  # a part of mien itself is missing, which no extra brings
        raise MissingExtraError(package, "train") from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
