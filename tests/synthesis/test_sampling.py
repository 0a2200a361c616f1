# SPDX-License-Identifier: Apache-2.0
"""Drawn expressions keep to their kind, and independent units to one of each collinear pair."""

from collections import Counter

import numpy as np
import pytest

from mien.core import ConfigError
from mien.synthesis import COLLINEAR_UNITS, PROTOTYPES, ExpressionMix, UnitVector, sample_expression
from mien.synthesis.sampling import KINDS, Expression


def draw(kind: str | None, n: int = 200, **mix: object) -> list[Expression]:
    rng = np.random.default_rng(1)
    return [sample_expression(ExpressionMix(**mix), rng, kind) for _ in range(n)]  # type: ignore[arg-type]


def test_kinds_are_drawn_by_their_shares() -> None:
    counts = Counter(expression.kind for expression in draw(None, 3000))
    mix = ExpressionMix()
    for kind in KINDS:
        assert counts[kind] / 3000 == pytest.approx(getattr(mix, kind), abs=0.03)


def test_neutral_faces_show_no_unit_but_blinks() -> None:
    for expression in draw("neutral"):
        assert set(expression.units.sides()) <= {"AU45"}
        assert (expression.name, expression.strength, expression.valence_arousal) == ("neutral", 0.0, (0.0, 0.0))


@pytest.mark.parametrize("kind", ["basic", "compound"])
def test_prototypes_show_all_their_units(kind: str) -> None:
    for expression in draw(kind):
        prototype = PROTOTYPES[expression.name]
        shown = set(expression.units.sides()) - {"AU45"}
        assert shown <= set(prototype.units) | set(prototype.optional)
        assert set(prototype.units) <= shown
        added = shown - set(prototype.units)
        assert not any({a, b} <= shown and {a, b} & added for a, b in COLLINEAR_UNITS)
        assert all(expression.units[unit] <= 1.0 for unit in shown)


def test_independent_units_never_mix_collinear_shapes() -> None:
    shown = [set(expression.units.sides()) for expression in draw("units", 500, blink_share=0.0, gaze_share=0.0)]
    assert not any(a in units and b in units for units in shown for a, b in COLLINEAR_UNITS)
    counts = Counter(unit for units in shown for unit in units)
    assert min(counts[unit] for unit in ("AU01", "AU04", "AU09", "AU12", "AU14", "AU15", "AU23", "AU24")) > 10


def test_units_and_speech_have_no_valence() -> None:
    assert {expression.valence_arousal for expression in draw("units", 20) + draw("speech", 20)} == {None}


def test_contempt_is_one_sided() -> None:
    for expression in draw("basic", 30, only=("contempt",), strength=(0.8, 1.0)):
        left, right = expression.units.side("AU12", "left"), expression.units.side("AU12", "right")
        assert min(left, right) < 0.1 * max(left, right)


def test_eyes_do_not_look_down_against_wide_or_closed_lids() -> None:
    for expression in draw("basic", 300, gaze_share=1.0, blink_share=0.3):
        if {"AU05", "AU45"} & set(expression.units.sides()):
            assert expression.gaze[1] >= 0


def test_gaze_to_the_right_of_the_image_turns_both_eyes_there() -> None:
    actions = Expression("neutral", "neutral", 0.0, UnitVector(), gaze=(0.5, 0.25)).actions()
    assert actions == {
        "eyeLookOutLeft": 0.5,  # the person's left eye is on the right of the image
        "eyeLookInRight": 0.5,
        "eyeLookUpLeft": 0.25,
        "eyeLookUpRight": 0.25,
    }


def test_an_expression_without_prototype_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'boredom' has no prototype"):
        draw("basic", 1, only=("boredom",))


def test_units_with_sides_of_their_own_show_often_on_one_side_alone() -> None:
    pairs = [pair for face in draw("units", one_sided=1.0) for pair in face.units.sides().values()]
    alone = np.mean([min(pair) == 0 for pair in pairs])
    assert 0.25 < alone < 0.6
    left, right = np.array([pair for pair in pairs if min(pair) == 0]).T
    assert 0.4 < np.mean(left > right) < 0.6
    default = [pair for face in draw("units", asymmetry=0.0) for pair in face.units.sides().values()]
    assert all(left == right for left, right in default)
