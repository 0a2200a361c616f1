# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import ConfigError
from mien.faces import Detections, Tracker
from mien.faces.detector import faces_at

FPS = 25.0


def box(x: float, y: float = 100, side: float = 50) -> list[float]:
    return [x, y, x + side, y + side]


def run(
    tracker: Tracker, frames: list[Detections], *, start_s: float = 0.0, step_s: float = 1 / FPS
) -> list[list[int]]:
    """The numbers of each frame, where every frame has a full detection and nothing else."""
    numbers = []
    for index, found in enumerate(frames):
        tracker.begin(start_s + index * step_s)
        tracker.scan(found)
        numbers.append(tracker.faces()[1].tolist())
    return numbers


def test_numbers_start_at_zero_and_stay() -> None:
    frames = [faces_at([box(100 + 4 * t), box(300 - 3 * t)]) for t in range(20)]
    assert run(Tracker(), frames) == [[0, 1]] * 20


def test_rows_belong_to_their_numbers() -> None:
    """The order in which a detector lists its faces does not matter."""
    tracker = Tracker()
    run(tracker, [faces_at([box(100), box(300)]), faces_at([box(302), box(101)])])
    found, numbers = tracker.faces()
    assert numbers.tolist() == [0, 1]
    assert found.boxes[:, 0].tolist() == [101, 302]


def test_no_face() -> None:
    tracker = Tracker()
    assert run(tracker, [Detections.empty()] * 3) == [[]] * 3
    found, numbers = tracker.faces()
    assert found.boxes.shape == (0, 4)
    assert numbers.dtype == np.int64


def test_first_frame_shows_a_face_at_once() -> None:
    assert run(Tracker(), [faces_at([box(100)], [0.86])]) == [[0]]


def test_single_detection_later_makes_no_track() -> None:
    empty, weak = Detections.empty(), faces_at([box(100)], [0.88])
    assert run(Tracker(), [empty, weak, empty, weak, empty, empty]) == [[]] * 6


def test_second_detection_confirms() -> None:
    empty, weak = Detections.empty(), faces_at([box(100)], [0.88])
    assert run(Tracker(), [empty, weak, weak, weak]) == [[], [], [0], [0]]


def test_high_score_needs_no_second_detection() -> None:
    assert run(Tracker(), [Detections.empty(), faces_at([box(100)], [0.99])]) == [[], [0]]


@pytest.mark.parametrize("step_s", [1 / 25, 1 / 5])
def test_short_loss_is_survived_by_time_not_by_frames(step_s: float) -> None:
    gap = round(0.8 / step_s)
    frames = [faces_at([box(100)])] * 3 + [Detections.empty()] * (gap - 1) + [faces_at([box(104)])]
    assert run(Tracker(max_lost_s=1.0), frames, step_s=step_s)[-1] == [0]
    assert run(Tracker(max_lost_s=0.5), frames, step_s=step_s)[-1] == [1]


def test_sparse_frames_are_no_loss() -> None:
    assert run(Tracker(max_lost_s=0.5), [faces_at([box(100 + t)]) for t in range(4)], step_s=2.0) == [[0]] * 4


def test_lost_face_keeps_its_number_in_motion() -> None:
    moving = [faces_at([box(100 + 5 * t)]) for t in range(20)]
    frames = moving[:8] + [Detections.empty()] * 4 + moving[12:]
    assert run(Tracker(), frames)[-1] == [0]


def test_crossing_faces_keep_their_numbers() -> None:
    """They pass one in front of the other: for some frames only one is found."""
    frames = []
    for t in range(40):
        left, right = box(100 + 5 * t), box(295 - 5 * t)
        hidden = abs(left[0] - right[0]) < 30
        frames.append(faces_at([left] if hidden else [left, right]))
    tracker = Tracker()
    numbers = run(tracker, frames)
    assert numbers[0] == numbers[-1] == [0, 1]
    assert tracker.faces()[0].boxes[:, 0].tolist() == [295, 100]
    assert {number for frame in numbers for number in frame} == {0, 1}


def test_end_of_shot_ends_tracks_and_no_number_comes_back() -> None:
    tracker = Tracker()
    frames = [faces_at([box(100), box(300)])] * 2
    assert run(tracker, frames)[-1] == [0, 1]
    tracker.end_shot()
    assert len(tracker) == 0
    assert run(tracker, frames, start_s=1)[-1] == [2, 3]


def test_a_shot_that_goes_on_has_its_tracks_again() -> None:
    tracker = Tracker()
    frames = [faces_at([box(100), box(300)])] * 2
    assert run(tracker, frames)[-1] == [0, 1]
    shot = tracker.end_shot()
    assert run(tracker, [faces_at([box(200)])] * 2, start_s=0.1)[-1] == [2]
    tracker.resume_shot(shot)
    assert run(tracker, frames, start_s=0.2)[-1] == [0, 1]
    assert run(tracker, [faces_at([box(100), box(300), box(500)])] * 2, start_s=0.3)[-1] == [0, 1, 3]


def test_far_or_differently_large_face_is_another() -> None:
    assert run(Tracker(), [faces_at([box(100)]), faces_at([box(220)])]) == [[0], [1]]
    assert run(Tracker(), [faces_at([box(100)]), faces_at([box(60, 60, 130)])]) == [[0], [1]]


def test_second_look_holds_and_loses() -> None:
    tracker = Tracker()
    run(tracker, [faces_at([box(100)])] * 2)
    expected = tracker.begin(0.08)
    np.testing.assert_allclose(expected, [box(100)], atol=1e-3)
    assert not tracker.refine(faces_at([box(102)], [0.7]))
    assert tracker.faces()[1].tolist() == [0]
    tracker.begin(0.12)
    assert tracker.refine(faces_at([box(102)], [0.2]))
    assert tracker.faces()[1].tolist() == []
    assert tracker.any_lost
    tracker.begin(0.16)
    assert not tracker.refine(faces_at([box(102)], [0.1])), "it was gone before"


def test_second_look_must_stay_on_its_face() -> None:
    tracker = Tracker()
    run(tracker, [faces_at([box(100)])])
    tracker.begin(0.04)
    assert tracker.refine(faces_at([box(145)], [0.99]))


def test_modest_score_holds_only_while_scans_confirm() -> None:
    tracker = Tracker()
    run(tracker, [faces_at([box(100)])])
    held = []
    for t in range(1, 80):
        tracker.begin(t / FPS)
        tracker.refine(faces_at([box(100)], [0.7]) if len(tracker) else Detections.empty())
        held.append(len(tracker.faces()[1]))
    # Two seconds, and a frame to either side for rounding.
    assert held[:49] == [1] * 49
    assert held[51:] == [0] * 28


def test_two_tracks_on_one_face() -> None:
    """A second look that slips onto the neighbour loses its own face instead of doubling the other."""
    tracker = Tracker()
    run(tracker, [faces_at([box(100), box(130)])] * 2)
    tracker.begin(0.08)
    assert tracker.refine(faces_at([box(101), box(105)]))
    assert tracker.faces()[1].tolist() == [0]


def test_detection_on_a_followed_face_is_no_second_face() -> None:
    tracker = Tracker()
    run(tracker, [faces_at([box(100)])] * 2)
    assert run(tracker, [faces_at([box(100), [100, 105, 145, 150]])], start_s=0.1) == [[0]]


def test_negative_time() -> None:
    with pytest.raises(ConfigError, match="max_lost_s"):
        Tracker(max_lost_s=-1)
