# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import pytest

from mien.core import Adaptation, ConfigError, ModelError, TaskCorrection

CORRECTION = TaskCorrection(bias={"AU12": 0.5}, error_before=1.0, error_after=0.5)


@pytest.mark.parametrize("change", [{"temperature": 0.0}, {"temperature": 99.0}, {"bias": {"AU12": math.nan}}])
def test_impossible_corrections_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        dataclasses.replace(CORRECTION, **change)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("content", [None, [], {}, {"adaptation_version": "1"}, {"adaptation_version": 1}])
def test_other_content_is_no_adaptation(content: object) -> None:
    with pytest.raises(ModelError):
        Adaptation.from_json(content)
