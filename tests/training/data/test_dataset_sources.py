# SPDX-License-Identifier: Apache-2.0
"""Data sets as training sets: labels arrive by name, unknown ones stay unknown, boxes cut the picture."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import DatasetError
from mien.datasets import create_example
from mien.training.data.sources import load_source
from mien.training.recipes.recipe import list_recipes, load_recipe
from tests.training.data.test_sources import LOSSES, recipe_for


def test_partial_labels_of_the_multi_task_set(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    recipe = recipe_for("affwild2-mtl", tuple(LOSSES))
    samples = load_source(recipe.data.sources[0], tmp_path, recipe)
    # Of four rows, one has no picture and one no usable label.
    assert samples.groups == ("video1", "video1")  # tracks of one video are one group
    assert samples.known("expression").tolist() == [True, False]
    assert samples.known("valence_arousal").tolist() == [True, True]
    assert samples.labels["expression"][samples.targets["expression"][0].argmax()] == "happiness"
    assert samples.targets["action_units"].shape == (2, 12)


def test_classes_that_a_recipe_does_not_have_are_unknown(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    recipe = recipe_for("affectnet", ("expression", "valence_arousal"))
    seven = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, expressions="hse_7"))
    for chosen, known in ((recipe, [True, True, True]), (seven, [True, False, True])):  # the second is contempt
        samples = load_source(chosen.data.sources[0], tmp_path, chosen)
        assert samples.known("expression").tolist() == known
    assert np.isnan(samples.targets["expression"][1]).all()


def test_face_boxes_cut_the_picture(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    recipe = recipe_for("affectnet", ("expression",))
    inputs = load_source(recipe.data.sources[0], tmp_path, recipe).inputs
    assert inputs[0].shape == (1, 1)  # the box lies outside the example's 16 px picture
    assert inputs[2].shape == (16, 16)  # no box: the whole picture


def test_single_images_have_no_stored_vectors(tmp_path: Path) -> None:
    create_example("rafdb", tmp_path)
    recipe = recipe_for("rafdb", ("expression",))
    source = recipe.data.sources[0]
    found = load_source(source, tmp_path, recipe)
    assert found.records[0].licence.startswith("as granted by its owners")
    assert found.records[0].title.endswith(", train")
    create_example("emi", tmp_path / "emi")
    with pytest.raises(DatasetError, match="has whole videos; made-up trains on pictures"):
        load_source(dataclasses.replace(source, name="emi"), tmp_path / "emi", recipe)


def test_only_rows_with_expression_and_box_train_where_a_recipe_says_so(tmp_path: Path) -> None:
    """AffectNet's class 8 has ratings in some rows, and rows without a box are whole pictures."""
    create_example("affectnet", tmp_path)
    path = tmp_path / "training.csv"
    path.write_text(path.read_text().replace(",10,-2,-2", ",8,0.1,0.2"))
    recipe = recipe_for("affectnet", ("expression", "valence_arousal"))
    source = recipe.data.sources[0]
    assert len(load_source(source, tmp_path, recipe)) == 4
    needs = {("expression",): 3, ("face_box",): 3, ("expression", "face_box"): 2}
    for only_with, n in needs.items():
        chosen = load_source(dataclasses.replace(source, only_with=only_with), tmp_path, recipe)
        assert len(chosen) == n
        assert chosen.known("expression").all() or "expression" not in only_with


def test_a_selection_that_a_set_cannot_make_is_refused(tmp_path: Path) -> None:
    create_example("affectnet-npy", tmp_path)
    recipe = recipe_for("affectnet-npy", ("expression",))
    boxed = dataclasses.replace(recipe.data.sources[0], only_with=("face_box",))
    with pytest.raises(DatasetError, match="gives no face boxes"):
        load_source(boxed, tmp_path, recipe)
    create_example("affwild2-va", tmp_path)
    with pytest.raises(DatasetError, match="only_with selects among single images"):
        load_source(dataclasses.replace(boxed, name="affwild2-va"), tmp_path, recipe)


def test_a_set_without_any_picture_is_refused(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    (tmp_path / "Manually_Annotated_Images").rename(tmp_path / "elsewhere")
    recipe = recipe_for("affectnet", ("expression",))
    with pytest.raises(DatasetError, match="none of 4 rows has a picture"):
        load_source(recipe.data.sources[0], tmp_path, recipe)


def test_every_recipe_for_affectnet_selects_as_its_source_did() -> None:
    recipes = [load_recipe(name) for name in list_recipes()]
    used = [source for recipe in recipes for source in (*recipe.data.sources, *recipe.data.valid)]
    chosen = [source.only_with for source in used if source.name == "affectnet"]
    assert chosen
    assert set(chosen) == {("expression", "face_box")}
