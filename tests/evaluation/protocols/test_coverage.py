# SPDX-License-Identifier: Apache-2.0
"""Coverage and reasons to abstain of a predictor whose sets and intervals are known."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.core import ConfigError, UncertaintySpec, with_uncertainty
from mien.evaluation.protocols.coverage import evaluate_uncertainty
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name

SPEC = UncertaintySpec(
    coverage=0.9,
    expression_limits={},
    half_widths={"valence": {"any": 2.0}, "arousal": {"any": 0.0}},
    unit_offsets={},
    max_turn_rad=0.7,
)


class Calibrated(FlatFaceAnalyzer):
    spec = SimpleNamespace(**vars(FlatFaceAnalyzer.spec) | {"uncertainty": SPEC})

    def crops(self, *arguments: object, **options: object) -> object:
        return with_uncertainty(super().crops(*arguments, **options), SPEC)


def test_sets_of_everything_cover_everything(open_sets: Path) -> None:
    metrics = metrics_by_name(evaluate_uncertainty(Calibrated(), open_sets))
    assert metrics["coverage of expression sets"].value == 1.0
    assert metrics["expressions in a set"].value == 8.0
    assert metrics["coverage of valence, against the map of votes"].value == 1.0
    assert metrics["coverage of arousal, against the map of votes"].value < 0.5
    assert metrics["FER+ valid: any reason to abstain"].value == 0.0
    assert np.isfinite(metrics["LFW test people: small"].value)


def test_a_bundle_without_calibration_is_refused(open_sets: Path) -> None:
    with pytest.raises(ConfigError, match="no calibration"):
        evaluate_uncertainty(FlatFaceAnalyzer(), open_sets)
