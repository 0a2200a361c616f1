# SPDX-License-Identifier: Apache-2.0
"""Every recipe trains two steps, exports, and agrees with the runtime; trainings resume exactly; no downloads."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.affect import Analyzer
from mien.core import BODY_JOINTS, ConfigError, ModelError
from mien.faces import keypoints_of, load_landmark_net
from mien.faces.grid_detector import create_mien_faces
from mien.inference import load_bundle, load_spec
from mien.training import Recipe, list_recipes, load_recipe
from mien.training.data.batch_loader import clean_inputs
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_images import TrainingImages
from mien.training.engine import trainer as trainer_module
from mien.training.engine.checkpoint import load_result
from mien.training.engine.trainer import CHECKPOINT, Trainer
from mien.training.export.bundle_files import write_bundle
from mien.training.export.onnx_export import describe, export_onnx, parity_gap
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import IDENTITY
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings
from mien.training.recipes.settings import HeadSettings
from mien.training.recipes.target_settings import AuxiliaryRowsSettings, PseudoLabelSettings, SelfDistillationSettings
from tests.helpers.synthetic_data import (
    create_recipe,
    create_samples,
    create_vector_recipe,
    encoded,
    face_landmarks,
    shortened,
)

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


# An export takes seconds of a quick core for these, ten to twenty for the others.
_QUICKLY_EXPORTED = (
    *("expr-cnn-2020", "joint-windows", "joint-windows-pretrained", "mien-faces", "mien-light", "mien-points"),
    "mien-points-turned",
    "points-windows",
)


def two_steps(name: str, folder: Path) -> Trainer:
    """A trainer of the recipe with every stage cut to two steps of tiny crops."""
    recipe = shortened(load_recipe(name))
    samples = create_samples(20, recipe)
    return Trainer(recipe, samples, folder, valid=samples if recipe.data.valid else None)


@pytest.mark.parametrize("name", list_recipes())
def test_two_steps_move_every_parameter(name: str, tmp_path: Path) -> None:
    trainer = two_steps(name, tmp_path)
    before = {key: value.clone() for key, value in trainer.network.named_parameters()}
    trainer.run()
    assert [key for key, value in trainer.network.named_parameters() if torch.equal(before[key], value)] == []


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in _QUICKLY_EXPORTED else pytest.mark.slow) for name in list_recipes()],
)
def test_export_and_parity(name: str, tmp_path: Path) -> None:
    trainer = two_steps(name, tmp_path / "work")
    network, recipe = trainer.run(), trainer.recipe
    samples = create_samples(20, recipe)
    size = recipe.model.input_px if recipe.model.backbone else recipe.model.n_vector
    graph = export_onnx(network, size)
    inputs = clean_inputs(samples, recipe, np.arange(5))
    assert parity_gap(network, graph, inputs) < 1e-4
    assert str(Path.home()).encode() not in graph  # no path of this machine travels with the weights
    assert b"stack_trace" not in graph
    with torch.no_grad():
        # A detector has its heads at the grids of the backbone.
        list((network.backbone if "faces" in recipe.tasks else network.get_submodule(recipe.tasks[0])).parameters())[
            -1
        ][0] += 1
    with pytest.raises(ModelError, match="differs from the network"):
        parity_gap(network, graph, inputs)
    if recipe.model.backbone and IDENTITY not in recipe.tasks:  # a pretext makes no bundle: test_identity_training.py
        write_bundle(tmp_path / "bundle", graph, describe(recipe, "1", graph, samples.labels))
        check_bundle(tmp_path / "bundle", recipe)


def check_bundle(folder: Path, recipe: Recipe) -> None:
    """The bundle loads where users would use it, and predicts."""
    if "faces" in recipe.tasks:
        assert len(create_mien_faces(model=folder).detect(np.zeros((70, 90, 3), np.uint8))) == 0
        return
    if "joints" in recipe.tasks:
        bundle = load_bundle(folder)
        assert [task.task for task in bundle.spec.tasks] == ["joints"]  # windows only help in training
        assert bundle.run(np.zeros((1, 32, 32), np.uint8))["joints"].shape == (1, 2 * len(BODY_JOINTS))
        with pytest.raises(ModelError, match="no landmark network"):
            load_landmark_net(folder)
        return
    if "landmarks" not in recipe.tasks:
        assert len(Analyzer(folder).crops([np.zeros((50, 40, 3), np.uint8)])) == 1
        return
    net = load_landmark_net(folder)
    keypoints = keypoints_of(face_landmarks() * 90)[None].astype(np.float32)
    assert net.read(np.zeros((90, 90), np.uint8), keypoints).landmarks.shape == (1, 68, 2)
    assert [task.task for task in net.bundle.spec.tasks] == ["landmarks", "head_pose", "eyes_open", "face"]
    shipped = load_spec("mien-points")
    assert [task.output for task in net.bundle.spec.tasks] == [task.output for task in shipped.tasks]
    assert net.bundle.spec.crop.template == shipped.crop.template


class Stopped(Trainer):
    """A trainer that stops after some saves, as a crash would."""

    saves_left = 2

    def save(self, optimizer: torch.optim.Optimizer) -> None:
        super().save(optimizer)
        self.saves_left -= 1
        if not self.saves_left:
            raise KeyboardInterrupt


def assert_same(one: AffectNetwork, two: AffectNetwork) -> None:
    for (name, first), second in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("save_every_s", [0.0, 600.0], ids=["between steps", "between epochs"])
def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(
    save_every_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "_SAVE_EVERY_S", save_every_s)
    stages = (
        StageSettings(epochs=1, peak_lr=1e-3, batch=6),
        StageSettings(
            epochs=2,
            peak_lr=1e-3,
            batch=6,
            targets=(
                AuxiliaryRowsSettings(n=4),
                PseudoLabelSettings(copy_px=24),
                SelfDistillationSettings(weight=0.3),
            ),
            mixup=0.2,
        ),
    )
    recipe = create_recipe(stages=stages, ema_decay=0.9, class_balance=0.2)
    samples = create_samples(20, recipe)
    whole = Trainer(recipe, samples, tmp_path / "whole").run()
    with pytest.raises(KeyboardInterrupt):
        Stopped(recipe, samples, tmp_path / "parts").run()
    resumed = Trainer(recipe, samples, tmp_path / "parts").run()
    assert_same(whole, resumed)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    recipe = create_vector_recipe()
    samples = create_samples(20, recipe)
    Trainer(recipe, samples, tmp_path).run()
    with pytest.raises(ConfigError, match="other settings"):
        Trainer(dataclasses.replace(recipe, seed=2), samples, tmp_path).run()
    (tmp_path / CHECKPOINT).write_bytes(b"")
    with pytest.raises(ConfigError, match="no checkpoint that can be read"):
        Trainer(recipe, samples, tmp_path).run()


def test_a_stage_trains_its_tasks_and_nothing_else(tmp_path: Path) -> None:
    stages = (
        StageSettings(epochs=1, peak_lr=1e-2, batch=8, tasks=("expression",)),
        StageSettings(epochs=2, peak_lr=1e-2, batch=8, tasks=("action_units",)),
    )
    recipe = create_vector_recipe(stages=stages, optimizer=OptimizerSettings(name="adam", sam_rho=0.05))
    trainer = Trainer(recipe, create_samples(30, recipe), tmp_path)
    before = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    after = trainer.run().state_dict()
    moved = {key.partition(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert moved == {"expression", "action_units"}


def test_a_frozen_backbone_keeps_weights_and_statistics(tmp_path: Path) -> None:
    recipe = create_recipe(stages=(StageSettings(epochs=1, peak_lr=1e-2, batch=8, freeze_backbone=True),))
    trainer = Trainer(recipe, create_samples(20, recipe), tmp_path)
    before = {key: value.clone() for key, value in trainer.network.backbone.state_dict().items()}
    after = trainer.run().backbone.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_frozen_backbone_may_go_on_with_its_statistics(tmp_path: Path) -> None:
    """As where a source sets requires_grad and leaves the network in training mode."""
    stage = StageSettings(epochs=1, peak_lr=1e-2, batch=8, freeze_backbone=True, frozen_statistics=False)
    recipe = create_recipe(stages=(stage,))
    trainer = Trainer(recipe, create_samples(20, recipe), tmp_path)
    before = {key: value.clone() for key, value in trainer.network.backbone.state_dict().items()}
    after = trainer.run().backbone.state_dict()
    moved = {key.rpartition(".")[2] for key in before if not torch.equal(before[key], after[key])}
    assert moved == {"running_mean", "running_var", "num_batches_tracked"}


def test_a_checkpoint_from_before_a_setting_was_there_resumes(tmp_path: Path) -> None:
    recipe = create_vector_recipe(stages=(StageSettings(epochs=2, peak_lr=1e-3, batch=8),))
    samples = create_samples(20, recipe)
    Trainer(recipe, samples, tmp_path).run()
    path = tmp_path / CHECKPOINT
    content = torch.load(path, weights_only=True)
    settings = json.loads(content["recipe"])
    del settings["blend"], settings["optimizer"]["eps"], settings["stages"][0]["last_batch"]
    torch.save(content | {"recipe": json.dumps(settings)}, path)
    assert Trainer(recipe, samples, tmp_path).run() is not None
    kept = dataclasses.replace(recipe.stages[0], last_batch="keep")
    with pytest.raises(ConfigError, match="other settings"):
        Trainer(dataclasses.replace(recipe, stages=(kept,)), samples, tmp_path).run()


def test_the_validation_loss_has_the_l2_penalty_of_keras(tmp_path: Path) -> None:
    losses = {"expression": create_recipe().losses["expression"]}
    found = []
    for l2 in (0.0, 0.5):
        recipe = create_vector_recipe(heads={"expression": HeadSettings(l2=l2, start="glorot")}, losses=losses)
        trainer = Trainer(recipe, create_samples(20, recipe), tmp_path)
        found.append(trainer.evaluate(create_samples(20, recipe, seed=1)))
    kernel = trainer.network.get_submodule("expression").weight
    for name in ("loss", "expression loss"):
        assert found[1][name] - found[0][name] == pytest.approx(0.5 * float((kernel**2).sum().detach()), rel=1e-5)
    assert found[0]["expression accuracy"] == found[1]["expression accuracy"]


def test_the_best_epoch_is_kept_and_said_to_be_selected(tmp_path: Path) -> None:
    source = create_vector_recipe().data.sources
    recipe = create_vector_recipe(
        data=dataclasses.replace(create_vector_recipe().data, valid=source),
        stages=(StageSettings(epochs=6, peak_lr=0.3, batch=8, keep="best", best_by="expression accuracy"),),
    )
    samples, valid = create_samples(40, recipe), create_samples(40, recipe, seed=1)
    seen = []

    class Watched(Trainer):
        def end_epoch(self, number: int) -> None:
            super().end_epoch(number)
            seen.append(self.evaluate(valid)["expression accuracy"])

    trainer = Watched(recipe, samples, tmp_path, valid=valid)
    trainer.run()
    assert len(set(seen)) > 1
    assert trainer.evaluate(valid)["expression accuracy"] == max(seen) == trainer.selected[0]
    refit = recipe.refit()
    assert refit.stages[0].keep == "last"
    assert refit.data.sources == source + source


def test_learning_lowers_the_loss_and_l2_shrinks_kernels(tmp_path: Path) -> None:
    norms = []
    for number, l2 in enumerate((0.0, 1.0)):
        heads = {"expression": HeadSettings(kind="mlp", hidden=(8,), l2=l2)}
        recipe = create_vector_recipe(
            heads=heads,
            losses={"expression": create_recipe().losses["expression"]},
            stages=(StageSettings(epochs=40, peak_lr=3e-2, batch=28),),
        )
        samples = create_samples(60, recipe)
        # The largest of the first eight numbers names the class, so there is something to learn.
        samples.targets["expression"][:] = np.eye(8)[samples.inputs[:, :8].argmax(axis=1)]
        trainer = Trainer(recipe, samples, tmp_path / str(number))
        before = trainer.evaluate(samples)["loss"]
        trainer.run()
        if not l2:
            assert trainer.evaluate(samples)["loss"] < 0.5 * before
        norms.append(sum(float((p.detach() ** 2).sum()) for p in trainer.result.parameters() if p.ndim > 1))
    assert norms[1] < 0.5 * norms[0]


def test_a_backbone_starts_from_another_recipes_checkpoint(tmp_path: Path) -> None:
    recipe = create_recipe()
    Trainer(recipe, create_samples(20, recipe), tmp_path).run()
    model = dataclasses.replace(recipe.model, start=str(tmp_path / CHECKPOINT))
    other = dataclasses.replace(recipe, model=model)
    network = Trainer(other, create_samples(8, recipe), tmp_path / "other").network
    weights = load_result(tmp_path / CHECKPOINT)
    for key, value in network.backbone.state_dict().items():
        assert torch.equal(value, weights[f"backbone.{key}"])


def test_a_resumed_training_needs_no_start_weights(tmp_path: Path) -> None:
    recipe = create_recipe()
    Trainer(recipe, create_samples(20, recipe), tmp_path / "first").run()
    (tmp_path / "first" / CHECKPOINT).rename(tmp_path / "start.pt")
    other = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, start=str(tmp_path / "start.pt")))
    Trainer(other, create_samples(20, recipe), tmp_path / "second").run()
    (tmp_path / "start.pt").unlink()
    Trainer(other, create_samples(20, recipe), tmp_path / "second").run()
    with pytest.raises(ConfigError, match="is not a file"):
        Trainer(other, create_samples(20, recipe), tmp_path / "third")


def test_parameter_counts_of_the_slice_heads() -> None:
    """The published sizes of the multi-task heads on 1,290 numbers (spec 2.8)."""
    heads = {
        "expression": HeadSettings(),
        "valence_arousal": HeadSettings(kind="bounded", columns=(-10, 0)),
        "action_units": HeadSettings(kind="mlp", hidden=(128,)),
    }
    model = dataclasses.replace(create_vector_recipe().model, n_inputs=1290)
    recipe = create_vector_recipe(heads=heads, model=model)
    labels = create_samples(8, recipe).labels | {"action_units": tuple(f"AU{n:02d}" for n in range(12))}
    network = AffectNetwork(recipe, labels)
    counts = {task: sum(p.numel() for p in network.get_submodule(task).parameters()) for task in recipe.tasks}
    assert counts == {"expression": 10_328, "valence_arousal": 22, "action_units": 166_796}
    assert sum(p.numel() for p in network.parameters()) == 177_146


def test_a_head_sees_the_outputs_of_earlier_ones() -> None:
    heads = {
        "valence_arousal": HeadSettings(kind="bounded"),
        "expression": HeadSettings(after=("valence_arousal",)),
        "action_units": HeadSettings(after=("valence_arousal",)),
    }
    recipe = create_vector_recipe(heads=heads)
    network = AffectNetwork(recipe, create_samples(8, recipe).labels).eval()
    vectors = torch.randn(5, 12)
    affect, expression, _, features = network(vectors)
    torch.testing.assert_close(expression, network.expression(torch.cat([vectors, affect], dim=1)))
    assert torch.equal(features, vectors)
    with pytest.raises(ConfigError, match="no head before it"):
        AffectNetwork(create_vector_recipe(heads=dict(reversed(heads.items()))), create_samples(8, recipe).labels)


def _statistics_after_one_step(folder: Path, *, own: bool, shade: int) -> dict[str, torch.Tensor]:
    """Running statistics after a step of eight photos and eight pictures of one shade from a source of their own."""
    recipe = create_recipe(stages=(StageSettings(epochs=1, peak_lr=1e-3, batch=16),))
    samples = create_samples(16, recipe)
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 255, (16, 48, 48, 3), dtype=np.uint8)
    pictures[8:] = shade + rng.integers(0, 8, (8, 48, 48, 3), dtype=np.uint8)
    names = [f"{row}" for row in range(16)]
    records = tuple(
        SourceRecord(title=name, licence="", source=name, own_statistics=own and name == "rendered")
        for name in ("photos", "rendered")
    )
    samples = dataclasses.replace(
        samples,
        inputs=TrainingImages.of(names, encoded(pictures), "gray"),
        records=records,
        record=(np.arange(16) >= 8).astype(np.intp),
        primary=np.ones(16, bool),
    )
    network = Trainer(recipe, samples, folder).run()
    return {key: value for key, value in network.state_dict().items() if "running_" in key}


def test_rows_apart_leave_no_trace_in_the_running_statistics(tmp_path: Path) -> None:
    dark, bright = (_statistics_after_one_step(tmp_path / f"{own}-{shade}", own=own, shade=shade)
                    for own, shade in ((True, 5), (True, 240)))  # fmt: skip
    assert all(torch.equal(dark[key], bright[key]) for key in dark)
    mixed_dark, mixed_bright = (_statistics_after_one_step(tmp_path / f"{own}-{shade}", own=own, shade=shade)
                                for own, shade in ((False, 5), (False, 240)))  # fmt: skip
    assert not all(torch.equal(mixed_dark[key], mixed_bright[key]) for key in mixed_dark)


def test_pictures_of_two_domains_are_not_mixed(tmp_path: Path) -> None:
    recipe = create_recipe(stages=(StageSettings(epochs=1, peak_lr=1e-3, batch=8, mixup=0.2),))
    record = SourceRecord(title="rendered", licence="", own_statistics=True)
    samples = dataclasses.replace(create_samples(12, recipe), records=(record,))
    with pytest.raises(ConfigError, match="mixes pictures"):
        Trainer(recipe, samples, tmp_path).run()


def test_a_share_of_a_stages_change_is_kept_and_whole_heads_keep_all(tmp_path: Path) -> None:
    def trained(kept: float, folder: str) -> dict[str, torch.Tensor]:
        last = StageSettings(epochs=2, peak_lr=1e-2, batch=8, kept_change=kept, whole_change=("action_units",))
        recipe = create_vector_recipe(stages=(StageSettings(epochs=1, peak_lr=1e-3, batch=8), last))
        return Trainer(recipe, create_samples(20, recipe), tmp_path / folder).run().state_dict()

    whole, quarter = trained(1.0, "whole"), trained(0.25, "quarter")
    before = torch.load(tmp_path / "quarter" / "before-1.pt", weights_only=True)
    for key, value in quarter.items():
        expected = whole[key] if key.startswith("action_units.") else torch.lerp(before[key], whole[key], 0.25)
        torch.testing.assert_close(value, expected)
    assert not torch.equal(before["expression.weight"], quarter["expression.weight"])
    with pytest.raises(ConfigError, match="kept_change"):
        StageSettings(epochs=1, peak_lr=1e-3, kept_change=0.0)
