# SPDX-License-Identifier: Apache-2.0
"""Prints ``recipe-keys.md``: every key of a recipe with its type, default and meaning, from the settings themselves."""

import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields

from mien.core import Registry
from mien.training import SOURCES, Recipe
from mien.training.engine.targets import TARGETS
from mien.training.losses.registry import LOSSES
from mien.training.methods.registry import METHODS
from mien.training.models.backbones import BACKBONES
from mien.training.models.heads import HEADS
from mien.training.recipes import (
    geometry_recipe,
    method_settings,
    schedule_settings,
    sequence_settings,
    settings,
    target_settings,
)

_INTRODUCTION = """\
# Keys of a recipe

<!-- Written by `make docs-train` from mien.training.recipes; change it there. -->

A recipe is a TOML file. An unknown key, a missing key or a value of a wrong type is an error that names its place. Keys
without a default are required. [Training](../how-to/training.md) describes training.
"""

_TABLES = {
    "top level": Recipe,
    "[data]": settings.DataSettings,
    "[[data.sources]], [[data.valid]]": settings.SourceSettings,
    "[model]": settings.ModelSettings,
    "[model.sequences]": sequence_settings.SequenceSettings,
    "[heads.TASK]": settings.HeadSettings,
    "[losses.TASK]": settings.LossSettings,
    "[[stages]]": schedule_settings.StageSettings,
    "[optimizer], [stages.optimizer]": schedule_settings.OptimizerSettings,
    "[augmentation]": settings.AugmentationSettings,
    "[coupling]": settings.CouplingSettings,
    '[[targets]], [[stages.targets]] with name = "auxiliary_rows"': target_settings.AuxiliaryRowsSettings,
    '[[targets]], [[stages.targets]] with name = "pseudo_labels"': target_settings.PseudoLabelSettings,
    '[[targets]], [[stages.targets]] with name = "self_distillation"': target_settings.SelfDistillationSettings,
    '[[targets]], [[stages.targets]] with name = "teacher"': target_settings.TeacherSettings,
    '[[targets]], [[stages.targets]] with name = "co_annotation"': target_settings.CoAnnotationSettings,
    '[[targets]], [[stages.targets]] with name = "oversampling"': target_settings.OversamplingSettings,
    '[stages.method] with name = "adversarial"': method_settings.AdversarialSettings,
    '[stages.method] with name = "co_teaching"': method_settings.CoTeachingSettings,
    '[stages.method] with name = "two_views"': method_settings.TwoViewsSettings,
    '[stages.method] with name = "masked_autoencoding"': method_settings.MaskedAutoencodingSettings,
    '[stages.method] with name = "masked_members"': method_settings.MaskedMembersSettings,
    "[calibration]": settings.CalibrationSettings,
    "[[published]]": settings.PublishedSettings,
    "top level of a recipe of geometry": geometry_recipe.GeometryRecipe,
    "[geometry]": geometry_recipe.GeometrySettings,
}

_NAMES: dict[str, Registry[typing.Any]] = {
    "Sources": SOURCES,
    "Heads": HEADS,
    "Losses": LOSSES,
    "Target providers": TARGETS,
    "Training methods": METHODS,
}


def meanings(kind: type) -> dict[str, str]:
    """Attribute -> text of the ``Attributes:`` section of a docstring, as one line of Markdown."""
    section = inspect.getdoc(kind).partition("Attributes:\n")[2]  # type: ignore[union-attr]  # all have one
    found = re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z|^\S)", section, re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()).replace("``", "`").replace("|", "\\|") for name, text in found}


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield _INTRODUCTION
    for title, kind in _TABLES.items():
        yield f"## {title}\n"
        yield "| key | type | default | meaning |\n|---|---|---|---|"
        explained = meanings(kind)
        for field in fields(kind):
            yield f"| `{field.name}` | {_type(str(field.type))} | {_default(field)} | {explained[field.name]} |"
        yield ""
    for title, registry in _NAMES.items():
        yield f"## {title}\n\n| name | what |\n|---|---|"
        yield from (f"| `{name}` | {registry[name].summary} |" for name in registry)
        yield ""
    yield "## Backbones\n\nBesides every model name of timm:\n\n| name | source |\n|---|---|"
    yield from (f"| `{name}` | {BACKBONES[name].source} |" for name in BACKBONES)


def _type(text: str) -> str:
    if text.startswith("Literal"):
        return "`str`"
    if "Settings" in text:
        return "table" if "tuple" not in text else "tables"
    return f"`{text}`".replace("|", "\\|")


def _default(field: typing.Any) -> str:
    if field.default is not MISSING:
        return "" if field.default is None else f"`{field.default!r}`"
    return "" if field.default_factory is MISSING else "empty" if "Mapping" in str(field.type) else "the table's own"


if __name__ == "__main__":
    print("\n".join(lines()))
