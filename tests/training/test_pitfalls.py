# SPDX-License-Identifier: Apache-2.0
"""Known traps of reproducing published training, named by their number in the list."""

import math
import re
from pathlib import Path

import pytest

import mien.training
from mien.core import ConfigError
from mien.training import list_recipes, load_recipe


def test_pitfall_25_the_old_and_the_new_name_of_a_backbone_are_one_network() -> None:
    pytest.importorskip("timm", reason="the workshop is an extra: pip install 'mien[train]'")
    from mien.training.models.backbones import create_backbone

    plain = create_backbone("tf_efficientnet_b0").state_dict()  # what the recipes write: the weights' name says nothing
    with pytest.warns(UserWarning, match="deprecated"):
        old = create_backbone("tf_efficientnet_b0_ns").state_dict()
    new = create_backbone("tf_efficientnet_b0.ns_jft_in1k").state_dict()
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (plain, old, new)]
    assert shapes[0] == shapes[1] == shapes[2]


def test_pitfall_28_soft_labels_need_the_sum_form_of_cross_entropy() -> None:
    torch = pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")
    from mien.training.losses.task_losses import partial_bce

    p, soft = 0.8, 0.3
    logit = torch.tensor([[math.log(p / (1 - p))]])
    sums = -(soft * math.log(p) + (1 - soft) * math.log(1 - p))
    assert float(partial_bce(logit, torch.tensor([[soft]]))) == pytest.approx(sums, abs=1e-6)
    # The two forms of the weight, w1 y + w0 (1 - y) and w1^y w0^(1 - y), are one for 0 and 1 and differ between.
    w0, w1 = 0.6, 3.0
    assert [w1 * y + w0 * (1 - y) == w1**y * w0 ** (1 - y) for y in (0, 1, soft)] == [True, True, False]


@pytest.mark.parametrize("name", list_recipes())
def test_pitfall_29_every_stage_says_how_many_epochs_it_runs(name: str) -> None:
    assert all(stage.epochs >= 1 for stage in load_recipe(name).stages)


@pytest.mark.parametrize("name", list_recipes())
def test_pitfall_29_a_stage_without_epochs_is_refused(name: str, tmp_path: Path) -> None:
    recipe = Path(mien.training.__file__).parent / f"recipes/{name}.toml"
    path = tmp_path / "recipe.toml"
    path.write_text(re.sub(r"^epochs\s*=.*$", "", recipe.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    with pytest.raises(ConfigError, match="epochs"):
        load_recipe(path)
