# SPDX-License-Identifier: Apache-2.0
"""Rows of the chain leave the logits of every epoch and those before fine-tuning, and an interrupted row resumes."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.chain import train_chain
from benchmarks.chain.chain_rows import Budget, Row, pretrain_recipe, pretrained_file, recipe_of, row_file, start_path
from benchmarks.chain.chain_scores import load_logits, predictions
from mien.training import ComputeSettings, Recipe, Trainer
from tests.helpers.synthetic_data import create_samples, shortened

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself

BUDGET = Budget(faces=12, face_px=16, size_px=32)
CLASSES = ("ANGER", "DISGUST", "FEAR", "HAPPINESS", "SADNESS", "SURPRISE")


def small(recipe: Recipe) -> Recipe:
    """The recipe with two epochs a stage on crops of 32 px."""
    return shortened(recipe, epochs=2)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with faces of noise, where nothing is drawn and every training is short."""
    rng = np.random.default_rng(0)
    for place in ("synthetic/training_set_synthetic_images", "real/training_set_synthetic_images"):
        write_faces(tmp_path / place, rng)
    write_faces(tmp_path / "valid/validation_set_real_images", rng)
    monkeypatch.setattr(train_chain, "prepare_faces", lambda *_: None)
    monkeypatch.setattr(train_chain, "recipe_of", lambda *arguments: small(recipe_of(*arguments)))
    monkeypatch.setattr(train_chain, "pretrain_recipe", lambda budget: small(pretrain_recipe(budget)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def write_faces(folder: Path, rng: np.random.Generator) -> None:
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(2):
            face = rng.integers(0, 256, (16, 16), dtype=np.uint8)
            cv2.imwrite(str(folder / name / f"{name}{number}.png"), face)


def train(row: Row, work: Path) -> None:
    train_chain.train_row(row, 1, BUDGET, work, work, ComputeSettings(threads=1))


def test_a_row_from_a_bundle_has_logits_before_and_after(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(name="light", step="", images="synthetic", start="mien-light")
    save = Trainer.save

    def interrupted(self: Trainer, optimizer: object) -> None:
        save(self, optimizer)  # type: ignore[arg-type]  # torch's optimiser
        if self.progress.stage == 1 and self.progress.epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(row, work)
    assert not row_file("light", 1, work).exists()
    monkeypatch.setattr(Trainer, "save", save)
    train(row, work)
    after, before = load_logits(row_file("light", 1, work)), load_logits(pretrained_file("mien-light", work))
    assert (after.logits.shape, before.logits.shape) == ((2, 12, 6), (1, 12, 6))
    assert np.array_equal(after.truth, before.truth)
    assert sorted(np.bincount(after.truth)) == [2] * 6
    assert predictions(after, before, cross_fitted=False).shape == (12,)
    assert start_path("mien-light", work).is_file()


def test_the_multi_task_net_is_trained_first(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pretrain(recipe: Recipe, _data: Path, folder: Path, _compute: ComputeSettings) -> None:
        Trainer(recipe, create_samples(16, recipe), folder).run()

    def light(recipe: Recipe) -> Recipe:
        model = dataclasses.replace(recipe.model, backbone="mobilenetv3_small_050")
        return dataclasses.replace(small(recipe), model=dataclasses.replace(model, input_px=32))

    monkeypatch.setattr(train_chain, "train_network", pretrain)
    monkeypatch.setattr(train_chain, "recipe_of", lambda *arguments: light(recipe_of(*arguments)))
    monkeypatch.setattr(train_chain, "pretrain_recipe", lambda budget: light(pretrain_recipe(budget)))
    train(Row(name="mt", step="", images="synthetic", start="mt-emotieffnet"), work)
    before = load_logits(pretrained_file("mt-emotieffnet", work))
    assert before.logits.shape == (1, 12, 6)
    assert np.isfinite(load_logits(row_file("mt", 1, work)).logits).all()
