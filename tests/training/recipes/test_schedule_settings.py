# SPDX-License-Identifier: Apache-2.0
"""Stages and optimisers refuse values that no training could use, and say when they need validation."""

import pytest

from mien.core import ConfigError
from mien.training.recipes.schedule_settings import OptimizerSettings, StageSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs and batch must be positive, got 0 and 64"),
        ({"batch": 0}, "got 1 and 0"),
        ({"warmup": 1.0}, "warmup must be in"),
        ({"final_share": -0.1}, "final_share"),
        ({"patience": 0}, "patience must be positive"),
        ({"factor": 1.0}, "factor in"),
        ({"schedule": "steps"}, "schedule must be one of"),
        ({"keep": "first"}, "keep must be one of"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StageSettings(**{"epochs": 1, "peak_lr": 1e-3, **change})


@pytest.mark.parametrize(
    ("change", "validated"), [({}, False), ({"keep": "best"}, True), ({"schedule": "plateau"}, True)]
)
def test_stages_that_watch_a_metric_need_validation(change: dict[str, str], *, validated: bool) -> None:
    assert StageSettings(epochs=1, peak_lr=1e-3, **change).is_validated == validated


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ConfigError, match="'adamw', 'sgd', got 'lion'"):
        OptimizerSettings(name="lion")
