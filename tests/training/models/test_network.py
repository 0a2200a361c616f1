# SPDX-License-Identifier: Apache-2.0
"""Networks of the papers with their published sizes, and normalisation of pixels."""

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from mien.core import ACTION_UNITS_12, DIMENSIONS, EXPRESSION_ORDERS, INTENSITY_LABELS, ConfigError  # noqa: E402 - needs torch
from mien.training import load_recipe  # noqa: E402 - needs torch
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch
from mien.training.recipes.settings import HeadSettings, LossSettings, ModelSettings  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import create_recipe, create_samples, create_vector_recipe  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch and timm warn about themselves

AU_8 = ("AU01", "AU02", "AU04", "AU06", "AU12", "AU15", "AU20", "AU25")
LABELS = {
    "expression": EXPRESSION_ORDERS["affwild2_8"],
    "valence_arousal": DIMENSIONS,
    "action_units": ACTION_UNITS_12,
    **INTENSITY_LABELS,
}


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


def test_pixels_are_normalised_inside_the_network() -> None:
    model = ModelSettings(
        backbone="mobilefacenet", input_px=32, colour="rgb", mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0)
    )
    recipe = create_recipe(model=model)
    labels = create_samples(8, recipe).labels
    network = AffectNetwork(recipe, labels).eval()
    crops = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    pixels = (crops.float() - torch.tensor([10.0, 20.0, 30.0])) / torch.tensor([2.0, 4.0, 5.0])
    with torch.inference_mode():
        expected = network.backbone(pixels.permute(0, 3, 1, 2))
        torch.testing.assert_close(network.embed(crops), expected)
        *outputs, features = network(crops)
    torch.testing.assert_close(features, expected)
    assert [output.shape[1] for output in outputs] == [8, 2, len(labels["action_units"])]
    assert network.tasks == ("expression", "valence_arousal", "action_units")
    assert not any("pixel" in name for name in network.state_dict()), "the recipe defines the normalisation"


def test_vectors_pass_to_the_heads_unchanged() -> None:
    recipe = create_vector_recipe()
    network = AffectNetwork(recipe, create_samples(8, recipe).labels)
    assert not network.has_pixels
    vectors = torch.randn(3, 12, dtype=torch.float64)
    torch.testing.assert_close(network(vectors)[-1], vectors.float())


def test_dropout_acts_on_heads_and_not_on_features() -> None:
    recipe = create_vector_recipe(model=ModelSettings(backbone="", n_inputs=12, drop_rate=0.5))
    network = AffectNetwork(recipe, create_samples(8, recipe).labels).train()
    vectors = torch.randn(3, 12)
    first, second = network(vectors), network(vectors)
    assert not torch.equal(first[0], second[0])
    torch.testing.assert_close(first[-1], second[-1])


def test_a_penalty_is_computed_in_training_only() -> None:
    model = ModelSettings(backbone="ddamfn", input_px=32, colour="rgb", mean=(0.0,) * 3, std=(255.0,) * 3, penalty=0.1)
    recipe = create_recipe(model=model)
    network = AffectNetwork(recipe, create_samples(8, recipe).labels).eval()
    crops = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    network(crops)
    assert network.penalty is None
    network.train()(crops)
    assert network.penalty is not None
    assert float(network.penalty.detach()) > 0
    without = dataclasses.replace(recipe, model=dataclasses.replace(model, backbone="mobilefacenet"))
    with pytest.raises(ConfigError, match="backbone mobilefacenet has no penalty"):
        AffectNetwork(without, create_samples(8, recipe).labels)


def test_a_task_without_labels_is_refused() -> None:
    recipe = create_vector_recipe()
    with pytest.raises(ConfigError, match=r"\[heads.action_units\]: the data have no labels"):
        AffectNetwork(recipe, {"expression": ("a", "b"), "valence_arousal": DIMENSIONS})


def test_heads_follow_the_heads_that_they_need() -> None:
    heads = {"expression": HeadSettings(), "valence_arousal": HeadSettings(kind="bounded", after=("expression",))}
    recipe = create_vector_recipe(
        heads=heads, losses={task: create_recipe().losses[task] for task in ("expression", "valence_arousal")}
    )
    network = AffectNetwork(recipe, create_samples(8, recipe).labels)
    assert network.get_submodule("valence_arousal").in_features == 12 + 8


