# SPDX-License-Identifier: Apache-2.0
"""Clip heads: a harmed one is refused with its name and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from mien.core import ModelError
from mien.inference import load_head
from tests.helpers.json_mutants import check_mutants
from tests.helpers.small_heads import small_head


def test_mutated_heads_are_refused_or_work(tmp_path: Path) -> None:
    check_mutants(tmp_path, "head.json", small_head(tmp_path), load_head, 50)


@pytest.mark.slow
def test_many_mutated_heads_are_refused_or_work(tmp_path: Path) -> None:
    check_mutants(tmp_path, "head.json", small_head(tmp_path), load_head, 1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": [{"made_by": "net", "digest": "n", "part": "scores", "n": 10**9}]}, "more than 1000000 values"),
        ({"inputs": [{"made_by": "net", "digest": "n", "part": "scores", "n": 4}]}, "the graph does not do what head"),
        ({"output": "other"}, "the graph has inputs"),
        ({"input": ""}, "input must be 1 to 200 printable"),
    ],
)
def test_a_wrong_head(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / "head.json").write_text(json.dumps(small_head(tmp_path) | change), "utf-8")
    with pytest.raises(ModelError, match=message):
        load_head(tmp_path, threads=1)
