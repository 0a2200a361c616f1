# SPDX-License-Identifier: Apache-2.0
"""Each row is the recipe of a paper with one change, and a finished row is not trained again."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.systems import nets
from benchmarks.systems.nets import NETS, load_outputs, net_recipe, pretext_recipe, train_net
from benchmarks.systems.stand_in import Budget
from mien.training import ComputeSettings, Recipe, load_recipe
from tests.benchmarks.systems.test_stand_in import faces
from tests.helpers.synthetic_data import shortened

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves

BY_NAME = {net.name: net for net in NETS}


def recipe_of(name: str, seed: int = 1) -> Recipe:
    return net_recipe(BY_NAME[name], seed, Budget(), Path("data"), Path("work"))


def test_a_row_is_its_recipe_but_for_the_budget() -> None:
    own, published = recipe_of("base", seed=2), load_recipe("mt-emotieffnet")
    for name in ("data", "heads", "losses", "optimizer", "augmentation", "calibration", "task_balance"):
        assert getattr(own, name) == getattr(published, name), name
    for stage, source in zip(own.stages, published.stages, strict=True):
        kept = dataclasses.replace(stage, epochs=source.epochs, batch=source.batch, peak_lr=source.peak_lr)
        assert kept == source
    assert (own.seed, own.model.start, own.model.input_px, own.model.colour) == (2, "imagenet", 48, "rgb")


def test_rows_differ_in_what_they_say() -> None:
    base = recipe_of("base")
    assert recipe_of("adam").optimizer == dataclasses.replace(base.optimizer, sam_rho=0.0)
    assert base.optimizer.sam_rho == 0.05
    assert recipe_of("plain").losses["expression"].options == {}
    assert base.losses["expression"].options == {"class_weights": "max", "label_smoothing": 0.1}
    assert recipe_of("single").tasks == ("expression",)
    assert recipe_of("lite0-scratch").model == dataclasses.replace(base.model, start="scratch")
    assert recipe_of("face-80").model.start.endswith("data/models/faceres_trunk.npz")
    assert recipe_of("scratch-80").model.backbone == recipe_of("face-80").model.backbone == "mobilenet_v1"
    assert recipe_of("base-80").model == dataclasses.replace(base.model, input_px=80)
    assert recipe_of("b2").model.start.endswith("work/pretext/tf_efficientnet_b2/checkpoint.pt")
    assert pretext_recipe("tf_efficientnet_b2", Budget()).model.start == "scratch"
    for names in (("face-80", "base-80", "scratch-80"), ("b0", "b2")):
        assert {recipe_of(name).optimizer.sam_rho for name in names} == {0.0}, "rows that are compared differ in SAM"


def test_a_finished_row_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, trained = faces(900), []

    def small(*arguments: object) -> Recipe:
        trained.append(1)
        recipe = shortened(net_recipe(*arguments))  # type: ignore[arg-type]  # the same arguments
        model = dataclasses.replace(recipe.model, backbone="mobilenetv3_small_050", start="scratch", options={})
        return dataclasses.replace(recipe, model=model)

    monkeypatch.setattr("benchmarks.systems.stand_in.load_ferplus", lambda *_: samples)
    monkeypatch.setattr(nets, "load_ferplus", lambda *_: samples.take(np.arange(12)))
    monkeypatch.setattr(nets, "net_recipe", small)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    budget = Budget(faces=80, valid=2)
    assert load_outputs("base", 1, tmp_path) is None
    for _ in range(2):
        train_net(BY_NAME["base"], 1, budget, tmp_path, tmp_path, ComputeSettings(threads=1))
        written = (tmp_path / "nets/base/1/bundle/model.json").stat().st_mtime_ns
    assert (tmp_path / "nets/base/1/bundle/model.json").stat().st_mtime_ns == written
    found = load_outputs("base", 1, tmp_path)
    assert found is not None
    assert found["expression"].shape == (12, 8)
    assert found["valence_arousal"].shape == (12, 2)
    assert found["names"].tolist() == list(samples.names[:12])
