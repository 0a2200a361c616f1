# SPDX-License-Identifier: Apache-2.0
"""``mien models``, ``mien evaluate`` and ``mien train``."""

import json
import sys
from pathlib import Path

import pytest

from mien.core import ModelSpec
from mien.evaluation import PROTOCOLS


def test_models_lists_what_is_shipped(mien) -> None:
    ended = mien("models")
    assert ended.code == 0
    assert "mien-light" in ended.out
    assert "expression (8)" in ended.out


def test_show_is_a_model_card(mien) -> None:
    ended = mien("models", "show", "mien-light")
    assert ended.code == 0
    for heading in ("mien-light", "Training data", "Metrics", "Limitations"):
        assert heading in ended.out
    assert "valence" in ended.out


def test_show_as_json_reads_back(mien) -> None:
    spec = ModelSpec.from_json(json.loads(mien("models", "show", "--json").out))
    assert spec.name == "mien-light"


def test_show_something_unknown(mien, tmp_path: Path) -> None:
    ended = mien("models", "show", tmp_path / "bundle")
    assert ended.code == 4
    assert str(tmp_path / "bundle") in ended.err


def test_an_unknown_protocol_lists_the_known(mien, tmp_path: Path) -> None:
    ended = mien("evaluate", "ferplu", "--data", tmp_path)
    assert ended.code == 2
    assert "did you mean 'ferplus'" in ended.err


@pytest.mark.parametrize("protocol", ["ferplus", "lfw"])
def test_a_data_folder_without_data(mien, tmp_path: Path, protocol: str) -> None:
    assert protocol in PROTOCOLS
    ended = mien("evaluate", protocol, "--data", tmp_path / "nowhere")
    assert ended.code == 3
    assert "nowhere" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("missing", ["torch", "timm"])
def test_training_without_the_extra(mien, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mien.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, missing, None)
    ended = mien("train", "light", "--data", tmp_path, "--out", tmp_path / "bundle")
    assert ended.code == 5
    assert ended.err.endswith("is not installed; run: pip install 'mien[train]'\n")
    assert not (tmp_path / "bundle").exists()


def test_exporting_without_the_extra(mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("mien.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    ended = mien("export", "--model", "mien-light", "--variant", "fp16", "--out", tmp_path / "bundle")
    assert ended.code == 5
    assert ended.err.endswith("is not installed; run: pip install 'mien[train]'\n")
    assert not (tmp_path / "bundle").exists()


def test_export_names_its_variants(mien, tmp_path: Path) -> None:
    ended = mien("export", "--model", "mien-light", "--variant", "int4", "--out", tmp_path / "bundle")
    assert ended.code == 2
    assert "int8" in ended.err
