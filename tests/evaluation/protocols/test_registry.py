# SPDX-License-Identifier: Apache-2.0
"""The table of protocols."""

import inspect
from pathlib import Path

import pytest

from mien.core import DatasetError
from mien.evaluation import PROTOCOLS
from mien.evaluation.challenge.submission_formats import PREDICTION_FORMATS
from tests.helpers.open_face_sets import FlatFaceAnalyzer


@pytest.mark.parametrize("name", ["flip-rate", "au-teacher", "au-ranks", "fairness", "reliability"])
def test_absent_data_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        PROTOCOLS.load(name)(FlatFaceAnalyzer(), tmp_path)


CHALLENGES = sorted(name for name in PROTOCOLS if PROTOCOLS[name].subject == "predictions")


@pytest.mark.parametrize("name", CHALLENGES)
def test_every_challenge_has_a_format(name: str) -> None:
    assert callable(PROTOCOLS.load(name))
    assert name in PREDICTION_FORMATS


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_protocol_has_the_same_signature(name: str) -> None:
    record, parameters = PROTOCOLS[name], inspect.signature(PROTOCOLS.load(name)).parameters
    assert list(parameters) == ["subject", "data", "split"]
    subjects = {"affect": "Analyzer", "landmarks": "LandmarkNet", "predictions": "Predictor"}
    assert parameters["subject"].annotation == subjects[record.subject]
    assert parameters["split"].default == record.split
