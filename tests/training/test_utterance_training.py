# SPDX-License-Identifier: Apache-2.0
"""A folder of utterances becomes a bundle; pseudo-labels are confident, and a stage ends when nothing rises."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.affect import UtteranceModel
from mien.core import ConfigError, DatasetError, ModalitySpec, SequenceSpec
from mien.datasets import create_example
from mien.training import Recipe, Trainer, load_recipe, load_training_data, train
from mien.training.data.utterance_sources import fit_sequences
from mien.training.engine.checkpoint import Progress
from mien.training.engine.target_providers import Teacher
from mien.training.engine.targets import StageContext
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.target_settings import TeacherSettings

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


def short(name: str = "utterances-early", **model: object) -> Recipe:
    recipe = load_recipe(name)
    assert recipe.model.sequences is not None
    sequences = dataclasses.replace(recipe.model.sequences, steps=4, width=8, word_width=8, **model)  # type: ignore[arg-type]
    stages = tuple(dataclasses.replace(stage, epochs=2, batch=3) for stage in recipe.stages)
    return dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, sequences=sequences), stages=stages)


def test_a_users_folder_becomes_a_bundle(tmp_path: Path) -> None:
    create_example("utterances", tmp_path / "data")
    spec = train(short(), tmp_path / "data", tmp_path / "out")
    assert isinstance(spec, SequenceSpec)
    assert [(one.name, one.n) for one in spec.modalities] == [("text", 4096), ("audio", 4), ("vision", 3)]
    assert [task.labels for task in spec.tasks] == [("joy", "sadness"), ("sentiment",), ("sarcasm",)]
    assert {"emotion weighted F1", "sentiment Pearson", "sarcasm accuracy"} <= {metric.name for metric in spec.metrics}
    sound = [np.ones((2, 4)), None]
    found = UtteranceModel(tmp_path / "out").predict(["Oh great", "no"], {"audio": sound, "vision": [None, None]})
    assert set(found) == {"emotion_joy", "emotion_sadness", "sentiment", "sarcasm"}
    assert all(np.isfinite(values).all() for values in found.values())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    create_example("utterances", tmp_path)
    smell = (ModalitySpec(name="smell", kind="features", n=5),)
    with pytest.raises(DatasetError, match=r"no source has features of 'smell'; they have \['audio', 'vision'\]"):
        fit_sequences(short(modalities=smell), tmp_path)
    with pytest.raises(ConfigError, match="trains on utterances; model"):
        train(short(), tmp_path, tmp_path / "out", model="mien-light")
    recipe = short()
    other = {**recipe.heads, "expression": recipe.heads["emotion"]}
    losses = {**recipe.losses, "expression": recipe.losses["emotion"]}
    with pytest.raises(ConfigError, match="utterances have the tasks emotion, sentiment, sarcasm, not expression"):
        train(dataclasses.replace(recipe, heads=other, losses=losses), tmp_path, tmp_path / "out")


def test_pseudo_labels_are_confident_and_of_a_share(tmp_path: Path) -> None:
    create_example("utterances", tmp_path)
    recipe = fit_sequences(short(), tmp_path)
    samples = load_training_data(recipe, tmp_path).train_set.take([0, 1, 2] * 20)
    samples = dataclasses.replace(samples, groups=tuple(f"row {row}" for row in range(60)))
    predicted = np.tile(np.array([[0.9], [0.6], [0.1]], np.float32), (20, 1))
    context = StageContext(samples=samples, recipe=recipe, stage=0, network=None, folder=tmp_path)  # type: ignore[arg-type]
    unknown = {"sarcasm": np.full((60, 1), np.nan, np.float32)}

    class Known(Teacher):
        def _predictions(self, context: StageContext) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
            del context
            return {"sarcasm": (("sarcasm",), predicted)}

    sure = Known(TeacherSettings(path="x", weight=0.0, min_confidence=0.8)).targets(unknown, context)["sarcasm"]
    assert np.isnan(sure[1::3]).all()
    np.testing.assert_array_equal(sure[0::3], predicted[0::3])
    np.testing.assert_array_equal(sure[2::3], predicted[2::3])
    half = Known(TeacherSettings(path="x", weight=0.0, share=0.5)).targets(unknown, context)["sarcasm"]
    assert 15 < np.isfinite(half).sum() < 45
    own = {"sarcasm": np.ones((60, 1), np.float32)}
    kept = Known(TeacherSettings(path="x", weight=0.0, share=0.5, min_confidence=0.8)).targets(own, context)["sarcasm"]
    np.testing.assert_array_equal(kept, own["sarcasm"])  # true labels stay
    for slip in ({"min_confidence": 0.3}, {"share": 0.0}):
        with pytest.raises(ConfigError, match=next(iter(slip))):
            TeacherSettings(path="x", **slip)  # type: ignore[arg-type]


def test_a_stage_ends_when_nothing_rises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_example("utterances", tmp_path)
    recipe = fit_sequences(short(), tmp_path)
    stage = dataclasses.replace(recipe.stages[0], epochs=20, stop_after=3)
    recipe = dataclasses.replace(recipe, stages=(stage,))
    data = load_training_data(recipe, tmp_path)
    trainer = Trainer(recipe, data.train_set, tmp_path / "work", valid=data.valid)
    values = iter([0.5, 0.4, 0.6, 0.6, 0.6, 0.1])
    monkeypatch.setattr(trainer, "evaluate", lambda _: {"loss": next(values)})
    trainer.run()
    assert trainer.selected == {0: 0.4}
    assert next(values) == 0.1  # three epochs after the best one, and no more
    progress = Progress()
    for value in (0.5, 0.4):
        progress = progress.after(value, StageSettings(epochs=9, peak_lr=1.0, stop_after=3, keep="best"))
    assert (progress.since_top, progress.lr_share) == (1, 1.0)
