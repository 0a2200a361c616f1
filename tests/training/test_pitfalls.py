# SPDX-License-Identifier: Apache-2.0
"""Known pitfalls of reproducing published trainings."""

import math
import re
import tomllib
from pathlib import Path

import pytest

import mien.training
from mien.core import ConfigError
from mien.training import Recipe, list_recipes, load_recipe
from mien.training.recipes.schedule_settings import StageSettings


def recipe_text(name: str) -> str:
    return (Path(mien.training.__file__).parent / f"recipes/{name}.toml").read_text("utf-8")


def test_pitfall_the_old_and_the_new_name_of_a_backbone_are_one_network() -> None:
    pytest.importorskip("timm", reason="needs the extra train: pip install 'mien[train]'")
    from mien.training.models.backbones import create_backbone

    plain = create_backbone("tf_efficientnet_b0").state_dict()  # as in the recipes
    with pytest.warns(UserWarning, match="deprecated"):
        old = create_backbone("tf_efficientnet_b0_ns").state_dict()
    new = create_backbone("tf_efficientnet_b0.ns_jft_in1k").state_dict()
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (plain, old, new)]
    assert shapes[0] == shapes[1] == shapes[2]


def test_pitfall_soft_labels_need_the_sum_form_of_cross_entropy() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
    from mien.training.losses.task_losses import partial_bce, weighted_bce

    p, soft = 0.8, 0.3
    logit = torch.tensor([[math.log(p / (1 - p))]])
    sums = -(soft * math.log(p) + (1 - soft) * math.log(1 - p))
    assert float(partial_bce(logit, torch.tensor([[soft]]))) == pytest.approx(sums, abs=1e-6)
    # The two forms of the weight, w1 y + w0 (1 - y) and w1^y w0^(1 - y), are equal for 0 and 1 and differ in between.
    w0, w1 = 0.6, 3.0
    weights = {"positive": torch.tensor([w1]), "negative": torch.tensor([w0])}
    for y in (0.0, 1.0, soft):
        sum_form = -(w1 * y * math.log(p) + w0 * (1 - y) * math.log(1 - p))
        power_form = -(w1**y * w0 ** (1 - y)) * (y * math.log(p) + (1 - y) * math.log(1 - p))
        loss = float(weighted_bce(logit, torch.tensor([[y]]), **weights))
        assert loss == pytest.approx(sum_form, abs=1e-6)
        assert (loss == pytest.approx(power_form, abs=1e-3)) == (y != soft)


@pytest.mark.parametrize("name", list_recipes())
def test_pitfall_the_recipe_file_alone_decides_how_many_epochs_run(name: str, tmp_path: Path) -> None:
    text, path = recipe_text(name), tmp_path / "recipe.toml"
    stages = tomllib.loads(text)["stages"]
    counts = [(stage["epochs"], stage.get("refit_epochs", stage["epochs"])) for stage in stages]

    def loaded(recipe: Recipe) -> list[tuple[int, int]]:
        refit = recipe.refit()
        return [(stage.epochs, again.epochs) for stage, again in zip(recipe.stages, refit.stages, strict=True)]

    assert loaded(load_recipe(name)) == counts
    more = re.sub(r"^((?:refit_)?epochs)\s*=\s*(\d+)", lambda m: f"{m[1]} = {int(m[2]) + 7}", text, flags=re.MULTILINE)
    path.write_text(more, "utf-8")
    assert loaded(load_recipe(path)) == [(epochs + 7, refit + 7) for epochs, refit in counts]


@pytest.mark.parametrize("name", list_recipes())
def test_pitfall_no_stage_has_a_default_number_of_epochs(name: str, tmp_path: Path) -> None:
    text, path = recipe_text(name), tmp_path / "recipe.toml"
    lines = list(re.finditer(r"^epochs\s*=.*\n", text, flags=re.MULTILINE))
    assert len(lines) == len(load_recipe(name).stages)
    for line in lines:
        path.write_text(text[: line.start()] + text[line.end() :], "utf-8")
        with pytest.raises(ConfigError, match="epochs"):
            load_recipe(path)


def test_pitfall_a_stage_without_epochs_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs and batch must be positive, got 0 and 64"):
        StageSettings(epochs=0, peak_lr=1e-3, batch=64)
