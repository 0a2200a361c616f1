# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import pytest

from mien.core import EMI_EMOTIONS, ERI_EMOTIONS, ConfigError, HeadInput, HeadSpec, ModelError

SPEC = HeadSpec(
    head_version=1,
    name="toy",
    version="1",
    sha256="0" * 64,
    task="eri",
    labels=ERI_EMOTIONS,
    inputs=(
        HeadInput(made_by="net", digest="n", part="scores", n=10, every=5),
        HeadInput(made_by="speech", digest="s", part="features", n=3, steps=7),
    ),
    input="vectors",
    output="intensities",
    unit="share of the largest rating",
)


def test_round_trip_through_json() -> None:
    assert HeadSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


def test_the_vector_is_as_long_as_its_sections() -> None:
    assert [section.length for section in SPEC.inputs] == [40, 21]
    assert SPEC.n_inputs == 61


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_version": 2}, "head_version 2 is not 1"),
        ({"task": "age"}, "task must be one of 'emi', 'eri', 'expression', .*got 'age'"),
        ({"labels": EMI_EMOTIONS}, "eri has the labels"),
        ({"inputs": []}, "at least one input"),
        ({"more": 1}, r"unknown keys \['more'\]"),
    ],
)
def test_anything_unexpected_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        HeadSpec.from_json(SPEC.to_json() | change)


def test_only_an_object_is_a_spec() -> None:
    with pytest.raises(ModelError, match="head_version None"):
        HeadSpec.from_json([1])


@pytest.mark.parametrize(("change", "message"), [({"n": 0}, "at least 1"), ({"part": "logits"}, "part must be one of")])
def test_a_wrong_section_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(SPEC.inputs[0], **change)  # type: ignore[arg-type]  # the mistake under test
