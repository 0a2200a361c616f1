# SPDX-License-Identifier: Apache-2.0
"""The notebook that trains a head on own labels runs, and the head knows the smile of a person it has not seen."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from tests.helpers.notebooks import run_notebook

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


def test_the_head_knows_an_unseen_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path / "examples")
    names = run_notebook("own_head", tmp_path)
    assert names["spec"].name == "own-head"
    assert names["known"].sum() > 25
    assert names["accuracy"] > 0.8
    assert Path("own-head.png").stat().st_size > 5_000
