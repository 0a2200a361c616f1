# SPDX-License-Identifier: Apache-2.0
"""noisyFER: published size, what its two updates move, and a bundle that `mien analyze` runs."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch
from click.testing import CliRunner

from mien.cli.main import mien
from mien.core import DIMENSIONS, EXPRESSIONS, ConfigError
from mien.datasets import create_example
from mien.media import save_image
from mien.results import read_table
from mien.training import ComputeSettings, load_recipe, train
from mien.training.methods.adversarial import Adversarial, hinge_loss
from mien.training.methods.registry import FEATURES, Step, Tensors
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import AdversarialSettings
from mien.training.recipes.recipe import Recipe
from tests.helpers.synthetic_data import create_recipe, shortened

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves

LABELS = {"expression": EXPRESSIONS, "valence_arousal": DIMENSIONS}
SETTINGS = AdversarialSettings(channels=2, n_noise=5, after_epoch=2, weight=0.5)


def small_recipe(**model: object) -> Recipe:
    full = create_recipe()
    return dataclasses.replace(
        full,
        heads={task: full.heads[task] for task in LABELS},
        losses={task: full.losses[task] for task in LABELS},
        model=dataclasses.replace(full.model, **model),  # type: ignore[arg-type]
    )


def create_step(network: AffectNetwork, epoch: int) -> Step:
    """Four faces; the last one has no valence and arousal."""
    targets = {"expression": torch.eye(8)[:4], "valence_arousal": torch.zeros(4, 2)}
    targets["valence_arousal"][3] = torch.nan

    def forward(inputs: torch.Tensor) -> Tensors:
        return dict(zip((*network.tasks, FEATURES), network(inputs), strict=True))

    def task_terms(outputs: Tensors, _targets: Tensors) -> Tensors:
        return {task: outputs[task].sum() for task in LABELS}

    inputs = torch.randint(0, 255, (4, 32, 32, 1), dtype=torch.uint8)
    return Step(inputs=inputs, targets=targets, epoch=epoch, lr=0.1, forward=forward, task_terms=task_terms)


def test_the_encoder_has_the_published_number_of_parameters() -> None:
    published = load_recipe("noisyfer")
    network = AffectNetwork(published, {"expression": EXPRESSIONS[:7], "valence_arousal": DIMENSIONS})
    z_layers = 2 * (500 + 1) * 100
    assert sum(parameter.numel() for parameter in network.parameters()) + z_layers == 16_094_397
    method = published.stages[0].method
    assert isinstance(method, AdversarialSettings)
    assert (method.weight, method.after_epoch, method.critic_steps, method.critic_lr) == (0.4, -1, 2, 1e-4)


def test_the_adversarial_part_begins_after_its_epoch_and_trains_both_sides() -> None:
    torch.manual_seed(0)
    recipe = small_recipe()
    network = AffectNetwork(recipe, LABELS).train()
    method = Adversarial(SETTINGS, network, recipe, LABELS)
    assert set(method.terms(create_step(network, epoch=2))) == set(LABELS)
    critic = [parameter.clone() for parameter in method.critic.parameters()]
    terms = method.terms(create_step(network, epoch=3))
    assert set(terms) == {*LABELS, "adversarial"}
    moved = [not torch.equal(one, two) for one, two in zip(critic, method.critic.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)  # the share of the attention starts at 0, so that its layers follow it
    network.zero_grad()
    for parameter in method.parameters():
        parameter.grad = None
    terms["adversarial"].backward()
    # The second update is that of encoder and decoder: no gradient is left in the discriminators.
    assert all(parameter.grad is None for parameter in method.critic.parameters())
    for part in (method.mean, method.log_variance, method.decoder, network.backbone):
        assert any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in part.parameters())


def test_rows_with_an_unknown_label_are_left_out() -> None:
    torch.manual_seed(0)
    recipe = small_recipe()
    network = AffectNetwork(recipe, LABELS).train()
    method = Adversarial(SETTINGS, network, recipe, LABELS)
    step = create_step(network, epoch=3)
    step.targets["valence_arousal"][1:] = torch.nan
    assert set(method.terms(step)) == set(LABELS)  # one row is too few for the decoder's normalisation


def test_the_hinge_loss_averages_over_all_scores() -> None:
    encoded, decoded = torch.tensor([[3.0, 0.0], [1.0, -1.0]]), torch.tensor([[-2.0, 1.0]])
    assert float(hinge_loss(encoded, decoded)) == pytest.approx((0 + 1 + 0 + 2) / 4 + (0 + 2) / 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"mean": (0.0,)}, "mean"), ({"features": False}, "features"), ({"input_px": 40}, "8, 16, 32 or 64 px")],
)
def test_a_recipe_that_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    recipe = small_recipe(**changes)
    with pytest.raises(ConfigError, match=message):
        Adversarial(SETTINGS, AffectNetwork(recipe, LABELS), recipe, LABELS)


def test_the_encoder_leaves_as_a_bundle_that_analyze_runs(tmp_path: Path, astronaut: npt.NDArray[np.uint8]) -> None:
    create_example("affectnet", tmp_path / "data")
    recipe = shortened(load_recipe("noisyfer"))
    spec = train(recipe, tmp_path / "data", tmp_path / "bundle", ComputeSettings(cache=tmp_path / "cache"))
    assert spec is not None
    assert {task.task for task in spec.tasks} == {"expression", "valence", "arousal"} or len(spec.tasks) >= 2
    save_image(tmp_path / "photo.jpg", astronaut)
    arguments = ["analyze", tmp_path / "photo.jpg", "--model", tmp_path / "bundle", "--out", tmp_path / "table.parquet"]
    done = CliRunner().invoke(mien, [str(part) for part in arguments])
    assert done.exit_code == 0, done.output
    table = read_table(tmp_path / "table.parquet")
    assert table["expression"].to_pylist()[0] in EXPRESSIONS
    assert np.isfinite(table["valence"].to_numpy()).all()
