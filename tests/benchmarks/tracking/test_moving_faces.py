# SPDX-License-Identifier: Apache-2.0
"""Synthetic scenes have correct ground truth, and the tracker follows their faces as promised."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.tracking.moving_faces import (
    CROSSING,
    CUT,
    HIDING,
    RETURNING,
    FacePatch,
    GroundTruthFrame,
    Scene,
    Trajectory,
    render_scene,
)
from mien.affect import Analyzer
from mien.core import ConfigError, Frame
from mien.faces.boxes import iou

Image = npt.NDArray[np.uint8]

FACE = slice(48, 212), slice(142, 306)
BOX = np.array([0.22, 0.12, 0.78, 0.88], np.float32)


@pytest.fixture(scope="module")
def patches(astronaut: Image) -> list[FacePatch]:
    """One face twice: as it is, and mirrored under other light."""
    face = astronaut[FACE]
    other = np.ascontiguousarray(cv2.convertScaleAbs(face[:, ::-1], alpha=0.8, beta=30)[..., ::-1])
    return [FacePatch(face, BOX), FacePatch(other, BOX)]


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(threads=1)


def followed(analyzer: Analyzer, scene: Scene, patches: list[FacePatch]) -> tuple[list[GroundTruthFrame], list[Frame]]:
    truth = list(render_scene(scene, patches))
    return truth, list(analyzer.frames(true.frame for true in truth))


def track_numbers(truth: list[GroundTruthFrame], frames: list[Frame]) -> dict[int, list[int]]:
    """Ground-truth track -> the track numbers of the tracker, in order of appearance."""
    given: dict[int, list[int]] = {}
    for true, frame in zip(truth, frames, strict=True):
        overlaps = iou(true.boxes, frame.faces.boxes)
        for row, number in enumerate(true.ids.tolist()):
            if overlaps.shape[1] and overlaps[row].max() > 0.4:
                track = int(frame.faces.track_ids[overlaps[row].argmax()])
                seen = given.setdefault(number, [])
                if track not in seen:
                    seen.append(track)
    return given


def test_a_face_gets_a_new_number_after_cuts_and_long_absence(patches: list[FacePatch]) -> None:
    for scene, expected in ((CUT, {0, 1}), (RETURNING, {0, 1}), (HIDING, {0}), (CROSSING, {0, 1})):
        assert {number for true in render_scene(scene, patches) for number in true.ids.tolist()} == expected


def test_a_hidden_face_is_not_in_the_ground_truth(patches: list[FacePatch]) -> None:
    counts = [len(true.ids) for true in render_scene(HIDING, patches)]
    assert counts[0] == counts[-1] == 1
    assert 0 in counts
    assert 1 in [len(true.ids) for true in render_scene(CROSSING, patches)]  # one covers the other


def test_a_scene_without_its_faces_is_refused(patches: list[FacePatch]) -> None:
    with pytest.raises(ConfigError, match="needs 2 faces, got 1"):
        next(render_scene(CROSSING, patches[:1]))


def test_crossing_faces_keep_their_numbers(analyzer: Analyzer, patches: list[FacePatch]) -> None:
    given = track_numbers(*followed(analyzer, replace(CROSSING, fps=15.0), patches))
    assert sorted(given) == [0, 1]
    assert [len(numbers) for numbers in given.values()] == [1, 1]
    assert given[0] != given[1]


def test_a_short_loss_is_bridged(analyzer: Analyzer, patches: list[FacePatch]) -> None:
    truth, frames = followed(analyzer, replace(HIDING, fps=15.0), patches)
    assert track_numbers(truth, frames) == {0: [0]}
    assert 0 in [len(frame.faces) for frame in frames]


@pytest.mark.parametrize("scene", [CUT, RETURNING], ids=lambda scene: scene.name)
def test_after_a_cut_or_a_long_absence_a_face_is_a_new_one(
    analyzer: Analyzer, patches: list[FacePatch], scene: Scene
) -> None:
    assert track_numbers(*followed(analyzer, replace(scene, fps=15.0), patches)) == {0: [0], 1: [1]}


def test_a_face_is_absent_outside_its_trajectory() -> None:
    trajectory = Trajectory(((1, 0.0, 0.0, 1.0), (2, 1.0, 0.5, 1.0)))
    assert trajectory.at(0.9) is trajectory.at(2.1) is None
    assert trajectory.at(1.5) == (0.5, 0.25, 1.0)
