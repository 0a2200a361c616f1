# SPDX-License-Identifier: Apache-2.0
"""Prediction sets, intervals and reasons to abstain, from numbers that are known by hand."""

import dataclasses
import math

import numpy as np
import pytest

from mien.core import ABSTAIN_REASONS, ConfigError, Faces, ProbeSpec, UncertaintySpec, with_uncertainty
from mien.core.typed import read_typed
from mien.core.uncertainty import abstain_reasons, affect_interval, prediction_sets, unit_intervals

PROBE = ProbeSpec(weights=(1.0,), bias=0.0, limit=0.75)
SPEC = UncertaintySpec(
    coverage=0.9,
    expression_limits={"neutral": 0.5, "fear": 0.1},
    half_widths={"valence": {"any": 0.25, "fear": 0.5}},
    unit_offsets={"AU12": (0.1, 0.2, 0.3, 0.4)},
    unfamiliar=PROBE,
    covered=PROBE,
)
FRONTAL = np.array([[[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]]], np.float32)


def test_a_set_holds_what_reaches_its_limit_and_always_the_top() -> None:
    labels = ("neutral", "fear")
    rows = np.array([[0.45, 0.55], [0.95, 0.05], [np.nan, np.nan]])
    sets = prediction_sets(rows, labels, SPEC.expression_limits)
    assert sets.tolist() == [[False, True], [True, False], [False, False]]
    high = {"neutral": 0.5, "fear": 0.9}
    assert prediction_sets(np.array([[0.3, 0.7]]), labels, high).tolist() == [[False, True]]


def test_intervals_stay_in_range_and_unknown_values_stay_unknown() -> None:
    ends = affect_interval(np.array([0.9, -0.9, np.nan]), ["fear", None, "anger"], {"any": 0.25, "fear": 0.5})
    np.testing.assert_allclose(ends, [[0.4, 1.0], [-1.0, -0.65], [np.nan, np.nan]], atol=1e-6)
    units = unit_intervals(np.array([[0.25, 0.5], [0.75, 0.5]]), ("AU12", "AU04"), SPEC.unit_offsets)
    np.testing.assert_allclose(units[:, 0], [[0.15, 0.45], [0.45, 1.0]], atol=1e-6)
    assert np.isnan(units[:, 1]).all()


def test_each_reason_has_its_own_cause() -> None:
    small = FRONTAL * 0.1
    points = np.concatenate([FRONTAL, small, FRONTAL, FRONTAL, FRONTAL])
    pose = np.zeros((5, 3))
    pose[2, 1] = -0.9
    covered = np.array([0, 0, 0, 0.8, np.nan])
    unfamiliar = np.array([0, 0, 0, 0, 0.8])
    found = abstain_reasons(SPEC, points, pose, covered, unfamiliar)
    names = [[name for name, applies in zip(ABSTAIN_REASONS, row, strict=True) if applies] for row in found]
    assert names == [[], ["small"], ["turned"], ["covered"], ["unfamiliar"]]


def test_what_is_unknown_gives_no_reason() -> None:
    unknown = np.full(1, np.nan)
    assert not abstain_reasons(SPEC, np.full((1, 5, 2), np.nan), np.full((1, 3), np.nan), unknown, unknown).any()


def test_a_face_without_affect_has_no_set_and_no_interval() -> None:
    faces = Faces(
        boxes=np.zeros((2, 4)),
        expression=[[0.6, 0.4], [np.nan, np.nan]],
        expression_labels=("neutral", "fear"),
        valence=[0.5, np.nan],
        action_units=[[0.25], [np.nan]],
        action_unit_labels=("AU12",),
    )
    found = with_uncertainty(faces, SPEC)
    assert found.expression_sets.tolist() == [[True, True], [False, False]]
    assert np.isnan(found.valence_interval[1]).all()
    assert np.isnan(found.action_unit_intervals[1]).all()
    assert with_uncertainty(faces, None) is faces


def test_the_calibration_survives_json() -> None:
    content = dataclasses.asdict(SPEC)
    assert read_typed(UncertaintySpec, content, "model.json") == SPEC


@pytest.mark.parametrize(
    "change",
    [
        {"coverage": 1.0},
        {"expression_limits": {"neutral": 1.5}},
        {"expression_limits": {"neutral": math.nan}},
        {"half_widths": {"valence": {"fear": 0.1}}},
        {"half_widths": {"smile": {"any": 0.1}}},
        {"half_widths": {"valence": {"any": math.inf}}},
        {"unit_offsets": {"AU12": (0.1, 0.1)}},
        {"unit_offsets": {"AU999": (0.1, 0.1, 0.1, 0.1)}},
        {"neutral_levels": {"AU12": (0.1, -1.0, 0.1)}},
    ],
)
def test_impossible_calibrations_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        dataclasses.replace(SPEC, **change)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("change", [{"weights": ()}, {"limit": 2.0}, {"bias": math.nan}])
def test_impossible_probes_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        dataclasses.replace(PROBE, **change)  # type: ignore[arg-type]  # wrong on purpose
