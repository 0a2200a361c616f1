# SPDX-License-Identifier: Apache-2.0
"""Sequence bundles are verified before they run."""

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="makes a small graph: pip install 'mien[test]'")

from mien.core import ModelError
from mien.inference import load_sequence
from tests.helpers.small_sequences import write_small_sequence


def test_a_bundle_loads_and_damage_is_named(tmp_path: Path) -> None:
    spec = write_small_sequence(tmp_path)
    assert load_sequence(tmp_path, threads=1).spec == spec
    description = json.loads((tmp_path / "sequence.json").read_text())
    for changes, message in (
        ({"input": "words"}, "the graph has inputs"),
        (
            {"tasks": [{"task": "emotion", "output": "emotion", "labels": ["joy"]}]},
            "does not do what",
        ),
        ({"sha256": "0" * 64}, "does not have the SHA-256 of sequence.json"),
    ):
        (tmp_path / "sequence.json").write_text(json.dumps(description | changes))
        with pytest.raises(ModelError, match=message):
            load_sequence(tmp_path, threads=1)
    (tmp_path / "sequence.json").write_text("[")
    with pytest.raises(ModelError, match="not JSON"):
        load_sequence(tmp_path)
