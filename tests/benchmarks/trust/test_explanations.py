# SPDX-License-Identifier: Apache-2.0
"""What the page of explanations is computed with: rank correlations, and a bundle with weights in a random order."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra train: pip install 'mien[train]'")

from benchmarks.trust.explanations import interval, rank_correlation, shuffled_bundle
from mien.affect import Analyzer
from mien.inference import load_bundle, load_spec


def test_ranks_and_not_values_are_compared() -> None:
    values = np.random.default_rng(0).random((8, 8))
    assert rank_correlation(values, np.exp(5 * values)) == pytest.approx(1)
    assert rank_correlation(values, -values) == pytest.approx(-1)
    assert rank_correlation(values, np.zeros((8, 8))) == 0
    assert interval(np.array([0.25] * 9)) == "+0.250 (+0.250 to +0.250)"


def test_shuffled_weights_make_a_bundle_that_predicts_something_else(tmp_path: Path) -> None:
    folder = shuffled_bundle("mien-light", tmp_path / "shuffled")
    assert load_bundle(folder).spec.sha256 != load_spec("mien-light").sha256
    crop = np.random.default_rng(0).integers(0, 255, (80, 80), np.uint8)
    own, other = (Analyzer(model, threads=1).crops([crop]).expression for model in ("mien-light", str(folder)))
    assert own.shape == other.shape
    assert not np.allclose(own, other, atol=1e-3)
