# SPDX-License-Identifier: Apache-2.0
"""Calibration with known results, and export of small networks."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
onnx = pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import DIMENSIONS, EXPRESSIONS, ConfigError, ModelError  # noqa: E402 - needs torch
from mien.inference import create_session  # noqa: E402 - needs torch
from mien.training.export.onnx_export import (  # noqa: E402 - needs torch
    OPSET,
    adjust_logits,
    calibrate,
    check_held_out,
    describe,
    fit_temperature,
    fit_thresholds,
    neutral_thresholds,
    parity_gap,
    runtime_gap,
    to_onnx,
)
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch
from mien.training.recipes.settings import (  # noqa: E402 - needs torch
    CalibrationSettings,
    HeadSettings,
)
from tests.helpers.small_graphs import small_graph, small_spec  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import create_recipe, create_samples  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # the exporter warns about itself

NAN = np.nan


def test_temperature_undoes_a_known_scale() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 8))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) > rng.random((len(shares), 1))).argmax(axis=1)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.03)
    assert fit_temperature(0.5 * logits, labels) == pytest.approx(0.5, rel=0.03)


def test_thresholds_have_the_best_f1_and_unknown_targets_stay_out() -> None:
    probabilities = np.array([[0.15], [0.25], [0.35], [0.9]], np.float32)
    targets = np.array([[0.0], [1.0], [1.0], [np.nan]], np.float32)
    assert fit_thresholds(probabilities, targets) == (0.2,)
    assert fit_thresholds(probabilities, np.ones((4, 1), np.float32)) == (0.1,)
    assert fit_thresholds(probabilities, np.full((4, 1), np.nan, np.float32)) == (0.5,)


class TwoOutputs(torch.nn.Module):
    """A dense layer and its tanh."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(n_inputs, n_outputs)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = self.layer(inputs)
        return values, torch.tanh(values)


def test_an_exported_graph_takes_any_number_of_rows_and_hides_the_machine() -> None:
    network = TwoOutputs(3, 2)
    graph = to_onnx(network, torch.zeros(2, 3), ["values", "bounded"])
    model = onnx.load_from_string(graph)
    assert [own.version for own in model.opset_import if not own.domain] == [OPSET]
    assert not model.metadata_props
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert str(Path(__file__).parent).encode() not in graph
    inputs = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert set(create_session(graph).run({"crops": inputs})) == {"values", "bounded"}
    assert parity_gap(network, graph, inputs, ["values", "bounded"]) < 1e-5
    with torch.no_grad():
        network.layer.bias += 0.5
    assert runtime_gap(network, graph, inputs, ["values", "bounded"]) == pytest.approx(0.5, abs=1e-5)
    with pytest.raises(ModelError, match=r"differs from the network by 5.00e-01, more than 1e-04"):
        parity_gap(network, graph, inputs, ["values", "bounded"])


def test_a_spec_describes_the_tasks_of_a_recipe() -> None:
    recipe = create_recipe()
    labels = {
        "expression": ("neutral", "happiness"),
        "valence_arousal": ("valence", "arousal"),
        "action_units": ("AU12",),
    }
    spec = describe(recipe, "1", b"graph", labels)
    assert spec.sha256 == hashlib.sha256(b"graph").hexdigest()
    assert {task.task: task.activation for task in spec.tasks} == {
        "expression": "softmax",
        "valence_arousal": "identity",
        "action_units": "sigmoid",
    }
    assert [task.output for task in spec.tasks] == ["expression_logits", "valence_arousal", "action_unit_logits"]
    heads = {"emi": recipe.heads["expression"]}
    with pytest.raises(ConfigError, match=r"a bundle supports .*, not 'emi'"):
        describe(
            dataclasses.replace(recipe, heads=heads, losses={"emi": recipe.losses["expression"]}),
            "1",
            b"graph",
            {"emi": ("a",)},
        )


def test_calibration_needs_50_faces(caplog: pytest.LogCaptureFixture) -> None:
    spec = small_spec(small_graph())
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 8, 60)
    logits = np.eye(8, dtype=np.float32)[classes] * 2 + rng.normal(0, 1, (60, 8)).astype(np.float32)
    outputs = {
        "expression_logits": logits,
        "valence_arousal": np.zeros((60, 2), np.float32),
        "action_unit_logits": rng.normal(0, 1, (60, 2)).astype(np.float32),
    }
    targets = {
        "expression": np.eye(8, dtype=np.float32)[classes],
        "action_units": rng.integers(0, 2, (60, 2)).astype(np.float32),
    }
    fitted = calibrate(spec, outputs, targets, CalibrationSettings(), inferred=("AU12", "AU99"))
    expression, affect, units = fitted.tasks
    assert expression.temperature == pytest.approx(fit_temperature(logits, classes), abs=1e-4)
    assert affect == spec.tasks[1]
    assert len(units.thresholds) == 2
    assert units.threshold_rule == "best F1 on held-out faces"
    assert units.inferred == ("AU12",)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    rare = targets | {"action_units": (np.arange(120).reshape(60, 2) % 12 == 0).astype(np.float32)}
    calibrate(spec, outputs, rare, CalibrationSettings())
    [message] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"thresholds of {units.labels[0]} (10), {units.labels[1]} (0) come from fewer than 20" in message
    few = {name: values[:40] for name, values in outputs.items()}
    unfitted = calibrate(spec, few, {task: values[:40] for task, values in targets.items()}, CalibrationSettings())
    assert unfitted == spec


