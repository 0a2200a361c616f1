# SPDX-License-Identifier: Apache-2.0
"""Every recipe trains two steps, resumes, exports, and agrees with the runtime; no downloads."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")

import torch

from mien.core import MienError, ModelError
from mien.datasets import AU_RULES, FERPLUS_TEMPLATE, FaceSamples
from mien.training import Recipe, list_recipes, load_recipe
from mien.training.augment import CropSampler
from mien.training.engine import TeachingSet, Trainer
from mien.training.export import (
    describe,
    export_onnx,
    fit_temperature,
    fit_thresholds,
    parity_gap,
    write_bundle,
)

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


def faces(n: int) -> TeachingSet:
    rng = np.random.default_rng(n)
    pictures = rng.integers(0, 255, (n, 48, 48), dtype=np.uint8)
    expression = rng.dirichlet(np.ones(8), n).astype(np.float32)
    expression[::3] = np.nan
    units = rng.integers(0, 2, (n, len(AU_RULES))).astype(np.float32)
    units[rng.random(units.shape) < 0.3] = np.nan
    landmarks = np.tile(np.array(FERPLUS_TEMPLATE, np.float32), (n, 1, 1))
    landmarks[::4] = np.nan
    samples = FaceSamples(
        names=tuple(map(str, range(n))),
        images=tuple(cv2.imencode(".png", picture)[1].tobytes() for picture in pictures),
        expression=expression,
        valence_arousal=rng.uniform(-1, 1, (n, 2)).astype(np.float32),
        action_units=units,
        action_unit_labels=tuple(AU_RULES),
        landmarks=landmarks,
    )
    return TeachingSet.decode(samples, np.arange(n) < n - 4)


def short(name: str, epochs: int = 1) -> Recipe:
    """The recipe with every stage cut to two steps an epoch of tiny crops."""
    recipe = load_recipe(name)
    model = dataclasses.replace(recipe.model, input_px=32)
    stages = [
        dataclasses.replace(stage, epochs=epochs, size_px=32, batch=8, other_rows=min(stage.other_rows, 4))
        for stage in recipe.stages
    ]
    return dataclasses.replace(recipe, model=model, stages=tuple(stages))


@pytest.mark.parametrize("name", list_recipes())
def test_two_steps_export_and_parity(name: str, tmp_path: Path) -> None:
    recipe = short(name)
    trainer = Trainer(recipe, faces(16), FERPLUS_TEMPLATE, tmp_path / "work")
    before = {key: value.clone() for key, value in trainer.network.named_parameters()}
    network = trainer.run()
    unmoved = [key for key, value in trainer.network.named_parameters() if torch.equal(before[key], value)]
    assert not unmoved  # the gradient reaches everything
    graph = export_onnx(network, 32)
    crops = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 1), dtype=np.uint8)
    assert parity_gap(network, graph, crops) < 1e-4
    assert str(Path.home()).encode() not in graph  # no path of this machine travels with the weights
    assert b"stack_trace" not in graph
    with torch.no_grad():
        network.expression.bias[0] += 1
    with pytest.raises(ModelError, match="differs from the network"):
        parity_gap(network, graph, crops)
    spec = describe(recipe.name, "1", graph, 32, FERPLUS_TEMPLATE, tuple(AU_RULES))
    write_bundle(tmp_path / "bundle", graph, spec)
    from mien.affect import Analyzer

    assert len(Analyzer(tmp_path / "bundle").crops([np.zeros((50, 40, 3), np.uint8)])) == 1


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    recipe, data = short("mien-light", epochs=2), faces(16)
    whole = Trainer(recipe, data, FERPLUS_TEMPLATE, tmp_path / "whole").run()

    class Stopped(Trainer):
        def _save(self, stage: int, epoch: int, optimizer: torch.optim.Optimizer) -> None:
            super()._save(stage, epoch, optimizer)
            if (stage, epoch) == (1, 1):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stopped(recipe, data, FERPLUS_TEMPLATE, tmp_path / "parts").run()
    resumed = Trainer(recipe, data, FERPLUS_TEMPLATE, tmp_path / "parts").run()
    for (name, one), two in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5, msg=name)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    recipe, data = short("mien-light"), faces(16)
    Trainer(recipe, data, FERPLUS_TEMPLATE, tmp_path).run()
    with pytest.raises(MienError, match="other settings"):
        Trainer(dataclasses.replace(recipe, seed=2), data, FERPLUS_TEMPLATE, tmp_path).run()


def test_crops_without_jitter_are_the_runtimes() -> None:
    """What the sampler draws around is the runtime's crop: the mean of many draws resembles it."""
    from mien.faces import align_faces

    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (96, 96), dtype=np.uint8), (0, 0), 6)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    points = np.array(FERPLUS_TEMPLATE) * 96 - 0.5
    sampler = CropSampler(FERPLUS_TEMPLATE, 48, rng)
    mean = np.mean([sampler(picture, points) for _ in range(400)], axis=0)
    crop = align_faces(picture, points[None], FERPLUS_TEMPLATE, 48)[0].astype(float)
    symmetric = (crop + crop[:, ::-1]) / 2  # half of the draws are mirrored
    assert np.corrcoef(mean[8:-8, 8:-8].ravel(), symmetric[8:-8, 8:-8].ravel())[0, 1] > 0.8


def test_temperature_undoes_a_known_scale() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 8))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert fit_temperature(3 * logits, shares) == pytest.approx(3, rel=0.01)
    assert fit_temperature(0.5 * logits, shares) == pytest.approx(0.5, rel=0.01)


def test_thresholds_have_the_best_f1_and_unknown_targets_stay_out() -> None:
    chances = np.array([[0.15], [0.25], [0.35], [0.9]], np.float32)
    targets = np.array([[0.0], [1.0], [1.0], [np.nan]], np.float32)
    assert fit_thresholds(chances, targets) == (0.2,)
    assert fit_thresholds(chances, np.ones((4, 1), np.float32)) == (0.1,)
