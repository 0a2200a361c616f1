# SPDX-License-Identifier: Apache-2.0
"""Overlay files: bound to weights, refused when damaged, and applied before the activation."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from mien import Analyzer
from mien.affect import Decoder, corrected, load_adaptation
from mien.core import Adaptation, ModelError, TaskCorrection
from mien.inference import load_spec

SPEC = load_spec("mien-light")
OVERLAY = Adaptation(
    adaptation_version=1,
    bundle="mien-light",
    sha256=SPEC.sha256,
    n_examples=9,
    examples="labels",
    tasks={
        "expression": TaskCorrection(bias={"fear": 3.0}, temperature=2.0, error_before=1.0, error_after=0.5),
        "valence_arousal": TaskCorrection(bias={"valence": 0.25}, error_before=1.0, error_after=0.5),
        "action_units": TaskCorrection(bias={"AU12": -1.0}, error_before=1.0, error_after=0.5),
    },
)


def write(path: Path, adaptation: Adaptation) -> Path:
    path.write_text(json.dumps(adaptation.to_json()), "utf-8")
    return path


def test_values_are_those_of_the_corrected_logits() -> None:
    rng = np.random.default_rng(0)
    outputs = {task.output: rng.normal(0, 1, (4, len(task.labels))).astype(np.float32) for task in SPEC.tasks}
    spec = replace(SPEC, features="", uncertainty=None)
    plain, found = Decoder(spec)(outputs), Decoder(spec, adaptation=OVERLAY)(outputs)
    expression, affect, units = (SPEC.task(name) for name in ("expression", "valence_arousal", "action_units"))
    assert expression is not None
    assert affect is not None
    assert units is not None
    logits = outputs[expression.output] / expression.temperature / 2
    logits[:, expression.labels.index("fear")] += 3
    order = [expression.labels.index(label) for label in found["expression_labels"]]
    np.testing.assert_allclose(found["expression"], special.softmax(logits, axis=1)[:, order], atol=1e-5)
    np.testing.assert_allclose(found["valence"], np.clip(outputs[affect.output][:, 0] + 0.25, -1, 1), atol=1e-6)
    np.testing.assert_array_equal(found["arousal"], plain["arousal"])
    smile = found["action_unit_labels"].index("AU12")
    own = outputs[units.output][:, units.labels.index("AU12")] / units.temperature - 1
    np.testing.assert_allclose(found["action_units"][:, smile], special.expit(own), atol=1e-5)
    assert corrected(outputs, spec, None) is outputs


def test_an_analyzer_takes_the_overlay_and_goes_back(tmp_path: Path, astronaut: np.ndarray) -> None:
    path = write(tmp_path / "person.json", OVERLAY)
    plain, adapted = Analyzer(threads=1).image(astronaut), Analyzer(threads=1, adapt=path).image(astronaut)
    assert adapted.au("AU12")[0] < plain.au("AU12")[0]
    assert adapted.valence[0] == pytest.approx(min(plain.valence[0] + 0.25, 1), abs=1e-5)
    np.testing.assert_array_equal(Analyzer(threads=1).image(astronaut).expression, plain.expression)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "was made for the weights 000000000000"),
        ({"adaptation_version": 2}, "adaptation_version 2 is not 1"),
        ({"tasks": {"action_units": {"bias": {"AU99": 1.0}, "error_before": 1, "error_after": 1}}}, "has no AU99"),
        ({"tasks": {"smile": {"bias": {}, "error_before": 1, "error_after": 1}}}, "not \\['smile'\\]"),
        ({"note": "x"}, "unknown keys"),
    ],
)
def test_foreign_and_damaged_overlays_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "overlay.json"
    path.write_text(json.dumps(OVERLAY.to_json() | change), "utf-8")
    with pytest.raises(ModelError, match=message):
        load_adaptation(path, SPEC)


def test_a_file_that_is_missing_or_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text('{"adaptation', "utf-8")
    for name in ("absent.json", "torn.json"):
        with pytest.raises(ModelError, match=name):
            Analyzer(threads=1, adapt=tmp_path / name)


def test_overlays_survive_json() -> None:
    assert Adaptation.from_json(json.loads(json.dumps(OVERLAY.to_json()))) == OVERLAY
