# SPDX-License-Identifier: Apache-2.0
"""The recipes of the papers: their published schedules, and choices that are not published."""

import pytest

pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")

from mien.training import load_recipe


@pytest.mark.parametrize("name", ["emotieffnet-b0", "emotieffnet-b2", "mt-emotieffnet", "mt-ddamfn"])
def test_the_head_first_schedule_of_the_affectnet_runs(name: str) -> None:
    recipe = load_recipe(name)
    head, whole = recipe.stages
    assert (head.epochs, head.peak_lr, head.freeze_backbone) == (3, 1e-3, True)
    assert (whole.epochs, whole.peak_lr, whole.freeze_backbone) == (6, 1e-4, False)
    assert (whole.keep, whole.best_by) == ("best", "expression accuracy")
    assert (recipe.optimizer.name, recipe.optimizer.sam_rho) == ("adam", 0.05)
    options = {"class_weights": "max", "label_smoothing": 0.1}
    assert recipe.losses["expression"].options == options
    assert head.batch == whole.batch == {"emotieffnet-b0": 64}.get(name, 48)


def test_what_is_our_choice_is_marked() -> None:
    from importlib import resources

    folder = resources.files("mien.training") / "recipes"
    for name in ("ddamfn", "emotieffnet-b0", "expr-cnn-2020", "mobilenet", "mt-emotimobilevit", "mtanet"):
        assert "[choice]" in (folder / f"{name}.toml").read_text("utf-8")
