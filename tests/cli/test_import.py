# SPDX-License-Identifier: Apache-2.0
"""``mien import``."""

import sys
from pathlib import Path

import pytest


def test_a_file_that_is_not_there(mien, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")
    ended = mien("import", "emotiefflib", tmp_path / "enet_b0_8_va_mtl.onnx", "--out", tmp_path / "bundle")
    assert ended.code == 4
    assert "enet_b0_8_va_mtl.onnx: cannot be read" in ended.err


def test_the_name_is_that_of_the_file_unless_given(mien, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")
    (tmp_path / "mine.onnx").write_bytes(b"")
    ended = mien("import", "emotiefflib", tmp_path / "mine.onnx", "--out", tmp_path / "bundle")
    assert ended.code == 2
    assert "'mine'; choose from enet_b0_8_best_afew" in ended.err
    ended = mien("import", "emotiefflib", tmp_path / "mine.onnx", "--name", "mbf_va_mtl", "--out", tmp_path / "bundle")
    assert ended.code == 4  # the name is fine now, the file is empty


@pytest.mark.parametrize("ending", [".pt", ".pth", ".h5"])
def test_pickles_are_not_read(mien, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("onnx", reason="importing foreign weights is an extra: pip install 'mien[import]'")
    path = tmp_path / f"enet_b0_8_va_mtl{ending}"
    path.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    ended = mien("import", "emotiefflib", path, "--out", tmp_path / "bundle")
    assert ended.code == 2
    assert "take the .onnx file" in ended.err


def test_without_the_extra(mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mien.training.export.emotiefflib", "mien.training.export.emotiefflib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    ended = mien("import", "emotiefflib", tmp_path / "enet_b2_8.onnx", "--out", tmp_path / "bundle")
    assert ended.code == 5
    assert ended.err == "mien: onnx is not installed; run: pip install 'mien[import]'\n"
