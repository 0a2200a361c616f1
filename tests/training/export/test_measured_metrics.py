# SPDX-License-Identifier: Apache-2.0
"""Metrics of an exported graph on validation sources: points of loose crops, intervals, and what cannot be measured."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import BODY_JOINTS
from mien.training import load_recipe, load_source
from mien.training.data.batch_loader import clean_inputs, clean_targets
from mien.training.export import measured_metrics as module
from mien.training.export.measured_metrics import measured_metrics
from mien.training.export.onnx_export import GRAPH_INPUT
from mien.training.recipes.settings import HeadSettings, LossSettings
from tests.helpers.synthetic_data import create_recipe, create_samples


class Oracle:
    """A session that gives the true places of the bodies it is shown, all a tenth of the crop too far right."""

    def __init__(self, crops: np.ndarray, joints: np.ndarray) -> None:
        self._places = {crop.tobytes(): place for crop, place in zip(crops, joints, strict=True)}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The places of each crop."""
        found = np.stack([self._places[crop.tobytes()] for crop in inputs["crops"]])
        moved = found.reshape(len(found), -1, 2) + np.array([0.1, 0.0])
        return {"joints": moved.reshape(len(found), -1).astype(np.float32)}


def test_joints_are_measured_where_the_crops_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("joint-windows")
    source = dataclasses.replace(recipe.data.valid[0], rows=12)
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, valid=(source,)))
    samples = load_source(source, Path(), recipe)
    crops = clean_inputs(samples, recipe, np.arange(12))
    joints = clean_targets(samples, recipe, {"joints": samples.targets["joints"]})["joints"]
    monkeypatch.setattr(module, "create_session", lambda _: Oracle(np.asarray(crops), joints))
    metrics = {metric.name: metric for metric in measured_metrics(b"", recipe, Path(), ["joints"])}
    assert set(metrics) == {"PCP", "MPJPE"}
    assert metrics["MPJPE"].value == pytest.approx(0.1, abs=1e-4)
    assert metrics["MPJPE"].low <= metrics["MPJPE"].value <= metrics["MPJPE"].high
    assert (metrics["PCP"].n, metrics["PCP"].data) == (12, "drawn bodies (mien.synthesis)")
    assert 0 < metrics["PCP"].value < 1
    assert len(BODY_JOINTS) * 2 == joints.shape[1]


def test_the_metrics_of_a_bundle_are_of_crops_as_it_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = create_recipe(
        heads={"expression": HeadSettings()}, losses={"expression": LossSettings(name="soft_cross_entropy")}
    )
    aligned = dataclasses.replace(whole, model=dataclasses.replace(whole.model, given="aligned"))
    samples, seen = create_samples(8, whole), []

    class Watched:
        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            seen.append(inputs[GRAPH_INPUT])
            return {"expression": np.eye(8, dtype=np.float32)}

    monkeypatch.setattr(module, "create_session", lambda _: Watched())
    monkeypatch.setattr(module, "load_source", lambda *_: samples)
    for recipe in (whole, aligned):
        own = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, valid=recipe.data.sources))
        assert measured_metrics(b"", own, Path(), ["expression"])
    for given, inputs in zip(("whole", "aligned"), seen, strict=True):
        np.testing.assert_array_equal(inputs, clean_inputs(samples, whole, np.arange(8), given=given))
    assert not np.array_equal(*seen)


def test_what_one_row_does_not_define_is_left_out() -> None:
    one = np.array([[0.5]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module.bounded_metrics("sentiment", one, one, "title", "talk") == []
    two = np.array([[0.5], [0.1], [-0.3]], np.float32)
    assert [metric.name for metric in module.bounded_metrics("sentiment", two, two, "title", "talk")] == [
        "sentiment Pearson"
    ]
