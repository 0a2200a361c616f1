# SPDX-License-Identifier: Apache-2.0
"""LFW as crops and as photos."""

from pathlib import Path

import numpy as np

from mien.datasets import AU_RULES, load_fairface, load_held_out, load_traits, person
from mien.evaluation import PROTOCOLS
from tests.helpers.open_face_sets import FlatFaceAnalyzer, metrics_by_name


def test_people_are_resampled_and_held_out_is_a_prefix(open_sets: Path) -> None:
    metrics = metrics_by_name(PROTOCOLS.load("lfw")(FlatFaceAnalyzer(), open_sets))
    assert metrics["AUC of AU12, happiness against neutral"].value == 1
    assert person("Person_a_0001.jpg") == person("Person_a_0002.jpg")
    assert load_held_out(open_sets, 20).names[:10] == load_held_out(open_sets, 10).names
    assert set(load_traits(open_sets / "fairface/val.parquet", ("race",))["race"]) == {"Indian"}
    assert np.isnan(load_fairface(open_sets, "valid").expression).all()
    assert "AU12" in AU_RULES
