# SPDX-License-Identifier: Apache-2.0
"""``mien export``."""

import sys
from pathlib import Path

import pytest

from mien.core import install_command


def test_exporting_without_the_extra(mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mien.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    ended = mien("export", "--model", "mien-light", "--variant", "fp16", "--out", tmp_path / "bundle")
    assert ended.code == 5
    assert ended.err.endswith(f"is not installed; run: {install_command('train')}\n")
    assert not (tmp_path / "bundle").exists()


def test_export_names_its_variants(mien, tmp_path: Path) -> None:
    ended = mien("export", "--model", "mien-light", "--variant", "int4", "--out", tmp_path / "bundle")
    assert ended.code == 2
    assert "int8" in ended.err


def test_export_takes_a_variant_or_a_second_bundle(mien, tmp_path: Path) -> None:
    beside_a_variant = [("--join", "mien-light"), ("--turned", "mien-points"), ("--name", "other")]
    wrong = [(), *(("--variant", "fp16", *options) for options in beside_a_variant), ("--turned", "a", "--mirrored")]
    for options in wrong:
        ended = mien("export", "--model", "mien-light", *options, "--out", tmp_path / "bundle")
        assert ended.code == 2
        assert "--join" in ended.err
    assert not (tmp_path / "bundle").exists()
