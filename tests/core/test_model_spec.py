# SPDX-License-Identifier: Apache-2.0
import copy
import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from mien.core import EXPRESSIONS, ConfigError, CropSpec, InputSpec, ModelError, ModelSpec, TaskName, TaskSpec

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
        (("crop", "given"), "tight", "given must be one of 'whole', 'aligned', got 'tight'"),
        (("name",), 3, "name must be str"),
        (("input", "size_px"), 8.5, "size_px must be int"),
        (("input", "size_px"), 0, "size_px must be positive"),
        (("input", "colour"), "cmyk", "colour must be one of"),
        (("input", "dtype"), "float32", "needs 1 means"),
        (("crop", "template"), [[0, 0]], "5 keypoints"),
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


QUALITY = {
    "intercept": 1.0,
    "signals": ["size", "doubt"],
    "weights": [0.5, -0.25],
    "mean": [5.0, 0.0],
    "deviation": [1.0, 2.0],
    "data": "",
    "n": 10,
    "command": "",
}


def test_a_quality_model_is_part_of_the_description() -> None:
    assert ModelSpec.from_json(as_json()).quality is None
    spec = ModelSpec.from_json(as_json() | {"quality": QUALITY})
    assert spec.quality is not None
    assert (spec.quality.signals, spec.quality.weights) == (("size", "doubt"), (0.5, -0.25))
    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [0.5]}, "weights must have 2 entries, got 1"),
        ({"deviation": [1.0, 0.0]}, "every deviation must be above 0"),
        ({"signals": ["size", "size"]}, "distinct signals"),
        ({"bundle": "mien-light"}, r"quality: unknown keys \['bundle'\]"),
        ({"n": None}, "n must be int"),
    ],
)
def test_a_wrong_quality_model_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ModelSpec.from_json(as_json() | {"quality": QUALITY | change})


def task_of(name: TaskName, labels: tuple[str, ...]) -> TaskSpec:
    return TaskSpec(task=name, output=name, labels=labels, activation="identity", low=0.0, high=1.0, unit="")


def test_the_kind_follows_from_the_tasks() -> None:
    face, pose = task_of("face", ("face",)), task_of("head_pose", ("pitch", "yaw", "roll"))
    assert SPEC.kind == "affect"
    assert replace(SPEC, tasks=()).kind == "affect"
    assert replace(SPEC, tasks=(face, pose)).kind == "landmarks"
    with pytest.raises(ConfigError, match="either affect or landmarks"):
        replace(SPEC, tasks=(*SPEC.tasks, face))


def test_old_names_of_keys_are_read() -> None:
    content = as_json()
    content["made"], content["limits"] = content.pop("provenance"), ["it fails"]
    del content["limitations"]
    assert ModelSpec.from_json(content).limitations == ("it fails",)
    with pytest.raises(ModelError, match=r"\['limits'\] are old names of keys that are there, too"):
        ModelSpec.from_json(content | {"limitations": []})


def test_only_an_object_is_a_spec() -> None:
    with pytest.raises(ModelError, match="object"):
        ModelSpec.from_json([1])


def test_a_missing_task_is_none() -> None:
    assert SPEC.task("action_units") is None
    assert SPEC.task("expression") is SPEC.tasks[0]


def test_an_uncertainty_of_other_weights_is_no_uncertainty() -> None:
    from mien.core import UncertaintySpec
    from mien.inference import load_spec

    fitted = UncertaintySpec(coverage=0.9, expression_limits={}, half_widths={}, unit_offsets={}, sha256="0" * 64)
    spec = load_spec("mien-light")
    assert dataclasses.replace(spec, uncertainty=fitted).uncertainty is None
    kept = dataclasses.replace(fitted, sha256=spec.sha256)
    assert dataclasses.replace(spec, uncertainty=kept).uncertainty == kept
