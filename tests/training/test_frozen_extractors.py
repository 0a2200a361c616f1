# SPDX-License-Identifier: Apache-2.0
"""Networks of the papers by the command line: trained, exported, vectors of crops, and a head on these vectors."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="needs the extra train: pip install 'mien[train]'")

from mien.affect import Analyzer
from mien.cli.main import mien
from mien.datasets import create_example
from mien.inference import load_spec
from mien.media import save_image
from mien.results import open_features

pytestmark = pytest.mark.filterwarnings("default")  # torch and its exporter warn about themselves


def run(*arguments: object) -> None:
    done = CliRunner().invoke(mien, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("name", "n_features", "n_scores"),
    [
        ("mt-emotimobilefacenet", 512, 10),  # the smallest; 522 side by side
        pytest.param("emotieffnet-b0", 1280, 8, marks=pytest.mark.slow),
        pytest.param("emotieffnet-b2", 1408, 8, marks=pytest.mark.slow),
        pytest.param("ddamfn", 512, 8, marks=pytest.mark.slow),
        pytest.param("mobilenet", 1024, 7, marks=pytest.mark.slow),
        pytest.param("mt-ddamfn", 512, 10, marks=pytest.mark.slow),
        pytest.param("mt-emotieffnet", 1280, 10, marks=pytest.mark.slow),
        pytest.param("mt-emotimobilevit", 640, 10, marks=pytest.mark.slow),
    ],
)
def test_a_head_on_the_vectors_of_a_network_trained_here(
    name: str, n_features: int, n_scores: int, tmp_path: Path
) -> None:
    """The published lengths come out of `mien features`, and `hse-va` learns from them."""
    data, net, out = tmp_path / "data", tmp_path / "net", tmp_path / "bundle"
    create_example("affectnet", tmp_path / "affectnet")
    create_example("affwild2-va", data)
    rng = np.random.default_rng(0)
    for crop in data.rglob("*.jpg"):  # those of the example are all alike
        save_image(crop, rng.integers(0, 256, (112, 112, 3), dtype=np.uint8))
    run("train", name, "--data", tmp_path / "affectnet", "--out", net, "--cache", tmp_path / "cache", "--threads", 1)
    run("features", data / "cropped_aligned", "--crops", "--model", net, "--out", data / "features")
    stored = open_features(data / "features")
    assert (stored.info.made_by, stored.info.n_features) == (name, n_features)
    assert len(stored.info.score_names) == n_scores
    rows = stored.load()
    assert rows.features.shape[1] == n_features
    assert np.ptp(rows.features, axis=0).any()  # other crops, other vectors
    run("train", "hse-va", "--data", data, "--out", out, "--model", net)
    assert f"on the frozen features of {name}" in load_spec(out).provenance
    faces = Analyzer(out).crops([np.zeros((50, 40, 3), np.uint8)])
    assert np.isfinite([faces.valence, faces.arousal]).all()
