# SPDX-License-Identifier: Apache-2.0
"""Vectors of crops: the same numbers as the analyzer gives."""

from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer, activate
from mien.core import ConfigError
from mien.pipeline import extract_features
from mien.results import open_features
from tests.helpers.bundle_variants import write_whole
from tests.helpers.run_results import code_of
from tests.helpers.vector_keys import keys


def test_crops_give_what_the_analyzer_gives(crops: Path, tmp_path: Path) -> None:
    result = extract_features(crops, tmp_path / "out", crops=True, threads=1)
    assert code_of(result) == 1
    assert [failure.path for failure in result.failures] == ["b"]
    assert "00004.jpg" in result.failures[0].reason
    assert [(record.source, record.n_frames, record.n_rows) for record in result.records] == [
        ("a", 8, 8),
        ("a_left", 3, 3),
        ("b", 6, 5),
    ]
    assert keys(tmp_path / "out")[8:12] == [("a_left", 2, -1), ("a_left", 5, -1), ("a_left", 90, -1), ("b", 1, -1)]
    stored = open_features(tmp_path / "out")
    found = stored.load()
    analyzer = Analyzer(threads=1, features=True)
    faces = analyzer.crops([crops / "a" / f"{number:05d}.jpg" for number in range(1, 9)])
    np.testing.assert_allclose(found.features[:8], faces.features, atol=1e-4)
    task = analyzer.spec.task("valence_arousal")
    assert task is not None
    values = activate(found.scores[:8, stored.info.scores_of("valence_arousal")], task)
    np.testing.assert_allclose(values, np.stack([faces.valence, faces.arousal], axis=1), atol=1e-5)
    assert stored.info.digest == analyzer.bundle_digest


def test_a_bundle_that_reads_given_crops_whole_gives_what_its_analyzer_gives(crops: Path, tmp_path: Path) -> None:
    folder = write_whole(tmp_path / "whole")
    extract_features(crops / "a", tmp_path / "out", crops=True, model=folder, threads=1)
    found = open_features(tmp_path / "out").load().features
    files = [crops / "a" / f"{number:05d}.jpg" for number in range(1, 9)]
    own, aligned = (Analyzer(model, threads=1, features=True).crops(files).features for model in (folder, "mien-light"))
    np.testing.assert_allclose(found, own, atol=1e-4)
    assert np.abs(own - aligned).max() > 0.1


def test_half_precision_and_every(crops: Path, tmp_path: Path) -> None:
    whole = extract_features(crops / "a", tmp_path / "whole", crops=True, threads=1)
    half = extract_features(crops / "a", tmp_path / "half", crops=True, float16=True, every=4, threads=1)
    assert (whole.n_rows, half.n_rows) == (8, 2)
    rows, halved = open_features(tmp_path / "whole").load(), open_features(tmp_path / "half").load()
    assert halved.features.dtype == np.float16
    assert halved.frame.tolist() == [4, 8]
    np.testing.assert_allclose(halved.features, rows.features[[3, 7]], rtol=2e-3, atol=1e-3)


def test_two_folders_of_one_track(crops: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "a").mkdir(parents=True)
    with pytest.raises(ConfigError, match="both the track a"):
        extract_features([crops, tmp_path / "other"], tmp_path / "out", crops=True, threads=1)
