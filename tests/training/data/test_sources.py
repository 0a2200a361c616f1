# SPDX-License-Identifier: Apache-2.0
"""Every source with an example tree trains a network; held-out rows, joined sets, and slips."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ConfigError, DatasetError
from mien.datasets import create_example, expression_shares, load_held_out, load_votes, picture_file
from mien.datasets.open_sets.face_parquet import load_names
from mien.training import ComputeSettings, train_network
from mien.training.data.sources import SOURCES, hold_out, load_source, load_training_data
from mien.training.data.training_set import TrainingSet
from mien.training.engine.trainer import Trainer
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.settings import (
    DataSettings,
    HeadSettings,
    LossSettings,
    ModelSettings,
    SourceSettings,
)
from tests.helpers.synthetic_data import create_recipe, create_samples, create_vector_recipe

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself

LOSSES = {
    "expression": "soft_cross_entropy",
    "valence_arousal": "squared_error",
    "action_units": "weighted_bce",
    "identity": "index_cross_entropy",
}
ORDERS = {"affwild2-expr": "affwild2_8", "affwild2-mtl": "affwild2_8", "lsd": "lsd_6", "rafdb": "raf_basic"}


def recipe_for(name: str, tasks: tuple[str, ...]) -> Recipe:
    data = DataSettings(sources=(SourceSettings(name=name),), expressions=ORDERS.get(name, "canonical"))
    return create_recipe(
        data=data,
        # At 64 px the last map has four places, so that BatchNorm can train on a tree with one picture.
        model=ModelSettings(backbone="mobilenetv3_small_050", input_px=64),
        heads={task: HeadSettings() for task in tasks},
        losses={task: LossSettings(name=LOSSES[task]) for task in tasks},
        stages=(StageSettings(epochs=2, peak_lr=1e-3, batch=2),),
    )


def tasks_of(name: str, folder: Path) -> tuple[str, ...]:
    """The tasks that a source has labels for."""
    every = recipe_for(name, tuple(LOSSES))
    return tuple(load_source(every.data.sources[0], folder, every).targets)


# Whole videos are stored vectors: tests/training/test_head_training.py.
@pytest.mark.parametrize("name", [name for name in SOURCES if SOURCES[name].has_fixture and name not in ("emi", "eri")])
def test_a_researchers_folder_trains(name: str, tmp_path: Path) -> None:
    create_example(name, tmp_path / "data")
    recipe = recipe_for(name, tasks_of(name, tmp_path / "data"))
    compute = ComputeSettings(cache=tmp_path / "cache")
    trainer, training_data = train_network(recipe, tmp_path / "data", tmp_path / "work", compute)
    assert trainer.progress.stage == 1
    assert training_data.card.training_sources[0].n == len(training_data.train_set)
    assert set(training_data.train_set.targets) == set(recipe.tasks)


def test_held_out_rows_share_no_group_and_survive_reordering() -> None:
    samples = create_samples(40, create_recipe())
    groups = tuple(f"video {row // 4}" for row in range(40))
    grouped = dataclasses.replace(samples, groups=groups)
    held_out = hold_out(grouped, 6)
    inside, outside = ({groups[row] for row in np.flatnonzero(part)} for part in (held_out, ~held_out))
    assert not inside & outside
    assert held_out.sum() == 8
    back = grouped.take(np.arange(39, -1, -1))
    assert hold_out(back, 6).tolist() == held_out[::-1].tolist()


def test_protocols_take_the_faces_that_training_holds_out(shared_data: Path) -> None:
    names = load_names(picture_file(shared_data, "ferplus", "train"))
    usable = ~np.isnan(expression_shares(load_votes(picture_file(shared_data, "ferplus", "train")))).any(axis=1)
    groups = tuple(np.array(names)[usable])
    samples = SimpleNamespace(groups=groups, primary=np.ones(len(groups), dtype=bool))
    held_out = hold_out(samples, 200)  # type: ignore[arg-type] # it needs no images
    assert set(np.array(groups)[held_out]) == set(load_held_out(shared_data, 200).names)


def test_sources_are_joined(tmp_path: Path) -> None:
    for name in ("affwild2-va", "affwild2-au"):
        create_example(name, tmp_path / name)
    tasks = ("valence_arousal", "action_units")
    sources = tuple(SourceSettings(name=name, folder=name) for name in ("affwild2-va", "affwild2-au"))
    recipe = dataclasses.replace(recipe_for("affwild2-va", tasks), data=DataSettings(sources=sources))
    training_data = load_training_data(recipe, tmp_path)
    known = np.stack([training_data.train_set.known(task) for task in tasks])
    assert known.any(axis=0).all()
    assert known.sum() == len(training_data.train_set)  # each row has labels of its own set only
    assert [source.n for source in training_data.card.training_sources] == known.sum(axis=1).tolist()


def write_vectors(folder: Path, n: int = 16) -> None:
    samples = create_samples(n, create_vector_recipe())
    (folder / "train").mkdir(parents=True)
    np.save(folder / "train/inputs.npy", np.asarray(samples.inputs, np.float16))
    for task, values in samples.targets.items():
        np.save(folder / f"train/{task}.npy", values)
    (folder / "labels.json").write_text(json.dumps(samples.labels))


def test_vectors_on_disk_train_heads(tmp_path: Path) -> None:
    write_vectors(tmp_path / "data")
    data = DataSettings(sources=(SourceSettings(name="vectors"),))
    recipe = create_vector_recipe(data=data)
    samples = load_source(data.sources[0], tmp_path / "data", recipe)
    assert isinstance(samples.inputs, np.memmap)
    Trainer(recipe, samples, tmp_path / "work").run()
    wrong = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, n_inputs=13))
    with pytest.raises(DatasetError, match=r"needs \(N, 13\)"):
        load_source(data.sources[0], tmp_path / "data", wrong)
    (tmp_path / "data/labels.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"labels\.json"):
        load_source(data.sources[0], tmp_path / "data", recipe)


def test_slips_are_named(tmp_path: Path) -> None:
    recipe = create_recipe(data=DataSettings(sources=(SourceSettings(name="affectnett"),)))
    with pytest.raises(ConfigError, match="did you mean 'affectnet'"):
        load_training_data(recipe, tmp_path)
    with pytest.raises(DatasetError, match=r"training\.csv"):
        load_training_data(create_recipe(data=DataSettings(sources=(SourceSettings(name="affectnet"),))), tmp_path)
    samples = create_samples(20, create_recipe())
    bare = dataclasses.replace(samples, targets={}, labels={})
    with pytest.raises(ConfigError, match="no labels"):
        Trainer(create_recipe(), bare, tmp_path)


def test_super_resolution_enlarges_training_images_alone(tmp_path: Path) -> None:
    """Images to train on grow; those of validation, and rows held out for calibration, are what users will have."""
    create_example("lsd", tmp_path)
    recipe = recipe_for("lsd", ("expression",))
    train = SourceSettings(name="lsd", upscale="bicubic")
    plain = load_source(SourceSettings(name="lsd"), tmp_path, recipe).inputs
    data = DataSettings(
        sources=(train,), valid=(SourceSettings(name="lsd", split="valid"),), expressions="lsd_6", calibration_rows=2
    )
    loaded = load_training_data(dataclasses.replace(recipe, data=data), tmp_path)
    assert loaded.valid is not None
    assert loaded.calibration is not None

    def sides(samples: TrainingSet) -> set[int]:
        return {samples.inputs[row].shape[0] for row in range(len(samples))}  # type: ignore[union-attr]

    side = plain[0].shape[0]
    assert sides(loaded.train_set) == {2 * side}
    assert sides(loaded.valid) == sides(loaded.calibration) == {side}
    assert len(loaded.train_set) + len(loaded.calibration) == len(plain)


def test_super_resolution_of_vectors_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = create_recipe()
    samples = create_samples(4, recipe)
    vectors = dataclasses.replace(samples, inputs=np.zeros((4, 3), np.float32))
    monkeypatch.setattr(type(SOURCES), "load", lambda *_: lambda *_: vectors)
    with pytest.raises(ConfigError, match="upscale is for images"):
        load_source(SourceSettings(name="vectors", upscale="bicubic"), tmp_path, recipe)
