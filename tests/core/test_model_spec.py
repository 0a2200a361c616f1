# SPDX-License-Identifier: Apache-2.0
import copy
import json
from typing import Any

import pytest

from mien.core import EXPRESSIONS, ConfigError, CropSpec, InputSpec, ModelError, ModelSpec, TaskSpec

SPEC = ModelSpec(
    spec_version=1,
    name="toy",
    version="1",
    sha256="0" * 64,
    input=InputSpec(name="crops", size_px=8, colour="gray", layout="NHWC", dtype="uint8"),
    crop=CropSpec(template=((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))),
    tasks=(
        TaskSpec(
            task="expression", output="e", labels=EXPRESSIONS, activation="softmax", low=0.0, high=1.0, unit="share"
        ),
    ),
)


def as_json() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(SPEC.to_json()))
    return content


def test_round_trip_through_json() -> None:
    assert ModelSpec.from_json(as_json()) == SPEC


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("spec_version",), 2, "spec_version 2"),
        (("spec_version",), None, "spec_version None"),
        (("surprise",), 1, "unknown keys"),
        (("crop", "shrink"), "nearest", "shrink must be one of"),
        (("name",), 3, "name must be str"),
        (("input", "size_px"), 8.5, "size_px must be int"),
        (("input", "size_px"), 0, "size_px must be positive"),
        (("input", "colour"), "cmyk", "colour must be one of"),
        (("input", "dtype"), "float32", "needs 1 means"),
        (("crop", "template"), [[0, 0]], "5 points"),
        (("crop", "template"), "x", "must be a list"),
        (("tasks", 0, "activation"), "relu", "activation must be one of"),
        (("tasks", 0, "labels"), [], "distinct labels"),
        (("tasks", 0, "temperature"), 0, "temperature"),
        (("tasks", 0, "thresholds"), [0.5], "1 thresholds"),
        (("tasks", 0, "task"), "gaze", "task must be one of"),
        (("tasks", 0, "labels"), None, "must be a list"),
    ],
)
def test_anything_unexpected_is_refused(path: tuple[Any, ...], value: object, message: str) -> None:
    content = as_json()
    target: Any = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises((ModelError, ConfigError), match=message):
        ModelSpec.from_json(content)


@pytest.mark.parametrize("key", ["name", "sha256", "input", "crop", "tasks"])
def test_missing_keys_are_named(key: str) -> None:
    content = copy.deepcopy(as_json())
    del content[key]
    with pytest.raises(ModelError, match=key):
        ModelSpec.from_json(content)


def test_only_an_object_is_a_spec() -> None:
    with pytest.raises(ModelError, match="object"):
        ModelSpec.from_json([1])


def test_a_missing_task_is_none() -> None:
    assert SPEC.task("action_units") is None
    assert SPEC.task("expression") is SPEC.tasks[0]
