# SPDX-License-Identifier: Apache-2.0
"""The workshop (extra ``train``): recipes, networks, losses, the training engine and the export of bundles."""

from mien.training.recipes.recipe import Recipe, list_recipes, load_recipe

__all__ = ["Recipe", "list_recipes", "load_recipe"]
