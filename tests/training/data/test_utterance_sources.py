# SPDX-License-Identifier: Apache-2.0
"""Utterances as training sets: packed as the recipe says, and only tasks with a label."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.affect import hash_words
from mien.core import ConfigError
from mien.datasets import create_example
from mien.training import load_recipe, load_source
from mien.training.data.utterance_sources import fit_sequences
from mien.training.recipes.settings import SourceSettings


def test_rows_targets_and_groups(tmp_path: Path) -> None:
    create_example("utterances", tmp_path)
    recipe = fit_sequences(load_recipe("utterances-early"), tmp_path)
    samples = load_source(recipe.data.sources[0], tmp_path, recipe)
    inputs = np.asarray(samples.inputs)
    assert inputs.shape == (3, recipe.model.n_vector) == (3, 50 + 50 * 5 + 50 * 4)
    assert inputs[0, :2].tolist() == hash_words("Oh great", 4096)
    masks = inputs[:, 50 + 200 : 300], inputs[:, -50:]
    assert [mask.sum(axis=1).tolist() for mask in masks] == [[3, 4, 5], [3, 4, 0]]
    assert samples.labels["emotion"] == ("joy", "sadness")
    assert np.isnan(samples.targets["sarcasm"][1, 0])
    assert len(set(samples.groups)) == 3


def test_a_split_without_a_label_lacks_the_task(tmp_path: Path) -> None:
    (tmp_path / "utterances.csv").write_text("id,split,text,sarcasm\na,train,Oh great,1\nb,valid,no,0\n")
    recipe = load_recipe("utterances-early")
    assert recipe.model.sequences is not None
    text = dataclasses.replace(recipe.model.sequences, modalities=recipe.model.sequences.modalities[:1])
    recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, sequences=text))
    assert set(load_source(recipe.data.sources[0], tmp_path, recipe).targets) == {"sarcasm"}
    with pytest.raises(ConfigError, match=r"mien-light has no \[model.sequences\]"):
        fit_sequences(load_recipe("mien-light"), tmp_path)
    with pytest.raises(ConfigError, match=r"the source utterances needs \[model.sequences\]"):
        load_source(SourceSettings(name="utterances"), tmp_path, load_recipe("mien-light"))


def test_vectors_of_two_lengths_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        create_example("utterances", tmp_path / name)
    for path in (tmp_path / "two" / "features" / "audio").iterdir():
        np.save(path, np.zeros((2, 9), np.float32))
    recipe = load_recipe("utterances-early")
    sources = tuple(SourceSettings(name="utterances", folder=name) for name in ("one", "two"))
    recipe = dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, sources=sources, valid=()),
        stages=(dataclasses.replace(recipe.stages[0], schedule="constant", keep="last", stop_after=0),),
    )
    with pytest.raises(ConfigError, match=r"length 4 in .*u1\.npy \(utterances.csv, line 2\) and of 9 in .*u1\.npy \("):
        fit_sequences(recipe, tmp_path)