def sizes(name: str) -> dict[str, int]:
    network = AffectNetwork(load_recipe(name), LABELS)
    return {task: sum(p.numel() for p in network.get_submodule(task).parameters()) for task in network.tasks}


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("hse-mtl", {"expression": 10_328, "valence_arousal": 22, "action_units": 166_796}),  # 177,146 in all
        ("hse-mtl-joint", {"valence_arousal": 2_582, "action_units": 15_516, "expression": 10_344}),
        ("hse-mtl-7th", {"expression": 4_184, "valence_arousal": 22, "action_units": 68_492}),
        ("hse-expr", {"expression": 1280 * 128 + 128 + 128 * 8 + 8}),
        ("hse-va", {"valence_arousal": 22}),
        ("hse-au", {"action_units": 1280 * 128 + 128 + 128 * 12 + 12}),
        ("emi-faces", {"emi": 40 * 6 + 6}),
        ("emi-audio", {"emi": 3072 * 6 + 6}),
        ("emi-hubert", {"emi": 4096 * 6 + 6}),
        ("emi-text", {"emi": 3072 * 6 + 6}),
    ],
)
def test_heads_have_the_published_sizes(name: str, published: dict[str, int]) -> None:
    assert sizes(name) == published


def test_the_affect_head_sees_the_scores_and_nothing_else() -> None:
    network = AffectNetwork(load_recipe("hse-mtl"), LABELS).eval()
    vectors = torch.randn(4, 1290)
    moved = vectors.clone()
    moved[:, :1280] += 1
    with torch.no_grad():
        before, after = network(vectors), network(moved)
    torch.testing.assert_close(before[1], after[1])
    assert not torch.allclose(before[0], after[0])
    assert not torch.allclose(before[2], after[2])


def test_an_intensity_head_ends_at_its_unit() -> None:
    recipe = create_vector_recipe(
        heads={"intensity": HeadSettings(kind="intensity", unit=5.0)},
        losses={"intensity": LossSettings(name="squared_error")},
    )
    network = AffectNetwork(recipe, {"intensity": ("AU01", "AU12")}).eval()
    with torch.no_grad():
        network.intensity[0].weight.zero_()
        network.intensity[0].bias.copy_(torch.tensor([0.0, 50.0]))
        assert network(torch.zeros(3, 12))[0].tolist() == [[2.5, 5.0]] * 3


def test_a_mirrored_network_averages_both_sides() -> None:
    model = ModelSettings(backbone="mobilenetv3_small_050", input_px=32, mirror=True)
    recipe = create_recipe(model=model)
    labels = create_samples(8, recipe).labels
    network = AffectNetwork(recipe, labels).eval()
    plain = AffectNetwork(create_recipe(model=dataclasses.replace(model, mirror=False)), labels).eval()
    plain.load_state_dict(network.state_dict())
    crops = torch.randint(0, 256, (3, 32, 32, 1), dtype=torch.uint8)
    with torch.inference_mode():
        sides = [plain(crops), plain(crops.flip(2))]
        for got, first, second in zip(network(crops), *sides, strict=True):
            torch.testing.assert_close(got, (first + second) / 2)
            torch.testing.assert_close(network(crops.flip(2))[0], network(crops)[0])
    assert len(network.train()(crops)[0]) == 3
    with pytest.raises(ConfigError, match="mirror = true averages outputs"):
        dataclasses.replace(model, crop="loose")


def test_features_of_unit_length_reach_the_heads() -> None:
    recipe = create_recipe(model=ModelSettings(backbone="mobilenetv3_small_050", input_px=32, unit_length=True))
    network = AffectNetwork(recipe, create_samples(8, recipe).labels).eval()
    *outputs, features = network(torch.randint(0, 255, (3, 32, 32, 1), dtype=torch.uint8))
    assert torch.allclose(features.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(outputs[0], network.expression(features), atol=1e-6)
