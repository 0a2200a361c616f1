# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from scipy import special

from mien.affect import Decoder, activate, cut_faces, fit_crop
from mien.core import (
    ACTION_UNIT_SIDES,
    EXPRESSION_ORDERS,
    EXPRESSIONS,
    ConfigError,
    CropSpec,
    Faces,
    InputSpec,
    ModelSpec,
    TaskSpec,
)
from mien.faces.detector import faces_at
from mien.inference import load_spec

RNG = np.random.default_rng(0)


def task(name: str, labels: tuple[str, ...], activation: str, low: float = 0.0, **more: object) -> TaskSpec:
    facts = {"task": name, "output": name, "labels": labels, "activation": activation, "low": low, "high": 1.0}
    return TaskSpec(**facts, unit="", **more)  # type: ignore[arg-type]  # keyword table of a test


EXPRESSION = task("expression", EXPRESSION_ORDERS["hse_8"], "softmax", temperature=1.7)
AFFECT = task("valence_arousal", ("valence", "arousal"), "identity", low=-1.0)
UNITS = task("action_units", ("AU12", "AU04"), "sigmoid")
SPEC = ModelSpec(
    spec_version=1,
    name="toy",
    version="1",
    sha256="",
    input=InputSpec(name="x", size_px=4, colour="gray", layout="NHWC", dtype="uint8"),
    crop=CropSpec(template=((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))),
    tasks=(EXPRESSION, AFFECT, UNITS),
    features="features",
)
OUTPUTS = {
    "expression": RNG.normal(0, 3, (5, 8)).astype(np.float32),
    "valence_arousal": RNG.normal(0, 2, (5, 2)).astype(np.float32),
    "action_units": RNG.normal(0, 3, (5, 2)).astype(np.float32),
    "features": RNG.normal(0, 3, (5, 6)).astype(np.float32),
}


def test_activations_agree_with_scipy() -> None:
    raw = OUTPUTS["expression"]
    np.testing.assert_allclose(activate(raw, EXPRESSION), special.softmax(raw / 1.7, axis=1), atol=1e-6)
    np.testing.assert_allclose(activate(raw[:, :2], UNITS), special.expit(raw[:, :2]), atol=1e-6)


def test_huge_logits_stay_finite() -> None:
    raw = np.array([[1e4, -1e4]], np.float32)
    assert activate(raw, UNITS).tolist() == [[1.0, 0.0]]
    assert np.isfinite(activate(np.repeat(raw, 4, axis=1), EXPRESSION)).all()


def test_values_come_out_in_canonical_order_and_range() -> None:
    faces = Faces(boxes=np.zeros((5, 4)), **Decoder(SPEC)(OUTPUTS))
    assert faces.expression_labels == EXPRESSIONS
    probabilities = special.softmax(OUTPUTS["expression"] / 1.7, axis=1)
    for column, name in enumerate(EXPRESSIONS):
        np.testing.assert_allclose(
            faces.expression[:, column], probabilities[:, EXPRESSION_ORDERS["hse_8"].index(name)], atol=1e-6
        )
    np.testing.assert_allclose(faces.valence, np.clip(OUTPUTS["valence_arousal"][:, 0], -1, 1))
    assert faces.action_unit_labels == ("AU04", "AU12")
    np.testing.assert_allclose(faces.action_units[:, 1], special.expit(OUTPUTS["action_units"][:, 0]), atol=1e-6)
    assert faces.features.shape == (5, 0)


def test_features_on_request() -> None:
    faces = Faces(boxes=np.zeros((5, 4)), **Decoder(SPEC, keep_features=True)(OUTPUTS))
    np.testing.assert_array_equal(faces.features, OUTPUTS["features"])


def test_a_bundle_without_a_task_leaves_nan() -> None:
    spec = dataclasses.replace(SPEC, tasks=(EXPRESSION,), features="")
    faces = Faces(boxes=np.zeros((5, 4)), **Decoder(spec)(OUTPUTS))
    assert np.isnan(faces.valence).all()
    assert faces.action_units.shape == (5, 0)


