# SPDX-License-Identifier: Apache-2.0
"""docs/how-to/synthesis.md names every key of a recipe and every kind of column."""

import re
from dataclasses import fields, is_dataclass

import pytest

from mien.core import ACTION_UNITS
from mien.synthesis import FORMATS, LABELLED_UNITS, SynthesisRecipe, label_schema, list_synthesis_recipes
from tests.helpers.repository import ROOT

PAGE = (ROOT / "docs/how-to/synthesis.md").read_text("utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.S)))


@pytest.mark.parametrize("field", fields(SynthesisRecipe), ids=lambda field: field.name)
def test_every_key_is_named(field: object) -> None:
    name = field.name  # type: ignore[attr-defined]  # a dataclass field
    value = getattr(SynthesisRecipe(name="x"), name)
    assert name in NAMED
    if is_dataclass(value):
        assert {part.name for part in fields(value)} <= NAMED


def test_every_column_format_and_recipe_is_named() -> None:
    columns = set(label_schema("clips").names)
    units = {name for name in columns if re.fullmatch(r"AU\d\d(_(left|right|present))?", name)}
    assert columns - units <= NAMED
    assert {unit for unit in LABELLED_UNITS if unit not in ACTION_UNITS} <= NAMED
    assert set(FORMATS) <= NAMED
    assert set(list_synthesis_recipes()) <= NAMED
