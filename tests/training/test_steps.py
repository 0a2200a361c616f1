# SPDX-License-Identifier: Apache-2.0
"""Drawing rows, mixing, schedules, sharpness-aware steps, coupling and teachers, each by a known answer."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="the workshop is an extra: pip install 'mien[train]'")

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.data.batch_loader import BatchLoader, cutmix, mixup, sample_epoch  # noqa: E402 - needs torch
from mien.training.engine.optimization import create_optimizer, learning_rate, sharpness_aware_step  # noqa: E402
from mien.training.engine.targets import add_teacher, blend  # noqa: E402 - needs torch
from mien.training.engine.trainer import CHECKPOINT, Trainer  # noqa: E402 - needs torch
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch
from mien.training.recipes.settings import CouplingSettings, OptimizerSettings, StageSettings, TeacherSettings  # noqa: E402  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import create_recipe, create_samples, create_vector_recipe  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself

STAGE = StageSettings(epochs=4, peak_lr=1.0, batch=4)


def test_an_epoch_shows_every_useful_row_once() -> None:
    recipe = create_vector_recipe()
    samples = create_samples(30, recipe)
    rows = sample_epoch(samples, recipe, STAGE, np.random.default_rng(0))
    assert sorted(rows) == list(range(26))  # the last four are secondary
    named = dataclasses.replace(STAGE, tasks=("expression",))
    assert all(samples.known("expression")[sample_epoch(samples, recipe, named, np.random.default_rng(0))])
    more = dataclasses.replace(STAGE, auxiliary_rows=3, labelled_auxiliary_rows=1)
    assert len(sample_epoch(samples, recipe, more, np.random.default_rng(0))) == 30


def test_balance_draws_rare_classes_more_often() -> None:
    recipe = create_vector_recipe(class_balance=1.0)
    samples = create_samples(104, recipe)
    samples.targets["expression"][:] = np.eye(8)[np.where(np.arange(104) < 90, 0, 1)]
    drawn = np.concatenate([sample_epoch(samples, recipe, STAGE, np.random.default_rng(i)) for i in range(40)])
    assert (drawn >= 90).mean() == pytest.approx(0.5, abs=0.05)


def test_processes_share_a_steps_rows() -> None:
    recipe = create_vector_recipe(stages=(STAGE,))
    samples = create_samples(30, recipe)
    makers = [BatchLoader(samples, dict(samples.targets), recipe, 0, rank=rank, n_processes=2) for rank in range(2)]
    rows = [maker.rows(0) for maker in makers]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert [len(step) for step in rows[0]] == [8, 8, 8]
    first = [next(iter(maker.batches(0, rows[0], 0))) for maker in makers]
    assert len(first[0].inputs) == len(first[1].inputs) == 4
    together = np.concatenate([batch.inputs.numpy() for batch in first])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(samples.inputs[rows[0][0]], axis=0))


def test_mixing_blends_labels_and_keeps_unknown_ones_unknown() -> None:
    inputs = torch.arange(4, dtype=torch.float32)[:, None].repeat(1, 3)
    targets = {"expression": torch.tensor([[1.0], [0.0], [math.nan], [0.5]])}
    mixed, blended = mixup(inputs, targets, 0.75, np.random.default_rng(0))
    order = np.random.default_rng(0).permutation(4)
    np.testing.assert_allclose(mixed[:, 0], 0.75 * np.arange(4) + 0.25 * order)
    values = targets["expression"][:, 0].numpy()
    np.testing.assert_allclose(blended["expression"][:, 0], 0.75 * values + 0.25 * values[order])


def test_cut_faces_have_labels_by_area() -> None:
    crops = torch.zeros(2, 10, 10, 1, dtype=torch.uint8)
    crops[1] = 100
    for seed in range(20):
        pasted, targets = cutmix(crops, {"a": torch.tensor([[0.0], [1.0]])}, 0.6, np.random.default_rng(seed))
        share = pasted.float().mean(dim=(1, 2, 3)) / 100
        torch.testing.assert_close(targets["a"][:, 0], share)


@pytest.mark.parametrize(
    ("schedule", "warmup", "points"),
    [
        ("constant", 0.0, {0.0: 1.0, 0.9: 1.0}),
        ("cosine", 0.0, {0.0: 1.0, 0.5: 0.5, 1.0: 0.0}),
        ("one_cycle", 0.2, {0.0: 0.05, 0.1: 0.525, 0.2: 1.0, 0.6: 0.505, 1.0: 0.01}),
    ],
)
def test_schedules(schedule: str, warmup: float, points: dict[float, float]) -> None:
    stage = dataclasses.replace(STAGE, schedule=schedule, warmup=warmup)
    for progress, share in points.items():
        assert learning_rate(stage, progress) == pytest.approx(share, abs=1e-9)


def test_a_sharpness_aware_step_has_the_gradient_of_the_moved_point() -> None:
    """For f(w) = sum a w^2 / 2 the gradient at w + rho g / |g| is a (w + rho g / |g|), with g = a w."""
    a, w = torch.tensor([1.0, 4.0]), torch.nn.Parameter(torch.tensor([3.0, 1.0]))

    def backward() -> dict[str, torch.Tensor]:
        w.grad = None
        loss = (a * w**2).sum() / 2
        loss.backward()
        return {"f": loss}

    terms = sharpness_aware_step([w], backward, 0.05)
    torch.testing.assert_close(w.detach(), torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(
        w.grad, torch.tensor([1.0, 4.0]) * (torch.tensor([3.0, 1.0]) + 0.05 * torch.tensor([0.6, 0.8]))
    )
    assert float(terms["f"].detach()) == pytest.approx(6.5)


def test_blocks_near_the_input_learn_slower() -> None:
    recipe = create_recipe()
    network = AffectNetwork(recipe, create_samples(8, recipe).labels)
    settings = OptimizerSettings(name="sgd", backbone_lr=0.1, layer_decay=0.5, weight_decay=0.01)
    groups = create_optimizer(network, settings, 1.0).param_groups
    share_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    names = dict(network.named_parameters())
    assert share_of[id(names["expression.weight"])] == 1.0
    assert share_of[id(names["backbone.conv_stem.weight"])] < share_of[id(names["backbone.conv_head.weight"])] <= 0.05
    assert all(group["weight_decay"] == (0.01 if group["params"][0].ndim > 1 else 0.0) for group in groups)
    assert sum(len(group["params"]) for group in groups) == len(names)


def test_coupling_and_teachers_take_part(tmp_path: Path) -> None:
    teacher_recipe = create_vector_recipe()
    samples = create_samples(24, teacher_recipe)
    Trainer(teacher_recipe, samples, tmp_path / "teacher").run()
    teacher = TeacherSettings(path=str(tmp_path / "teacher" / CHECKPOINT), weight=0.25, temperature=2.0)
    taught = add_teacher(dict(samples.targets), samples, teacher, teacher_recipe, tmp_path)
    known = samples.known("expression")
    assert not np.isnan(taught["expression"]).any()
    np.testing.assert_allclose(taught["expression"].sum(axis=1), 1, atol=1e-5)
    answer = (taught["expression"][known] - 0.75 * samples.targets["expression"][known]) / 0.25
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-4)
    recipe = create_vector_recipe(
        teachers=(teacher,), coupling=CouplingSettings(co_annotation="soft", matching=1.0), task_balance="rows"
    )
    sums = []

    class Watched(Trainer):
        def end_epoch(self, number: int) -> None:
            super().end_epoch(number)
            sums.append(self.progress.sums)

    Watched(recipe, samples, tmp_path / "student").run()
    assert {"expression", "valence_arousal", "action_units", "matching"} == set(sums[0])
    alone = {"expression": recipe.heads["expression"]}, {"expression": recipe.losses["expression"]}
    recipe = dataclasses.replace(recipe, heads=alone[0], losses=alone[1])
    with pytest.raises(ConfigError, match="needs an expression and an action_units head"):
        Trainer(recipe, samples, tmp_path)


def test_a_bundle_teaches_pictures(tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = create_samples(6, recipe)
    taught = add_teacher(dict(samples.targets), samples, TeacherSettings(path="mien-light"), recipe, tmp_path)
    assert not np.isnan(taught["expression"]).any()
    assert len(list(tmp_path.glob("teacher-*.npz"))) == 1  # asked once, kept


def test_blending() -> None:
    nan = np.nan
    targets, answer = np.array([[1.0, nan, 0.0, nan]]), np.array([[0.0, 0.5, nan, nan]])
    np.testing.assert_allclose(blend(targets, answer, 0.25), [[0.75, 0.5, 0.0, nan]])