@pytest.mark.parametrize("labels", [("happiness", "neutral"), ("other", "neutral")])
def test_fewer_or_other_classes_say_so(labels: tuple[str, ...]) -> None:
    spec = dataclasses.replace(SPEC, tasks=(task("expression", labels, "softmax"),), features="")
    got = Decoder(spec).expression_labels
    assert set(got) == set(labels)
    assert got[0] == "neutral"


def test_pitfall_17_the_order_of_channels_is_the_bundles() -> None:
    red = np.zeros((20, 20, 3), dtype=np.uint8)
    red[..., 0] = 255
    template = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
    for colour, expected in (("rgb", [255, 0, 0]), ("bgr", [0, 0, 255])):
        pixels = InputSpec(name="x", size_px=4, colour=colour, layout="NHWC", dtype="uint8")
        spec = dataclasses.replace(SPEC, input=pixels, crop=CropSpec(template=template))
        assert cut_faces(red, faces_at([[2, 2, 18, 18]]), spec)[0, 0, 0].tolist() == expected
        assert fit_crop(red, spec)[0, 0].tolist() == expected


def test_pitfall_27_softmax_is_for_expressions_and_values_are_bounded_apart() -> None:
    raw = np.random.default_rng(0).normal(0, 3, (5, 10)).astype(np.float32)
    expression = activate(raw[:, :8], task("expression", EXPRESSION_ORDERS["hse_8"], "softmax"))
    va = activate(raw[:, 8:], AFFECT)
    assert expression.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(va, np.clip(raw[:, 8:], -1, 1))
    assert (np.abs(raw[:, 8:]) > 1).any()  # published heads leave them unbounded


def test_sides_have_their_places_and_are_unknown_where_a_bundle_has_none() -> None:
    spec = load_spec()
    sides = TaskSpec(
        task="action_unit_sides", output="sides", labels=("AU12_right", "AU12_left"), activation="identity", low=0.0,
        high=5.0, unit="FACS",
    )  # fmt: skip
    own = dataclasses.replace(spec, tasks=(sides,), features="")
    assert own.side_labels == ("AU12_left", "AU12_right")
    found = Decoder(own)({"sides": np.array([[4.0, -1.0]], np.float32)})["action_unit_sides"]
    assert found[0, ACTION_UNIT_SIDES.index("AU12_right")] == 4.0
    assert found[0, ACTION_UNIT_SIDES.index("AU12_left")] == 0.0
    assert np.isnan(found).sum() == len(ACTION_UNIT_SIDES) - 2
    with pytest.raises(ConfigError, match="unknown sides"):
        dataclasses.replace(sides, labels=("AU25_left", "AU12_left"))


def test_intensities_follow_the_order_of_the_units_and_are_unknown_where_a_bundle_has_none() -> None:
    spec = load_spec()
    units = dataclasses.replace(spec.task("action_units"), labels=("AU12", "AU01"), thresholds=(), inferred=())
    strong = TaskSpec(
        task="action_unit_intensity", output="strength", labels=("AU12",), activation="identity", low=0.0, high=5.0,
        unit="FACS",
    )  # fmt: skip
    own = dataclasses.replace(spec, tasks=(units, strong), features="")
    assert own.intensity_labels == ("AU12",)
    raw = {units.output: np.zeros((2, 2), np.float32), "strength": np.array([[1.5], [9.0]], np.float32)}
    found = Decoder(own)(raw)
    assert found["action_unit_labels"] == ("AU01", "AU12")
    np.testing.assert_array_equal(found["action_unit_intensity"], [[np.nan, 1.5], [np.nan, 5.0]])
    older = Decoder(dataclasses.replace(own, tasks=(units,)))
    plain = Faces(boxes=np.zeros((2, 4)), **older({units.output: raw[units.output]}))
    assert np.isnan(plain.action_unit_intensity).all()
    hidden = Faces(boxes=np.zeros((2, 4)), **found).without_affect(np.array([True, False]))
    assert np.isnan(hidden.action_unit_intensity[0]).all()
    assert hidden.action_unit_intensity[1, 1] == 5.0
    with pytest.raises(ConfigError, match="need a probability, too"):
        dataclasses.replace(spec, tasks=(strong,), features="")
    with pytest.raises(ConfigError, match="within"):
        dataclasses.replace(strong, high=6.0)
