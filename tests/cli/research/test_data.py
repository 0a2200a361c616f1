# SPDX-License-Identifier: Apache-2.0
"""``mien data`` as the shell sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mien.datasets import DATASETS, create_example


@pytest.fixture
def emi(tmp_path: Path) -> Path:
    create_example("emi", tmp_path)
    return tmp_path


def test_every_data_set_has_a_line(mien: Any) -> None:
    lines = mien("data").out.splitlines()
    assert [line.split()[0] for line in lines] == list(DATASETS)
    assert all("; owner: " in line for line in lines)


def test_a_complete_copy_is_0(mien: Any, emi: Path) -> None:
    ended = mien("data", "check", "emi", emi)
    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("train: 2 rows")
    assert ended.out.splitlines()[-1] == f"emi in {emi}: complete and well formed"
    (emi / "test_split.csv").unlink()
    assert mien("data", "check", "emi", emi).out.splitlines()[-1].endswith(": complete and well formed; not read: test")


def test_a_copy_with_a_hole_is_1_and_names_it(mien: Any, emi: Path) -> None:
    labels = next(path for path in sorted(emi.rglob("*.csv")) if "train" in path.name)
    labels.unlink()
    ended = mien("data", "check", "emi", emi)
    assert ended.code == 1
    assert f"problem: {labels}" in ended.out
    as_json = json.loads(mien("data", "check", "emi", emi, "--json").out)
    assert as_json["complete"] is False
    assert as_json["problems"][0]["path"] == str(labels)


def test_wrong_usage(mien: Any, tmp_path: Path) -> None:
    assert mien("data", "check").code == 2
    unknown = mien("data", "check", "emo", tmp_path)
    assert unknown.code == 2
    assert "'emo'" in unknown.err
    assert mien("data", "check", "emi", tmp_path / "nowhere").code == 3
