# SPDX-License-Identifier: Apache-2.0
"""Settings of training methods: read from a stage's table by their name, checked, and absent by default."""

import pytest

from mien.core import ConfigError, read_typed
from mien.training import load_recipe
from mien.training.recipes.method_settings import (
    AdversarialSettings,
    CoTeachingSettings,
    MaskedAutoencodingSettings,
    MaskedMembersSettings,
    TwoViewsSettings,
)
from mien.training.recipes.schedule_settings import StageSettings


@pytest.mark.parametrize(
    ("recipe", "stage", "expected"),
    [
        ("noisyfer", 0, AdversarialSettings(weight=0.4)),
        ("co-teaching", 0, CoTeachingSettings(forget_rate=0.2)),
        ("ss-mfar", 0, TwoViewsSettings()),
        ("emma", 0, MaskedAutoencodingSettings()),
        ("emma", 1, None),
        ("masked-cotex", 1, MaskedMembersSettings(mask_ratio=0.5)),
    ],
)
def test_recipes_have_the_published_settings(recipe: str, stage: int, expected: object) -> None:
    assert load_recipe(recipe).stages[stage].method == expected


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "magic"}, "name must be one of"),
        ({"weight": 1.0}, "name must be one of"),
        ({"name": "co_teaching"}, r"\['forget_rate'\] are missing"),
        ({"name": "co_teaching", "forget_rate": 1.0}, "forget_rate"),
        ({"name": "adversarial", "critic_steps": 0}, "critic_steps"),
        ({"name": "two_views", "threshold": 1.5}, "threshold"),
        ({"name": "masked_members", "mask_ratio": 1.0}, "mask_ratio"),
        ({"name": "masked_autoencoding", "mask_ratio": 0.0}, "mask_ratio"),
        ({"name": "two_views", "weight": 1.0}, "unknown keys"),
    ],
)
def test_wrong_settings_are_refused(method: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_typed(StageSettings, {"epochs": 1, "peak_lr": 1.0, "method": method}, "stage")


def test_none_is_no_method() -> None:
    assert read_typed(StageSettings, {"epochs": 1, "peak_lr": 1.0, "method": None}, "stage").method is None
