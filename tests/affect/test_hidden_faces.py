# SPDX-License-Identifier: Apache-2.0
"""Hidden faces have a low quality in every reader; bad images of faces that are not hidden keep theirs."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.affect import Analyzer
from mien.core import Faces
from mien.evaluation.corruptions import cover_face
from mien.evaluation.hiding import blur, mosaic
from tests.helpers.face_clips import write_clip

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def large(face: Image) -> Image:
    return cv2.resize(face, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def keypoints(analyzer: Analyzer, large: Image) -> npt.NDArray[np.float64]:
    return analyzer.image(large).keypoints[0].astype(np.float64)


def best(faces: Faces) -> float:
    """The highest quality among the faces; 0 where none was found."""
    return float(faces.quality.max(initial=0))


@pytest.mark.parametrize("blocks", [6, 8, 9.4])
@pytest.mark.parametrize("seed", range(4))
def test_a_mosaic_is_no_face_or_below_one_half(
    analyzer: Analyzer, large: Image, keypoints: npt.NDArray[np.float64], blocks: float, seed: int
) -> None:
    hidden = mosaic(large, keypoints, np.random.default_rng(seed), blocks=blocks).image
    assert best(analyzer.image(hidden)) < 0.5


@pytest.mark.parametrize("deviation", [0.08, 0.1, 0.12])
@pytest.mark.parametrize("seed", range(4))
def test_a_strong_blur_is_no_face_or_below_one_half(
    analyzer: Analyzer, large: Image, keypoints: npt.NDArray[np.float64], deviation: float, seed: int
) -> None:
    hidden = blur(large, keypoints, np.random.default_rng(seed), deviation=deviation).image
    assert best(analyzer.image(hidden)) < 0.5


def test_behind_a_mask_quality_is_at_most_0_7(
    analyzer: Analyzer, large: Image, keypoints: npt.NDArray[np.float64]
) -> None:
    masked = [cover_face(large, keypoints, np.random.default_rng(seed), kind="mask") for seed in range(6)]
    values = [best(analyzer.image(image)) for image in masked]
    assert np.mean(values) <= 0.7
    # A low mask leaves the cheeks of a broad smile.
    assert max(values) <= 0.8


def test_what_hides_no_face_keeps_the_quality(analyzer: Analyzer, large: Image) -> None:
    plain = best(analyzer.image(large))
    rng = np.random.default_rng(0)
    gray = cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)
    film = np.clip(gray + rng.normal(0, 8, (*gray.shape[:2], 1)), 0, 255).astype(np.uint8)
    coded = cv2.imdecode(cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 35])[1], 1)
    small = cv2.resize(large, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA)
    images = {"film": film, "dim": (large * 0.25).astype(np.uint8), "coded": coded, "small": small}
    for name, image in images.items():
        assert best(analyzer.image(image)) > plain - 0.12, name


def test_every_reader_lowers_it(
    analyzer: Analyzer, large: Image, keypoints: npt.NDArray[np.float64], tmp_path: Path
) -> None:
    hidden = blur(large, keypoints, np.random.default_rng(1), deviation=0.07).image
    without = Analyzer(threads=1, landmark_model=None)
    clip = write_clip(tmp_path / "hidden.mp4", hidden)
    seen = [
        analyzer.image(hidden),
        analyzer.images([large, hidden])[1],
        analyzer.crops([hidden]),
        without.image(hidden),
        *(frame.faces for frame in analyzer.video(clip)),
        *(frame.faces for frame in analyzer.video(clip, adaptive="4,1")),
    ]
    assert sum(map(len, seen)) > 8
    assert max(map(best, seen)) < 0.6
    assert best(analyzer.crops([large])) > 0.8
