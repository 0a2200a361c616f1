# SPDX-License-Identifier: Apache-2.0
"""The description of a sequence bundle is read strictly and survives JSON."""

import json

import pytest

from mien.core import ModalitySpec, ModelError, SequenceSpec, UtteranceOutput

SPEC = SequenceSpec(
    sequence_version=1,
    name="mine",
    version="1",
    sha256="00",
    steps=50,
    modalities=(ModalitySpec(name="text", kind="text", n=100), ModalitySpec(name="audio", kind="features", n=74)),
    tasks=(UtteranceOutput(task="sarcasm", output="sarcasm", labels=("sarcasm",)),),
    input="crops",
)


def test_json_and_back() -> None:
    assert SequenceSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC
    assert SPEC.n_inputs == 50 + 50 * 75


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "needs modalities, tasks and at least one step"),
        ({"tasks": []}, "needs modalities, tasks and at least one step"),
        ({"modalities": [{"name": "text", "kind": "speech", "n": 5}]}, "kind must be one of"),
        ({"modalities": [{"name": "text", "kind": "text", "n": 0}]}, "n of text must be from 1"),
        ({"tasks": [{"task": "joy", "output": "x", "labels": ["joy"]}]}, "task must be one of"),
        ({"tasks": [{"task": "emotion", "output": "x", "labels": ["joy", "joy"]}]}, "emotion needs distinct labels"),
        ({"steps": 100_000}, "values, and 1000000 are the most"),
        ({"surprise": 1}, r"unknown keys \['surprise'\]"),
        ({"sequence_version": 2}, "sequence_version 2 is not 1; this mien cannot read it, update mien"),
    ],
)
def test_slips_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        SequenceSpec.from_json(SPEC.to_json() | changes)
