# SPDX-License-Identifier: Apache-2.0
"""Prototypes name known action units, and valence and arousal follow from names."""

import pytest

from mien.core import EXPRESSIONS
from mien.synthesis import (
    BASIC_EXPRESSIONS,
    COMPOUND_PROTOTYPES,
    EXPRESSION_VA,
    PROTOTYPES,
    UNIT_ACTIONS,
    valence_arousal,
)


@pytest.mark.parametrize("name", PROTOTYPES)
def test_prototypes_consist_of_known_units_and_expressions(name: str) -> None:
    prototype = PROTOTYPES[name]
    assert set(prototype.units) | set(prototype.optional) <= set(UNIT_ACTIONS)
    assert not set(prototype.units) & set(prototype.optional)
    assert all(0 < share < 1 for share in prototype.optional.values())
    assert set(prototype.parts) <= set(EXPRESSIONS)


def test_basic_and_compound_expressions_are_all_there() -> None:
    assert set(BASIC_EXPRESSIONS) == set(EXPRESSIONS) - {"neutral"}
    assert len(COMPOUND_PROTOTYPES) == 15
    assert PROTOTYPES["happiness"].units == ("AU12", "AU25")
    assert set(PROTOTYPES["fear"].units) == {"AU01", "AU04", "AU20", "AU25"}


def test_valence_and_arousal_have_the_quadrants_of_the_circumplex() -> None:
    assert set(EXPRESSION_VA) == set(EXPRESSIONS)
    signs = {name: (v > 0, a > 0) for name, (v, a) in EXPRESSION_VA.items()}
    assert signs["happiness"] == (True, True)
    assert signs["sadness"] == (False, False)
    assert signs["anger"] == signs["fear"] == signs["disgust"] == (False, True)
    assert valence_arousal("anger", 0.0) == (0.0, 0.0)
    fear, surprise = valence_arousal("fear", 1.0), valence_arousal("surprise", 1.0)
    assert valence_arousal("fearfully surprised", 1.0) == pytest.approx(
        ((fear[0] + surprise[0]) / 2, (fear[1] + surprise[1]) / 2)
    )
