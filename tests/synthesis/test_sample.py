# SPDX-License-Identifier: Apache-2.0
"""The rendered sample of the repository: mien finds both faces and the smile in the photo and in the video."""

import numpy as np
import pytest

import mien
from mien.synthesis.sample import PHOTO, VIDEO, sample_image
from tests.helpers.repository import ROOT

SAMPLE = ROOT / "docs/sample"
MAX_BYTES = 300_000


@pytest.fixture(scope="module")
def analyzer() -> mien.Analyzer:
    return mien.Analyzer()


def smile(faces: mien.Faces) -> list[float]:
    """Probability of AU12 of both faces from left to right."""
    order = np.argsort(faces.boxes[:, 0])
    return [float(value) for value in faces.action_units[order, list(faces.action_unit_labels).index("AU12")]]


def test_the_sample_is_small() -> None:
    assert sum((SAMPLE / name).stat().st_size for name in (PHOTO, VIDEO)) < MAX_BYTES


def test_the_photo_shows_a_neutral_and_a_smiling_face(analyzer: mien.Analyzer) -> None:
    faces = analyzer.image(SAMPLE / PHOTO)
    assert len(faces) == 2
    left, right = np.argsort(faces.boxes[:, 0])
    names = [faces.expression_labels[int(row.argmax())] for row in faces.expression]
    assert (names[left], names[right]) == ("neutral", "happiness")
    neutral, smiling = smile(faces)
    assert neutral < 0.2
    assert smiling > 0.7


def test_both_faces_of_the_video_begin_neutral_and_end_smiling(analyzer: mien.Analyzer) -> None:
    frames = [frame.faces for frame in analyzer.video(SAMPLE / VIDEO)]
    assert len(frames) == 45
    assert all(len(faces) == 2 for faces in frames)
    assert {track for faces in frames for track in faces.track_ids.tolist()} == {0, 1}
    assert max(smile(frames[3])) < 0.2
    assert min(smile(frames[-1])) > 0.7


@pytest.mark.usefixtures("renderer_installed")
def test_the_photo_can_be_rendered_again() -> None:
    from mien.media import load_image

    drawn = sample_image(0.0, 1.0).astype(float)
    stored = load_image(SAMPLE / PHOTO).astype(float)
    assert drawn.shape == stored.shape
    assert np.abs(drawn - stored).mean() < 3  # JPEG
