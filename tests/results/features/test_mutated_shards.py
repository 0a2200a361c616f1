# SPDX-License-Identifier: Apache-2.0
"""Whatever is wrong with a folder of vectors, or with the copies that are mapped: a sentence, or the same rows."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.core import MienError
from mien.results import FeatureWriter, open_features
from tests.helpers.feature_folders import INFO, fill
from tests.helpers.mutated_files import damages

QUIET: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
CASES = given(data=st.data(), place=st.sampled_from(("shards", "copies")), change=damages())


def outcome(action: Callable[[], Any]) -> tuple[Any, str]:
    """What an action returns, or the sentence that it ends with."""
    try:
        return action(), ""
    except MienError as error:
        return None, str(error)


def reopened(folder: Path) -> None:
    with FeatureWriter(folder, INFO, rows_per_shard=4):
        pass


def check(data: st.DataObject, place: str, change: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        shards, copies = Path(name) / "shards", Path(name) / "copies"
        fill(shards)
        whole = open_features(shards).mapped(copies).features.copy()
        files = sorted(path for path in (Path(name) / place).rglob("*") if path.is_file())
        change(data.draw(st.sampled_from(files)), data)
        for read in (lambda: open_features(shards).load(), lambda: open_features(shards).mapped(copies)):
            found, sentence = outcome(read)
            assert len(sentence) < 4000
            assert sentence.isprintable()
            if found is not None and place == "copies":
                assert found.features.shape == whole.shape
        assert outcome(lambda: reopened(shards))[1].isprintable()


@settings(max_examples=40, derandomize=bool(os.environ.get("CI")), **QUIET)
@CASES
def test_only_sentences(data, place, change) -> None:
    check(data, place, change)


@pytest.mark.slow
@settings(max_examples=2000, **QUIET)
@CASES
def test_only_sentences_in_many_cases(data, place, change) -> None:
    check(data, place, change)
