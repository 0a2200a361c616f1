# SPDX-License-Identifier: Apache-2.0
"""Start weights: a network computes what the face network computed, other files fit by name, the rest is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

from torch import Tensor  # noqa: E402 - needs torch
from torch.nn import functional  # noqa: E402 - needs torch

from mien.core import ConfigError  # noqa: E402 - needs torch
from mien.training.engine.trainer import CHECKPOINT, Trainer  # noqa: E402 - needs torch
from mien.training.models.backbones import create_backbone  # noqa: E402 - needs torch
from mien.training.models.network import AffectNetwork  # noqa: E402 - needs torch
from mien.training.models.start_files import Trunk, read_trunk  # noqa: E402 - needs torch
from mien.training.models.starts import load_start, load_trunk  # noqa: E402 - needs torch
from mien.training.recipes.settings import ModelSettings  # noqa: E402 - needs torch
from tests.helpers.face_trunks import STRIDES, faceres_arrays, sface_arrays  # noqa: E402 - needs torch
from tests.helpers.synthetic_data import create_recipe, create_samples  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("default")  # torch and timm warn about themselves

N = 64


def smooth_faces(n: int, size: int, channels: int) -> Tensor:
    """Pictures (n, C, S, S) on the 0-to-255 scale with light and dark areas."""
    coarse = torch.rand((n, channels, 5, 5), generator=torch.Generator().manual_seed(0)) * 255
    return functional.interpolate(coarse, size=(size, size), mode="bilinear")


def original(trunk: Trunk, pixels: Tensor) -> Tensor:
    """Features (N, 1024) of the published graph, on RGB pixels of 0 to 255, layer by layer."""
    y = (pixels - torch.tensor(trunk.mean).view(1, 3, 1, 1)) * trunk.scale
    strides = [2 if trunk.kind == "faceres" else 1] + [each for stride in STRIDES for each in (stride, 1)]
    for layer, stride in zip(trunk.layers, strides, strict=True):
        weight = torch.from_numpy(layer.weight)
        side, kernel = y.shape[-1], weight.shape[-1]
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)  # TensorFlow's SAME
        before, after = (total // 2, total - total // 2) if trunk.kind == "faceres" else (kernel // 2, kernel // 2)
        groups = y.shape[1] if weight.shape[1] == 1 else 1
        y = functional.conv2d(functional.pad(y, (before, after) * 2), weight, stride=stride, groups=groups)
        if layer.norm is None:
            assert layer.bias is not None
            y = functional.relu6(y + torch.from_numpy(layer.bias).view(1, -1, 1, 1))
        else:
            gamma, beta, mean, variance = map(torch.from_numpy, layer.norm)
            y = functional.batch_norm(y, mean, variance, gamma, beta, eps=1e-3)
            assert layer.slope is not None
            y = functional.prelu(y, torch.from_numpy(layer.slope))
    return y.mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("kind", "colour", "size"),
    [("faceres", "gray", 48), ("faceres", "rgb", 40), ("sface", "gray", 16), ("sface", "rgb", 16)],
)  # 40 px have odd maps, which SAME pads on all sides
def test_features_are_those_of_the_original(tmp_path: Path, kind: str, colour: str, size: int) -> None:
    arrays: Any = faceres_arrays() if kind == "faceres" else sface_arrays()
    np.savez(tmp_path / "trunk.npz", **arrays)
    trunk = read_trunk(tmp_path / "trunk.npz")
    options: Any = trunk.options | ({"activation": "prelu"} if kind == "sface" else {})
    mean = trunk.mean if colour == "rgb" else (float(np.mean(trunk.mean)),)
    settings: Any = {"colour": colour, "mean": mean, "std": (64.0,), "options": options}
    model = ModelSettings(backbone="mobilenet_v1", **settings)
    backbone: Any = create_backbone("mobilenet_v1", in_channels=model.n_channels, options=options).eval()
    faces = smooth_faces(N, size, model.n_channels)
    normalised = (faces - torch.tensor(mean).view(1, -1, 1, 1)) / 64
    load_trunk(backbone, trunk, model, normalised)
    with torch.inference_mode():
        expected = original(trunk, faces.expand(-1, 3, -1, -1)).flatten()
        got = backbone(normalised).flatten()
        assert float(torch.corrcoef(torch.stack([got, expected]))[0, 1]) > 0.999
        if kind == "faceres":  # the statistics are back: a batch of faces in training mode gives the same
            trained = backbone.train()(normalised).flatten()
            assert float(torch.corrcoef(torch.stack([trained, expected]))[0, 1]) > 0.99


def test_features_of_a_wide_range_are_normalised_at_the_start(tmp_path: Path) -> None:
    np.savez(tmp_path / "trunk.npz", **sface_arrays())  # type: ignore[arg-type]  # NumPy types its one option first
    options = {"stem_stride": 1, "same": False, "normalized": True}
    model = ModelSettings(backbone="mobilenet_v1", options=options)  # type: ignore[arg-type]
    backbone = create_backbone("mobilenet_v1", in_channels=1, options=options).eval()  # type: ignore[arg-type]
    pixels = smooth_faces(16, 16, 1) / 127.5 - 1
    load_trunk(backbone, read_trunk(tmp_path / "trunk.npz"), model, pixels)
    with torch.inference_mode():
        features = backbone(pixels)
    torch.testing.assert_close(features.mean(dim=0), torch.zeros(1024), atol=2e-3, rtol=0)


def load(model: ModelSettings, data: Path = Path()) -> AffectNetwork:
    recipe = create_recipe(model=model)
    network = AffectNetwork(recipe, create_samples(8, recipe).labels)
    load_start(network, recipe, data, lambda: np.zeros((4, 32, 32, model.n_channels), np.uint8))
    return network


def test_named_starts_are_in_the_folder_of_the_data(tmp_path: Path) -> None:
    model = ModelSettings(backbone="mobilenet_v1", start="faceres", input_px=32)
    with pytest.raises(
        ConfigError, match=r"start = 'faceres' needs .*faceres_trunk.npz: make it with mien import start"
    ):
        load(model, tmp_path)
    (tmp_path / "models").mkdir()
    arrays = faceres_arrays()
    np.savez(tmp_path / "models" / "faceres_trunk.npz", **arrays)  # type: ignore[arg-type]
    network = load(model, tmp_path)
    expected = arrays["conv_pw_3/convolution/merged_input"][0, 0].T
    own: Any = network.backbone
    np.testing.assert_allclose(own.layers[6].conv.weight[:, :, 0, 0].detach(), expected)
    for wrong, message in (
        ({"backbone": "mobilenetv3_small_050"}, "are for backbone = 'mobilenet_v1'"),
        ({"options": {"stem_stride": 1}}, r"need \[model\] options = {'stem_stride': 2}"),
    ):
        with pytest.raises(ConfigError, match=message):
            load(dataclasses.replace(model, **wrong), tmp_path)


@pytest.mark.parametrize("backbone", ["tf_efficientnet_b0", "tf_efficientnet_b2", "rexnet_150"])
def test_a_state_dict_with_a_classifier_fits_by_name(backbone: str, tmp_path: Path) -> None:
    """The authors' ``state_vggface2_enet0_new.pt`` and the like: timm's networks in colour, with a classifier."""
    timm = pytest.importorskip("timm")
    published = timm.create_model(backbone, pretrained=False, num_classes=9).state_dict()
    model = ModelSettings(backbone=backbone, colour="rgb", mean=(0.0,) * 3, std=(255.0,) * 3, input_px=32)
    forms = {
        "plain.pt": published,
        "nested.pt": {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in published.items()}},
        "renamed.pt": {f"net.trunk.{key}": value for key, value in published.items()},
    }
    for name, content in forms.items():
        torch.save(content, tmp_path / name)
        names = {"net.trunk.": ""} if name == "renamed.pt" else {}
        network = load(dataclasses.replace(model, start=str(tmp_path / name), start_names=names))
        for key, value in network.backbone.state_dict().items():
            assert torch.equal(value, published[key]), (name, key)
    gray = load(dataclasses.replace(model, start=str(tmp_path / "plain.pt"), colour="gray", mean=(0.0,), std=(255.0,)))
    stem = "stem.conv.weight" if backbone == "rexnet_150" else "conv_stem.weight"
    kernels = gray.backbone.state_dict()[stem]
    torch.testing.assert_close(kernels, published[stem].sum(dim=1, keepdim=True))


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = ModelSettings(backbone="mobilenetv3_small_050", input_px=32, start=str(tmp_path / "w.pt"))
    with pytest.raises(ConfigError, match="is not a file"):
        load(model)
    own = load(dataclasses.replace(model, start="scratch")).backbone.state_dict()
    first = next(iter(own))
    for content, message in (
        ({"weights": torch.zeros(2)}, r"tensors are missing, the first is .*start_names renames"),
        ({"epoch": 3}, "has no state dict"),
        (own | {first: torch.zeros(2, 3)}, rf"{first} is \(.*\) here and \(2, 3\) in"),
        (torch.nn.Linear(2, 2), "never unpickles whole models"),
    ):
        torch.save(content, tmp_path / "w.pt")
        with pytest.raises(ConfigError, match=message):
            load(model)
    (tmp_path / "w.pt").write_bytes(b"no torch file")
    with pytest.raises(ConfigError, match="no file of tensors"):
        load(model)


def test_random_and_imagenet_starts() -> None:
    model = ModelSettings(backbone="mobilenetv3_small_050", input_px=32, start="scratch")
    load(model)
    with pytest.raises(ConfigError, match="available for efficientnet_lite0 only, not for mobilenetv3_small_050"):
        load(dataclasses.replace(model, start="imagenet"))


def _no_crops() -> np.ndarray:
    raise AssertionError("a checkpoint has its own statistics")


def test_heads_of_a_checkpoint_are_kept_and_others_are_new(tmp_path: Path) -> None:
    first = create_recipe()
    samples = create_samples(16, first)
    trained = Trainer(first, samples, tmp_path).run()
    model = dataclasses.replace(first.model, start=str(tmp_path / CHECKPOINT), start_heads=("expression",))
    again = dataclasses.replace(first, model=model)
    network = AffectNetwork(again, samples.labels)
    load_start(network, again, tmp_path, _no_crops)
    own, kept = network.state_dict(), trained.state_dict()
    same = [key for key in own if torch.equal(own[key], kept[key])]
    assert {key for key in own if key.startswith(("backbone.", "expression."))} <= set(same)
    assert "action_units.weight" not in same
    for heads, words in ((("pose",), "needs a head"), (("action_units",), "another head")):
        model = dataclasses.replace(model, start_heads=heads)
        fewer = samples.labels | {"action_units": samples.labels["action_units"][:3]}
        again = dataclasses.replace(first, model=model)
        with pytest.raises(ConfigError, match=words):
            load_start(AffectNetwork(again, fewer), again, tmp_path, _no_crops)
