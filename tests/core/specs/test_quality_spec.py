# SPDX-License-Identifier: Apache-2.0
"""What hidden faces lose is read strictly, and descriptions without it stay valid."""

from dataclasses import asdict

import pytest

from mien.core import ConfigError, HidingSpec, QualitySpec
from mien.core.typed import read_typed

HIDING = HidingSpec(
    name="detail",
    weights=(1.0, -1.0),
    bias=0.5,
    signals=("size",),
    signal_weights=(0.5,),
    mean=(5.0,),
    deviation=(1.0,),
    shares=(0.4, 0.8),
    factors=(0.5, 1.0),
    data="faces",
    n=9,
    command="fit",
)
QUALITY = QualitySpec(
    intercept=1.0,
    signals=("size",),
    weights=(0.5,),
    mean=(5.0,),
    deviation=(1.0,),
    data="",
    n=9,
    command="",
    hiding=(HIDING,),
)


def test_the_description_survives_and_older_ones_have_no_hidden_faces() -> None:
    content = asdict(QUALITY)
    assert read_typed(QualitySpec, content, "model.json") == QUALITY
    del content["hiding"]
    assert read_typed(QualitySpec, content, "model.json").hiding == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": ()}, "1 to 65536 weights, got 0"),
        ({"bias": float("nan")}, "bias must be finite"),
        ({"mean": ()}, "mean must have 1 entries, got 0"),
        ({"deviation": (0.0,)}, "every deviation must be above 0"),
        (
            {"signals": ("size", "size"), "signal_weights": (1.0, 1.0), "mean": (0.0, 0.0), "deviation": (1.0, 1.0)},
            "distinct signals",
        ),
        ({"shares": (0.8, 0.4)}, r"shares must ascend, got \(0.8, 0.4\)"),
        ({"shares": (0.4,)}, "as many factors as shares"),
        ({"factors": (1.0, 0.5)}, "within .0.5, 1. and never fall"),
        ({"factors": (0.4, 1.0)}, "within .0.5, 1. and never fall"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_typed(HidingSpec, asdict(HIDING) | changes, "model.json")
