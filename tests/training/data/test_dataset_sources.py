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
