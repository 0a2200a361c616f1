# SPDX-License-Identifier: Apache-2.0
"""Settings of target providers: shares in range, names that select them, and reading from tables."""

import dataclasses
from dataclasses import dataclass

import pytest

from mien.core import ConfigError, read_typed
from mien.training.recipes.target_settings import (
    AuxiliaryRowsSettings,
    CoAnnotationSettings,
    PseudoLabelSettings,
    SelfDistillationSettings,
    TargetSettings,
    TeacherSettings,
)


@dataclass(frozen=True)
class Table:
    """A recipe's key alone."""

    targets: tuple[TargetSettings, ...]


ALL = (
    AuxiliaryRowsSettings(n=4),
    PseudoLabelSettings(label_weight=0.7, copy_px=48),
    SelfDistillationSettings(weight=0.3),
    TeacherSettings(path="mien-light", tasks=("expression",)),
    CoAnnotationSettings(soft=True),
)


def test_the_name_selects_the_settings() -> None:
    content = {"targets": [dataclasses.asdict(settings) for settings in ALL]}
    assert read_typed(Table, content, "recipe.toml") == Table(ALL)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"name": "gift"},
            r"recipe.toml: targets\[0\]: name must be one of \['absent_units', .*'unknown_labels'\], got 'gift'",
        ),
        ({"n": 4}, "name must be one of .* got None"),
        ({"name": "auxiliary_rows", "weight": 0.5}, "unknown keys"),
        ({"name": "auxiliary_rows"}, "one of them more"),
        ({"name": "pseudo_labels", "label_weight": 1.5}, r"label_weight must be in \[0, 1\], got 1.5"),
        ({"name": "self_distillation"}, "'weight'"),
        ({"name": "teacher", "path": "x", "weight": -1.0}, "weight must be in"),
    ],
)
def test_slips_are_named(content: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_typed(Table, {"targets": [content]}, "recipe.toml")


def test_a_wrong_name_in_python_is_refused() -> None:
    with pytest.raises(ConfigError, match="name must be one of 'co_annotation'"):
        CoAnnotationSettings(name="teacher")  # type: ignore[arg-type]  # on purpose
