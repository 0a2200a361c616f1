# SPDX-License-Identifier: Apache-2.0
"""The recipes of the papers: networks of the published size, vectors of the published length, and their lines."""

import pytest

torch = pytest.importorskip("torch", reason="the workshop is an extra: pip install 'mien[train]'")

from mien.core import DIMENSIONS, EXPRESSION_ORDERS  # noqa: E402 - needs torch
from mien.training import load_recipe  # noqa: E402 - needs torch
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch and timm warn about themselves

AU_8 = ("AU01", "AU02", "AU04", "AU06", "AU12", "AU15", "AU20", "AU25")


def build(name: str) -> AffectNetwork:
    recipe = load_recipe(name)
    labels = {
        "expression": EXPRESSION_ORDERS[recipe.data.expressions],
        "valence_arousal": DIMENSIONS,
        "action_units": AU_8,
    }
    return AffectNetwork(recipe, labels).eval()


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("emotieffnet-b0", 4_017_796),
        ("emotieffnet-b2", 7_712_266),
        ("mt-emotieffnet", 4_020_358),
        ("mt-emotimobilefacenet", 2_064_650),
        ("expr-cnn-2020", 4_062_535 - 3_456),  # Keras counts the moving statistics too
    ],
)
def test_parameters_of_backbone_and_heads(name: str, published: int) -> None:
    assert sum(parameter.numel() for parameter in build(name).parameters()) == published


@pytest.mark.parametrize(
    ("name", "n_features", "n_scores"),
    [
        ("ddamfn", 512, 8),
        ("emotieffnet-b0", 1280, 8),  # 1288 side by side
        ("emotieffnet-b2", 1408, 8),
        ("expr-cnn-2020", 256, 7),
        ("mobilenet", 1024, 7),
        ("mt-ddamfn", 512, 10),  # 522
        ("mt-emotieffnet", 1280, 10),  # 1290
        ("mt-emotimobilefacenet", 512, 10),  # 522
        ("mt-emotimobilevit", 640, 10),
        ("mtanet", 2048, 17),
    ],
)
def test_as_a_frozen_feature_extractor(name: str, n_features: int, n_scores: int) -> None:
    network, settings = build(name), load_recipe(name).model
    size, n_channels = settings.input_px, settings.n_channels
    with torch.inference_mode():
        *scores, features = network(torch.zeros((1, size, size, n_channels), dtype=torch.uint8))
    assert features.shape == (1, n_features)
    assert sum(score.shape[1] for score in scores) == n_scores


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
