# SPDX-License-Identifier: Apache-2.0
"""``mien upscale`` as the shell sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.media import load_image, save_image


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for split in ("train", "valid"):
        (tmp_path / "set" / split).mkdir(parents=True)
        save_image(tmp_path / "set" / split / "1.png", np.full((8, 6, 3), 90, np.uint8))
    return tmp_path / "set"


def test_a_folder_is_copied_with_large_training_images(mien: Any, images: Path, tmp_path: Path) -> None:
    ended = mien("upscale", images, "--out", tmp_path / "out", "--network", "bicubic")
    assert (ended.code, ended.out) == (0, "")
    assert "1 images enlarged; unchanged: 1 of validation and test" in ended.err
    assert load_image(tmp_path / "out/train/1.png").shape == (16, 12, 3)
    assert load_image(tmp_path / "out/valid/1.png").shape == (8, 6, 3)
    again = mien("upscale", images, "--out", tmp_path / "out", "--network", "bicubic")
    assert "2 finished before" in again.err
    silent = mien("upscale", images, "--out", tmp_path / "other", "--network", "bicubic", "--quiet", "--scale", 3)
    assert (silent.code, silent.err) == (0, "")


def test_damage_is_1_and_nothing_but_damage_3(mien: Any, images: Path, tmp_path: Path) -> None:
    (images / "train/2.png").write_bytes(b"")
    ended = mien("upscale", images, "--out", tmp_path / "out", "--network", "bicubic")
    assert ended.code == 1
    assert "2.png" in ended.err
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/1.png").write_bytes(b"")
    assert mien("upscale", tmp_path / "bad", "--out", tmp_path / "none", "--network", "bicubic").code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give SOURCE and --out"),
        (("set",), 2, "give SOURCE and --out"),
        (("set", "--networks"), 2, "takes no SOURCE"),
        (("set", "--out", "o", "--network", "bicubik"), 3, "set"),
        (("missing", "--out", "o", "--network", "bicubic"), 3, "missing"),
    ],
)
def test_wrong_use(mien: Any, arguments: tuple[str, ...], code: int, message: str) -> None:
    ended = mien("upscale", *arguments)
    assert ended.code == code
    assert message in ended.err


def test_an_unknown_network_is_2_and_a_missing_file_4(mien: Any, images: Path, tmp_path: Path) -> None:
    unknown = mien("upscale", images, "--out", tmp_path / "o", "--network", "bicubik")
    assert (unknown.code, "bicubic" in unknown.err) == (2, True)
    missing = mien("upscale", images, "--out", tmp_path / "o", "--network", tmp_path / "no.onnx")
    assert missing.code == 4
    assert not (tmp_path / "o").exists()


def test_networks_are_listed_with_their_cost(mien: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.synthesis import UPSCALERS, UpscalingCost

    costs = [UpscalingCost(name=name, size_px=48, cpu_ms=1.25) for name in list(UPSCALERS)[:-1]]
    costs.append(UpscalingCost(name=list(UPSCALERS)[-1], size_px=48, cpu_ms=None, reason="no weights"))
    monkeypatch.setattr("mien.synthesis.measure_upscalers", lambda: costs)
    ended = mien("upscale", "--networks")
    assert ended.code == 0
    assert "1.2 ms at 48 px" in ended.out
    assert "no weights" in ended.out
    assert all(name in ended.out for name in UPSCALERS)