def test_thresholds_of_neutral_faces_ignore_labels_that_are_not_to_be_trusted() -> None:
    rng = np.random.default_rng(0)
    probabilities = np.stack([rng.random(2000), 0.1 * rng.random(2000)], axis=1).astype(np.float32)
    settings = CalibrationSettings(false_alarms=0.02, lowest_threshold=0.3)
    thresholds = neutral_thresholds(probabilities, settings)
    assert (probabilities[:, 0] >= thresholds[0]).mean() == pytest.approx(0.02, abs=1e-3)
    assert thresholds[0] == pytest.approx(0.98, abs=0.01)
    assert thresholds[1] == 0.3
    with pytest.raises(ConfigError, match="50 held-out neutral"):
        neutral_thresholds(probabilities[:49], settings)
    for wrong in ({"false_alarms": 1.0}, {"lowest_threshold": 1.5}):
        with pytest.raises(ConfigError, match="must be in"):
            CalibrationSettings(**wrong)


def test_too_few_neutral_faces_are_refused_before_a_training() -> None:
    labels = {"expression": EXPRESSIONS, "action_units": ("AU12",)}
    settings, units = CalibrationSettings(false_alarms=0.1), np.zeros((400, 1), np.float32)
    for n_neutral, message in ((49, "needs 50 held-out neutral faces, got 49; hold out more"), (50, "")):
        shares = np.eye(8, dtype=np.float32)[(np.arange(400) >= n_neutral).astype(int)]
        targets = {"expression": shares, "action_units": units}
        if message:
            with pytest.raises(ConfigError, match=message):
                check_held_out(settings, labels, targets)
            check_held_out(CalibrationSettings(), labels, targets)
            check_held_out(settings, {"expression": EXPRESSIONS}, targets)
            check_held_out(settings, labels, {name: values[:40] for name, values in targets.items()})
        else:
            check_held_out(settings, labels, targets)
    with pytest.raises(ConfigError, match="needs an expression head"):
        check_held_out(settings, labels, {"action_units": units})


def test_false_alarms_are_counted_on_the_neutral_faces_alone() -> None:
    recipe = create_recipe()
    labels = {"expression": EXPRESSIONS, "valence_arousal": DIMENSIONS, "action_units": ("AU12",)}
    spec = describe(recipe, "1", b"", labels)
    neutral = np.arange(400) % 2 == 0
    shares = np.where(neutral[:, None], np.eye(8)[0], np.eye(8)[1]).astype(np.float32)
    logits = np.where(neutral, np.linspace(-4, 1, 400), 6.0)[:, None].astype(np.float32)  # happy faces smile
    outputs = {
        "expression_logits": shares, "valence_arousal": np.zeros((400, 2), np.float32), "action_unit_logits": logits,
    }  # fmt: skip
    targets = {"expression": shares, "action_units": np.full((400, 1), np.nan, np.float32)}
    fitted = calibrate(spec, outputs, targets, CalibrationSettings(false_alarms=0.05)).task("action_units")
    assert fitted is not None
    assert fitted.threshold_rule == "reached by 5 % of held-out neutral faces, at least 0.3"
    present = 1 / (1 + np.exp(-logits[:, 0])) >= fitted.thresholds[0]
    assert present[neutral].mean() == pytest.approx(0.05, abs=0.006)
    assert present[~neutral].all()


def test_logit_adjustment_moves_the_bias_of_the_expression_head() -> None:
    recipe = create_recipe()
    samples = create_samples(8, recipe)
    network = AffectNetwork(recipe, samples.labels).eval()
    targets = np.array([[0.5, 0.25, 0.25, 0, 0, 0, 0, 0], [np.nan] * 8], np.float32)
    crops = torch.randint(0, 256, (2, 32, 32, 1), dtype=torch.uint8)
    with torch.inference_mode():
        before = network(crops)
        adjust_logits(network, targets, 0.0)
        assert torch.equal(network(crops)[0], before[0])
        adjust_logits(network, targets, 0.5)
        after = network(crops)
    frequencies = np.maximum([0.5, 0.25, 0.25, 0, 0, 0, 0, 0], 1e-4)
    np.testing.assert_allclose(after[0] - before[0], np.tile(-0.5 * np.log(frequencies), (2, 1)), atol=1e-4)
    assert torch.equal(after[1], before[1])


def test_logit_adjustment_leaves_heads_that_read_the_expressions_as_they_are() -> None:
    recipe = create_recipe()
    heads = {**recipe.heads, "valence_arousal": HeadSettings(kind="bounded", hidden=(4,), after=("expression",))}
    recipe = dataclasses.replace(recipe, heads=heads)
    samples = create_samples(8, recipe)
    network = AffectNetwork(recipe, samples.labels).eval()
    targets = np.array([[0.5, 0.25, 0.25, 0, 0, 0, 0, 0]], np.float32)
    crops = torch.randint(0, 256, (2, 32, 32, 1), dtype=torch.uint8)
    with torch.inference_mode():
        before = dict(zip(network.tasks, network(crops), strict=False))
        adjust_logits(network, targets, 0.5)
        after = dict(zip(network.tasks, network(crops), strict=False))
    assert (after["expression"] - before["expression"]).abs().max() > 0.1
    np.testing.assert_allclose(after["valence_arousal"], before["valence_arousal"], atol=1e-5)
