# SPDX-License-Identifier: Apache-2.0
"""``mien train``."""

import sys
from pathlib import Path

import pytest


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
