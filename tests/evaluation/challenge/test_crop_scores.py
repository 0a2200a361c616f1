# SPDX-License-Identifier: Apache-2.0
"""A bundle on official crops in place of tables."""

from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer
from mien.core import InputError
from mien.datasets import load_dataset
from mien.evaluation import PREDICTION_FORMATS, BundleOnCropFolder, BundleOnCrops, TablePredictor
from tests.helpers.submission_data import (
    write_crops,
)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture
def crops_data(tmp_path: Path) -> Path:
    return write_crops(tmp_path)


def test_the_same_predictions_as_frame_by_frame(crops_data: Path, analyzer: Analyzer) -> None:
    samples = load_dataset("affwild2-va", crops_data, "valid")
    tables = TablePredictor([BundleOnCropFolder(analyzer, crops_data / "cropped_aligned")])
    got = tables.predict_frames(PREDICTION_FORMATS["va"], samples)
    for track, rows in samples.track_rows():
        if (crops_data / "cropped_aligned" / track).is_dir():
            expected = BundleOnCrops(analyzer).predict_frames(PREDICTION_FORMATS["va"], samples)
            np.testing.assert_allclose(got[rows], expected[rows], atol=1e-6)
    assert tables.name == "mien-light"


def test_a_track_without_crops_has_no_face(crops_data: Path, analyzer: Analyzer) -> None:
    """Its neighbour's faces are not its own, whatever the name."""
    model = BundleOnCropFolder(analyzer, crops_data / "cropped_aligned")
    videos = model.videos(["valence", "AU12"], per_frame=True)
    tracks = list(videos)
    assert len(videos[tracks[0]].frames)
    assert not len(videos[f"{tracks[0]}_right"].frames)
    with pytest.raises(InputError, match="no such folder"):
        BundleOnCropFolder(analyzer, crops_data / "nowhere")
