# SPDX-License-Identifier: Apache-2.0
"""Every network of the recipes has one row, and all rows have one budget."""

import dataclasses

import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

from benchmarks.results.plan import (
    BUDGET,
    MAX_GFLOP,
    Budget,
    choose_rows,
    left_out,
    list_rows,
    own_faces,
    own_obstacle,
    own_recipe,
    trained_name,
    under_budget,
    without_network,
)
from benchmarks.results.train_row import budget_run
from mien.core import ConfigError
from mien.training import list_recipes, load_recipe
from tests.helpers.results_rows import N_ROWS


def test_every_network_has_one_row() -> None:
    rows = list_rows()
    recipes = {name: load_recipe(name) for name in list_recipes()}
    others = {"identity", "faces"}  # a pretext, and a detector, which has no features of a face
    with_pixels = [name for name in recipes if recipes[name].model.backbone and not others & set(recipes[name].tasks)]
    assert sorted(recipe for name in rows for recipe in rows[name].recipes) == with_pixels
    assert sorted([*with_pixels, *without_network()]) == sorted(recipes)
    assert rows["emotieffnet-b0"].recipes == ("emotieffnet-b0", "lsd-mt-emotieffnet", "mt-emotieffnet")
    assert rows["ddamfn"].recipes == ("ddamfn", "mt-ddamfn")
    assert rows["mien-accurate"].recipes == ("mien-accurate", "mien-teacher", "mien-units")  # one backbone
    assert rows["mien-light"].recipes == ("lsd-mien-light", "mien-light")  # named by the one with all expressions
    assert rows["ddamfn-norm-act"].recipe.model.options["norm_act"] is True
    assert rows["mien-light-imagenet"].start == "imagenet"
    assert [row.name for row in choose_rows(["mt-ddamfn", "mobilenet"])] == ["ddamfn", "mobilenet"]
    assert [row.name for row in choose_rows(["ddamfn", "mt-ddamfn"])] == ["ddamfn"]
    compared = [row.recipe.model.backbone for row in rows.values() if row.recipes and not left_out(row, None)]
    assert len(set(compared)) == len(compared) - 1  # ViTs of one and of several members
    with pytest.raises(ConfigError, match=r"no rows \['mobilnet'\]; known are \['balancing-student'"):
        choose_rows(["mobilnet"])


def test_one_budget_for_all() -> None:
    rows = [row for row in list_rows().values() if not row.compares_sizes]
    recipes = [under_budget(row, BUDGET, N_ROWS) for row in rows]
    shared = {repr(dataclasses.replace(recipe, name="", model=recipes[0].model)) for recipe in recipes}
    assert len(shared) == 1
    for row, recipe in zip(rows, recipes, strict=True):
        kept = dataclasses.replace(row.recipe.model, input_px=BUDGET.size_px, start=row.start)
        assert recipe.model == kept  # the network is the recipe's, but for size and start
        assert (recipe.model.start == "scratch") is (row.name != "mien-light-imagenet")


def test_rows_that_compare_sizes_differ_in_size_alone() -> None:
    rows = list_rows()
    for name in ("mobilenet-10k", "mien-light-imagenet-10k"):
        small, large = (rows[f"{name}-{size_px}px"] for size_px in (48, 112))
        recipes = [under_budget(row, BUDGET, N_ROWS) for row in (small, large)]
        assert [recipe.model.input_px for recipe in recipes] == [48, 112]
        assert [budget_run(row, BUDGET, N_ROWS).n_faces for row in (small, large)] == [10_000, 10_000]
        model = dataclasses.replace(recipes[1].model, input_px=48)
        assert dataclasses.replace(recipes[1], name=recipes[0].name, model=model) == recipes[0]
        assert trained_name(small, BUDGET) == f"{name}-48px"


def test_networks_that_the_table_does_not_compare_have_a_reason() -> None:
    rows = list_rows()
    assert left_out(rows["mobilenet"], 0.1) == ""
    assert left_out(rows["mobilenet"], None) == ""
    assert left_out(rows["co-teaching"], MAX_GFLOP * 1.4).startswith("takes 1.4 GFLOP a face")
    assert left_out(rows["mobilenet-10k-112px"], MAX_GFLOP * 1.4) == ""
    assert left_out(rows["mien-points"], 0.1) == "predicts points, none of the tasks of the table"


@pytest.mark.parametrize(
    ("images", "expected"), [(28_000, (1, 28_000)), (28_558, (1, 28_558)), (100_000, (4, 25_000)), (320, (1, 320))]
)
def test_images_become_epochs(images: int, expected: tuple[int, int]) -> None:
    assert Budget(images=images).epochs(28_558) == expected


def test_a_budget_of_less_than_a_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="less than one step"):
        Budget(images=10)


def test_an_own_recipe_keeps_all_but_the_budget() -> None:
    row = list_rows()["mtanet"]
    own, published = own_recipe(row, BUDGET), load_recipe("mtanet")
    assert own is not None
    assert (own.losses, own.heads, own.optimizer, own.stages) == (
        published.losses,
        published.heads,
        published.optimizer,
        published.stages,
    )
    assert own.model == dataclasses.replace(published.model, input_px=48)
    assert own_faces(published, BUDGET) * 20 == BUDGET.images
    assert own_recipe(list_rows()["mien-points"], BUDGET) is None  # landmarks
    assert own_recipe(list_rows()["mien-light"], BUDGET) is None  # auxiliary sets
    assert own_recipe(row, Budget(images=600)) is None  # 30 faces are less than a step
    assert own_obstacle(list_rows()["mien-points"], BUDGET) == "labels of eyes, face, landmarks, pose"
    assert "pseudo_labels" in own_obstacle(list_rows()["mien-light"], BUDGET)
    assert own_obstacle(row, Budget(images=600)) == "30 faces for all its epochs are less than a step"
